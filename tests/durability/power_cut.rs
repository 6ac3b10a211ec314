//! A power cut: what the disk had not synced is gone, the journal's last entries too.

use crate::{
    disk::Disk,
    journal::Journal,
    strace,
    support::{
        image::{Blob, Image},
        server::{Launch, Program, Server},
    },
};

/// Nothing gets to the disk by itself within the time of a test.
pub(crate) const LAZY: &str = "noauto_da_alloc,commit=300";

fn lazy_disk() -> Disk {
    Disk::new(256 << 20, &[], LAZY)
}

fn push_some(server: &Server, journal: &Journal) {
    for seed in 0..4 {
        let outcome =
            journal.push(&server.http(), &format!("cut/{}", seed % 2), &seed.to_string(), &Image::new(seed, "amd64"));
        assert!(outcome.is_clean(), "{outcome:?}");
    }
}

/// Cuts the power, ends the process, which a cut does as well, and starts over from what the disk has.
fn cut(disk: &Disk, server: Server) -> Server {
    disk.cut();
    server.kill();
    disk.remount();
    Launch::new(Program::under_test(), &disk.store()).start()
}

#[test]
#[ignore = "needs root for a loop mount: run ./test"]
fn what_was_acknowledged_survives_a_power_cut_needs_root() {
    let (disk, journal) = (lazy_disk(), Journal::default());
    let server = Launch::new(Program::under_test(), &disk.store()).start();
    push_some(&server, &journal);
    let server = cut(&disk, server);
    journal.check(&server.http());
    assert_eq!(server.http().catalog(), ["cut/0", "cut/1"]);
}

/// Without syncs the same must fail, or the test above proves nothing.
#[test]
#[ignore = "needs root for a loop mount, and strace: run ./test"]
fn without_syncs_a_power_cut_loses_what_was_acknowledged_needs_root_and_strace() {
    let (disk, journal, log) = (lazy_disk(), Journal::default(), tempfile::tempdir().unwrap());
    let syncs = ["-e", "trace=fsync,fdatasync,syncfs", "-e", "inject=fsync,fdatasync,syncfs:retval=0"];
    let wrapper = strace::command_line(&log.path().join("strace"), &syncs);
    let server = Launch::new(Program::under_test(), &disk.store()).under(wrapper).start();
    push_some(&server, &journal);
    let server = cut(&disk, server);
    assert!(!journal.missing(&server.http()).is_empty(), "the cut took nothing, so it is none");
}

#[test]
#[ignore = "needs root for a loop mount: run ./test"]
fn an_upload_resumes_after_a_power_cut_needs_root() {
    let (disk, blob) = (lazy_disk(), Blob::noise(1, 6 << 20));
    let server = Launch::new(Program::under_test(), &disk.store()).start();
    let repository = server.http().repository("resumed");
    let patched = repository.patch(&repository.begin(), &blob.bytes()[..3 << 20]).unwrap().expect(202);
    let location = patched.header("location").unwrap().to_owned();
    let path = location[location.find("/v2/").unwrap()..].to_owned();
    let server = cut(&disk, server);
    let repository = server.http().repository("resumed");
    let status = crate::restart::status(&repository, &path);
    crate::restart::resume(&repository, &path, &blob, status);
}

/// A disk that fails for good: every write meets EIO.
#[test]
#[ignore = "needs root for a loop mount: run ./test"]
fn a_dead_disk_is_answered_in_words_and_the_next_one_has_everything_needs_root() {
    let (disk, journal) = (lazy_disk(), Journal::default());
    let mut server = Launch::new(Program::under_test(), &disk.store()).start();
    push_some(&server, &journal);
    disk.cut();
    let outcome = journal.push(&server.http(), "cut/0", "dead", &Image::new(99, "amd64"));
    assert!(!outcome.lost_connection && !outcome.is_clean(), "{outcome:?}");
    for refusal in &outcome.refusals {
        assert!(refusal.status >= 500 && !refusal.code().is_empty(), "{refusal:?}");
        assert!(!String::from_utf8_lossy(&refusal.body).contains("mounted"), "{refusal:?}");
    }
    assert!(!server.has_ended());
    server.kill();
    disk.remount();
    let server = Launch::new(Program::under_test(), &disk.store()).start();
    journal.check(&server.http());
    server.http().repository("cut/0").push("dead", &Image::new(99, "amd64"));
}

#[test]
#[ignore = "needs root for a loop mount: run ./test"]
fn what_was_deleted_stays_deleted_after_a_power_cut_needs_root() {
    let (disk, image) = (lazy_disk(), Image::new(1, "amd64"));
    let server = Launch::new(Program::under_test(), &disk.store()).start();
    let repository = server.http().repository("deleted");
    repository.push("kept", &image);
    repository.push_manifest("gone", image.manifest());
    repository.delete("manifests/gone").expect(202);
    let server = cut(&disk, server);
    let repository = server.http().repository("deleted");
    repository.manifest("gone").expect(404);
    repository.expect_image("kept", &image);
}
