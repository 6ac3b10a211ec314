//! Very many tags.

use std::{fs, path::Path};

use crate::{
    support::{
        command::wharf_with,
        image::Image,
        server::{Launch, Program},
        store,
    },
    wharf::{launch, named},
};

/// Lays `count` tags of a manifest into the store, without their histories.
fn lay(root: &Path, digest: &str, count: u32) {
    let tags = store::repository(root, "many/_manifests/tags");
    for number in 0..count {
        let tag = tags.join(format!("t{number}"));
        fs::create_dir_all(tag.join("current")).unwrap();
        fs::write(tag.join("current/link"), digest).unwrap();
    }
}

#[test]
#[ignore = "needs time: run ./test"]
#[expect(clippy::print_stdout, reason = "the figures are worth reading after a success too")]
fn a_hundred_thousand_tags_needs_time() {
    let (root, image) = (tempfile::tempdir().unwrap(), Image::new(1, "amd64"));
    let rules = "[{repositories: ['**'], tags: ['t*'], keep_newest: 99000}]";
    let server = launch(root.path(), rules).start();
    server.http().repository("many").push("kept", &image);
    server.stop();
    lay(root.path(), image.manifest().digest(), 100_000);
    let server = Launch::new(Program::Wharf, root.path()).optimised().set("REGISTRY_RETENTION", rules).start();
    for options in [&["--dry-run"][..], &[]] {
        let variables = [("REGISTRY_RETENTION", rules)];
        let output = wharf_with(root.path(), &[&["retention", "--json"], options].concat(), &variables);
        assert!(output.status.success(), "{output:?}");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let seconds = report["seconds"].as_f64().unwrap();
        println!("{options:?}: {seconds:.2} s for {} of {} tags", report["tags"], report["seen"]);
        assert_eq!((named(&report).len(), report["seen"].as_u64()), (1000, Some(100_001)));
        assert!(seconds < 100.0, "ten times what it should take");
    }
    drop(server);
}
