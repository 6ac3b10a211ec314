//! An endpoint that is down for ever: what waits is bounded.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{
    endpoint::{Endpoint, Mood},
    support::{
        image::{Blob, Image},
        server::{Launch, Program},
        wait::{eventually, pass},
    },
};

/// How many records the outbox has.
pub(crate) fn records(root: &Path) -> usize {
    fs::read_dir(root.join("wharf/outbox/records")).map_or(0, Iterator::count)
}

#[test]
fn the_outbox_stays_within_its_bytes_and_says_what_it_gives_up() {
    let (root, endpoint) = (tempfile::tempdir().unwrap(), Endpoint::new());
    endpoint.set(Mood::HangsUp);
    let launch = endpoint.launch(Program::Wharf, root.path(), "");
    let server = launch.set("REGISTRY_NOTIFICATIONS_OUTBOX_MAXBYTES", "64KiB").start();
    let repository = server.http().repository("app");
    for seed in 0..60 {
        repository.push_blob(&Blob::noise(seed, 100));
    }
    // A record counts 4 KiB.
    eventually("the outbox is bounded", || records(root.path()) <= 16);
    server.expect_logged("notifications were given up");
    endpoint.set(Mood::Answers(200));
    // The newest are those that are left.
    let last = Blob::noise(59, 100);
    eventually("the last", || endpoint.events().iter().any(|event| event["target"]["digest"] == last.digest()));
    eventually("nothing is left", || records(root.path()) == 0);
    assert!(endpoint.events().len() < 60);
}

#[test]
fn what_waits_too_long_is_given_up() {
    let (root, endpoint) = (tempfile::tempdir().unwrap(), Endpoint::new());
    endpoint.set(Mood::HangsUp);
    let launch = endpoint.launch(Program::Wharf, root.path(), "");
    let server = launch.set("REGISTRY_NOTIFICATIONS_OUTBOX_MAXAGE", "1s").start();
    server.http().repository("app").push_blob(&Blob::noise(1, 100));
    eventually("it is given up", || records(root.path()) == 0);
    server.expect_logged("notifications were given up");
}

/// The date of a record is that of a clock which may have been wrong.
#[test]
fn a_record_from_long_ago_is_still_sent_after_a_start() {
    let (root, endpoint) = (tempfile::tempdir().unwrap(), Endpoint::new());
    endpoint.set(Mood::HangsUp);
    let server = endpoint.launch(Program::Wharf, root.path(), "").start();
    server.http().repository("app").push_blob(&Blob::noise(1, 100));
    server.stop();
    let (_, record) = the_record(root.path());
    fs::File::open(record).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let server = endpoint.launch(Program::Wharf, root.path(), "").start();
    pass(Duration::from_secs(3), "the upkeep, which runs each second");
    assert_eq!(records(root.path()), 1, "{}", server.log());
    endpoint.set(Mood::Answers(200));
    endpoint.expect(1);
}

/// The name and the path of the only record.
fn the_record(root: &Path) -> (OsString, PathBuf) {
    let mut entries = fs::read_dir(root.join("wharf/outbox/records")).unwrap();
    let entry = entries.next().unwrap().unwrap();
    (entry.file_name(), entry.path())
}

#[test]
fn a_record_that_cannot_be_read_has_one_line_in_the_log_and_is_sent_later() {
    let (root, endpoint) = (tempfile::tempdir().unwrap(), Endpoint::new());
    endpoint.set(Mood::HangsUp);
    let server = endpoint.launch(Program::Wharf, root.path(), "").start();
    server.http().repository("app").push_blob(&Blob::noise(1, 100));
    server.stop();
    let (name, record) = the_record(root.path());
    let aside = root.path().join(name);
    fs::rename(&record, &aside).unwrap();
    std::os::unix::fs::symlink("/proc/self/mem", &record).unwrap();
    let server = endpoint.launch(Program::Wharf, root.path(), "").start();
    endpoint.set(Mood::Answers(200));
    pass(Duration::from_secs(3), "the attempts, of which one is made each second");
    fs::remove_file(&record).unwrap();
    fs::rename(&aside, &record).unwrap();
    endpoint.expect(1);
    server.expect_logged("can be read again");
    let log = server.log();
    assert_eq!(log.matches("can't be read").count(), 1, "{log}");
}

#[test]
fn an_endpoint_that_is_taken_out_of_the_settings_leaves_nothing() {
    let (root, endpoint) = (tempfile::tempdir().unwrap(), Endpoint::new());
    endpoint.set(Mood::HangsUp);
    let server = endpoint.launch(Program::Wharf, root.path(), "").start();
    server.http().repository("app").push("1", &Image::new(1, "amd64"));
    server.stop();
    assert!(records(root.path()) > 0);
    let server = Launch::new(Program::Wharf, root.path()).start();
    assert!(!root.path().join("wharf/outbox").exists());
    server.http().repository("app").expect_image("1", &Image::new(1, "amd64"));
}

/// Collections and checks of the store leave the outbox alone.
#[test]
fn collections_and_checks_leave_the_outbox_alone() {
    let (root, endpoint) = (tempfile::tempdir().unwrap(), Endpoint::new());
    endpoint.set(Mood::HangsUp);
    let server = endpoint.launch(Program::Wharf, root.path(), "").start();
    server.http().repository("app").push("1", &Image::new(1, "amd64"));
    server.stop();
    let before = records(root.path());
    for arguments in [&["fsck", "--repair"][..], &["gc", "--untagged"]] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_wharf"));
        command.args(arguments).env("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", root.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
    assert_eq!(records(root.path()), before);
}
