//! `wharf events`.

use std::{path::Path, process::Command};

use serde_json::Value;

use crate::{
    bounds::records,
    endpoint::{Endpoint, Mood},
    support::{command::wharf, image::Blob, server::Program, wait::eventually},
};

/// The figures of the only endpoint, after a command.
fn events(root: &Path, arguments: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
    command.arg("events").args(arguments).arg("--json").env("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", root);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    report["endpoints"][0].clone()
}

#[test]
fn what_waits_is_listed_and_dropped_with_a_server_and_without() {
    let (root, endpoint) = (tempfile::tempdir().unwrap(), Endpoint::new());
    endpoint.set(Mood::Answers(503));
    let server = endpoint.launch(Program::Wharf, root.path(), "").start();
    let repository = server.http().repository("app");
    (0..3).for_each(|seed| repository.push_blob(&Blob::noise(seed, 100)));
    eventually("an error", || events(root.path(), &[])["last_error"] == "it answered 503");
    let listed = events(root.path(), &[]);
    assert_eq!((&listed["name"], &listed["waiting"]), (&"hook".into(), &3.into()), "{listed}");
    assert!(listed["oldest"].as_u64().is_some_and(|since| since > 1_700_000_000), "{listed}");
    let dropped = events(root.path(), &["drop", "--endpoint", "hook"]);
    assert_eq!((&dropped["waiting"], &dropped["dropped"]), (&0.into(), &3.into()), "{dropped}");
    eventually("the records are gone", || records(root.path()) == 0);
    (3..5).for_each(|seed| repository.push_blob(&Blob::noise(seed, 100)));
    server.stop();
    assert_eq!(events(root.path(), &[])["waiting"], 2);
    assert_eq!(events(root.path(), &["drop"])["dropped"], 2);
    endpoint.set(Mood::Answers(200));
    let server = endpoint.launch(Program::Wharf, root.path(), "").start();
    server.http().repository("app").push_blob(&Blob::noise(9, 100));
    assert_eq!(endpoint.expect(1)[0]["target"]["digest"], Blob::noise(9, 100).digest());
}

#[test]
fn a_retry_ends_the_wait() {
    let (root, endpoint) = (tempfile::tempdir().unwrap(), Endpoint::new());
    endpoint.set(Mood::Answers(503));
    // A wait that no test would see the end of.
    let launch = endpoint.launch(Program::Wharf, root.path(), "");
    let hook = format!("[{{name: hook, url: '{}', threshold: 1, backoff: 1h}}]", endpoint.url());
    let server = launch.set("REGISTRY_NOTIFICATIONS_ENDPOINTS", &hook).start();
    server.http().repository("app").push_blob(&Blob::noise(1, 100));
    eventually("an attempt", || events(root.path(), &[])["last_error"] == "it answered 503");
    endpoint.set(Mood::Answers(200));
    eventually("it is sent", || {
        events(root.path(), &["retry"]);
        endpoint.events().len() == 1
    });
    eventually("no error any more", || events(root.path(), &[])["last_error"].is_null());
}

#[test]
fn options_stand_before_the_subcommand_and_after_it() {
    let (root, endpoint) = (tempfile::tempdir().unwrap(), Endpoint::new());
    endpoint.set(Mood::Answers(503));
    let server = endpoint.launch(Program::Wharf, root.path(), "").start();
    let settings = root.path().join("registry.toml");
    std::fs::write(&settings, "[storage.filesystem]\nrootdirectory = \"/nowhere\"\n").unwrap();
    let file = settings.to_str().unwrap();
    // A variable goes before the file.
    for arguments in [
        &["--config", file, "drop"][..],
        &["drop", "--config", file],
        &[file, "drop"],
        &["drop", file],
        &["--endpoint", "hook", "drop"],
        &["drop", "--endpoint", "hook"],
    ] {
        server.http().repository("app").push_blob(&Blob::noise(1, 100));
        eventually("it waits", || events(root.path(), &[])["waiting"] == 1);
        assert_eq!(events(root.path(), arguments)["dropped"], 1, "{arguments:?}");
    }
    let output = wharf(root.path(), &["events", "--endpoint", "x", "drop"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("no endpoint `x`"), "{output:?}");
    let output = wharf(root.path(), &["events", "--config", "/nowhere/x.toml", "drop"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere/x.toml"), "{output:?}");
}

#[test]
fn an_endpoint_that_is_not_there_is_named() {
    let root = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
    command.args(["events", "drop", "--endpoint", "x"]).env("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", root.path());
    let output = command.output().unwrap();
    assert!(
        !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("no endpoint `x`"),
        "{output:?}"
    );
}
