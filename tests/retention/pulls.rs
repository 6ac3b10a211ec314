//! Pulls keep tags, after restarts and power cuts too.

use std::time::Duration;

use crate::{
    disk::Disk,
    support::{
        image::Image,
        server::Server,
        wait::{eventually, pass},
    },
    wharf::{launch, named, retain},
};

/// Tags stay that were pulled within twenty seconds.
const RULES: &str = "[{repositories: ['**'], pulled_within: 20s}]";

fn fill(server: &Server) {
    for tag in ["pulled", "unused"] {
        server.http().repository("app").push(tag, &Image::new(u64::from(tag == "pulled"), "amd64"));
    }
}

/// Pulls one tag again and again until a run takes the other one.
fn until_the_unused_goes(server: &Server) {
    let repository = server.http().repository("app");
    eventually("the tag goes that nobody pulls", || {
        repository.manifest("pulled").expect(200);
        let gone = named(&retain(server.root(), RULES, &[]));
        assert!(gone.is_empty() || gone == ["app:unused"], "{gone:?}");
        !gone.is_empty()
    });
}

#[test]
fn a_pull_within_the_time_keeps_a_tag_after_a_restart() {
    let root = tempfile::tempdir().unwrap();
    let server = launch(root.path(), RULES).start();
    fill(&server);
    let early = retain(root.path(), RULES, &[]);
    assert_eq!((early["unrecorded"].as_u64(), named(&early).len()), (Some(2), 0));
    until_the_unused_goes(&server);
    server.stop();
    // The record goes on over a restart: the tag stays for the rest of its time, and not longer.
    let server = launch(root.path(), RULES).start();
    let report = retain(root.path(), RULES, &[]);
    assert_eq!((report["unrecorded"].as_u64(), named(&report).len()), (Some(0), 0), "{report}");
    eventually("its time is over", || named(&retain(root.path(), RULES, &[])) == ["app:pulled"]);
    drop(server);
}

#[test]
fn a_server_without_such_a_rule_ends_the_record() {
    let root = tempfile::tempdir().unwrap();
    let server = launch(root.path(), RULES).start();
    fill(&server);
    until_the_unused_goes(&server);
    server.stop();
    // Nobody notes that the tag is pulled now.
    let server = launch(root.path(), "[]").start();
    let record = root.path().join("wharf/pulls");
    eventually("the record is removed", || !record.exists());
    server.http().repository("app").manifest("pulled").expect(200);
    server.stop();
    let server = launch(root.path(), RULES).start();
    let report = retain(root.path(), RULES, &[]);
    assert_eq!((report["unrecorded"].as_u64(), named(&report).len()), (Some(1), 0), "{report}");
    drop(server);
}

#[test]
fn after_a_kill_the_record_begins_anew() {
    let root = tempfile::tempdir().unwrap();
    let server = launch(root.path(), RULES).start();
    fill(&server);
    until_the_unused_goes(&server);
    server.kill();
    pass(Duration::from_secs(20), "the time of the rule, before somebody asks again");
    let server = launch(root.path(), RULES).start();
    let report = retain(root.path(), RULES, &[]);
    assert_eq!((report["unrecorded"].as_u64(), named(&report).len()), (Some(1), 0), "{report}");
    server.expect_logged("recorded anew");
}

#[test]
#[ignore = "needs root for a loop mount: run ./test"]
fn a_pull_keeps_a_tag_after_a_power_cut_needs_root() {
    let disk = Disk::new(64 << 20, &[], "noauto_da_alloc,commit=300");
    let server = launch(&disk.store(), RULES).start();
    fill(&server);
    until_the_unused_goes(&server);
    server.http().repository("app").manifest("pulled").expect(200);
    disk.cut();
    server.kill();
    disk.remount();
    let server = launch(&disk.store(), RULES).start();
    assert!(named(&retain(&disk.store(), RULES, &[])).is_empty());
    assert_eq!(server.http().repository("app").tags(), ["pulled"]);
}
