//! Which tags go.

use std::time::Duration;

use serde_json::json;

use crate::{
    support::{
        command::{wharf, wharf_with},
        image::{IMAGE_INDEX, Image, Index, Manifest},
        server::Server,
        wait::pass,
    },
    wharf::{DAY, date, launch, named, retain},
};

const RULES: &str = "[{repositories: ['ci/**'], tags: ['pr-*'], keep_newest: 1, pushed_within: 14d, protect: [pr-9]}]";

/// Tags of several ages, of which the rule takes two.
fn fill(server: &Server) {
    let image = Image::new(1, "amd64");
    for (repository, tag, age) in [
        ("ci/app", "pr-1", 40),
        ("ci/app", "pr-2", 30),
        ("ci/app", "pr-3", 20),
        ("ci/app", "pr-9", 50),
        ("ci/app", "v1", 50),
        ("other", "pr-1", 50),
    ] {
        server.http().repository(repository).push(tag, &image);
        date(server.root(), repository, tag, age * DAY);
    }
}

#[test]
fn a_dry_run_says_what_a_run_does_with_a_server_and_without() {
    for is_served in [true, false] {
        let root = tempfile::tempdir().unwrap();
        let mut server = Some(launch(root.path(), RULES).start());
        fill(server.as_ref().unwrap());
        if !is_served {
            server.take().unwrap().stop();
        }
        let dry = retain(root.path(), RULES, &["--dry-run"]);
        assert_eq!(named(&dry), ["ci/app:pr-1", "ci/app:pr-2"]);
        assert_eq!((dry["seen"].as_u64(), dry["dry_run"].as_bool()), (Some(6), Some(true)));
        let run = retain(root.path(), RULES, &[]);
        assert_eq!((&run["removals"], &run["tags"]), (&dry["removals"], &dry["tags"]));
        assert_eq!(named(&retain(root.path(), RULES, &[])), Vec::<String>::new());
        let server = server.unwrap_or_else(|| launch(root.path(), RULES).start());
        assert_eq!(server.http().repository("ci/app").tags(), ["pr-3", "pr-9", "v1"]);
        assert_eq!(server.http().repository("other").tags(), ["pr-1"]);
    }
}

#[test]
fn a_server_runs_its_rules_by_itself() {
    let root = tempfile::tempdir().unwrap();
    let server = launch(root.path(), RULES).start();
    fill(&server);
    server.stop();
    let server = launch(root.path(), RULES).set("REGISTRY_STORAGE_RETENTION_INTERVAL", "1s").start();
    crate::support::wait::eventually("the rules ran", || server.http().repository("ci/app").tags().len() == 3);
    server.expect_logged("a tag that no rule keeps was removed");
}

#[test]
fn a_store_that_is_read_only_by_the_settings_keeps_its_tags_unless_asked() {
    let root = tempfile::tempdir().unwrap();
    let server = launch(root.path(), RULES).start();
    fill(&server);
    server.stop();
    let launch = launch(root.path(), RULES).set("REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED", "true");
    let server = launch.set("REGISTRY_STORAGE_RETENTION_INTERVAL", "100ms").start();
    pass(Duration::from_millis(1500), "runs that would be due");
    assert_eq!(server.http().repository("ci/app").tags().len(), 5);
    assert_eq!(named(&retain(root.path(), RULES, &[])), ["ci/app:pr-1", "ci/app:pr-2"]);
}

#[test]
fn tags_go_after_their_time_to_live() {
    let root = tempfile::tempdir().unwrap();
    let ttl = [("REGISTRY_TAG_TTL", "{'ci/**': 24h, '**': 48h}")];
    let server = launch(root.path(), "[]").set(ttl[0].0, ttl[0].1).start();
    for (repository, tag, hours) in [("ci/a", "old", 25), ("ci/a", "new", 23), ("b", "older", 49), ("b", "old", 25)] {
        server.http().repository(repository).push(tag, &Image::new(1, "amd64"));
        date(root.path(), repository, tag, hours * DAY / 24);
    }
    let output = wharf_with(root.path(), &["retention"], &ttl);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("removed 2 of 4 tags"), "{text}");
    assert_eq!(
        (server.http().repository("ci/a").tags(), server.http().repository("b").tags()),
        (vec!["new".to_owned()], vec!["old".to_owned()])
    );
}

#[test]
fn children_and_referrers_go_with_their_parent_and_not_before_it() {
    let root = tempfile::tempdir().unwrap();
    let rules = "[{repositories: ['**'], keep_newest: 0, pushed_within: 14d, protect: [kept]}]";
    let server = launch(root.path(), rules)
        .set("REGISTRY_STORAGE_GC_GRACE", "0s")
        .set("REGISTRY_STORAGE_GC_INTERVAL", "0")
        .start();
    let repository = server.http().repository("app");
    let (kept, gone) = (Index::two_platforms(1), Index::two_platforms(11));
    let mut signatures = Vec::new();
    for (tag, index) in [("kept", &kept), ("gone", &gone)] {
        repository.push_index(tag, index);
        let body = json!({
            "schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": [], "artifactType": "a/b",
            "subject": index.manifest().descriptor(), "annotations": {"of": tag},
        });
        let signature = Manifest::new(&body, IMAGE_INDEX);
        let cosign = format!("{}.sig", index.manifest().digest().replace(':', "-"));
        repository.push_manifest(signature.digest(), &signature);
        repository.push_manifest(&cosign, &signature);
        signatures.push((cosign, signature));
    }
    let tags = repository.tags();
    for tag in &tags {
        date(root.path(), "app", tag, 50 * DAY);
    }
    // Tags of images, by their digests, are none.
    assert_eq!(named(&retain(root.path(), rules, &[])), ["app:gone"]);
    let collected = wharf(root.path(), &["gc", "--untagged"]);
    assert!(collected.status.success(), "{collected:?}");
    repository.expect_index("kept", &kept);
    repository.expect_manifest(&signatures[0].0, &signatures[0].1);
    repository.expect_manifest(signatures[0].1.digest(), &signatures[0].1);
    repository.manifest(gone.manifest().digest()).expect(404);
    repository.manifest(gone.images()[0].manifest().digest()).expect(404);
    // The tag of a signature goes when what it is about has gone.
    assert_eq!(named(&retain(root.path(), rules, &[])), [format!("app:{}", signatures[1].0)]);
    assert!(wharf(root.path(), &["gc", "--untagged"]).status.success());
    repository.expect_index("kept", &kept);
    repository.manifest(signatures[1].1.digest()).expect(404);
    let checked = wharf(root.path(), &["fsck"]);
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn without_rules_and_over_the_ceiling_it_says_so() {
    let root = tempfile::tempdir().unwrap();
    let server = launch(root.path(), RULES).start();
    fill(&server);
    server.stop();
    let refused = wharf(root.path(), &["retention"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("[[retention]]"), "{refused:?}");
    let variables = [("REGISTRY_RETENTION", RULES), ("REGISTRY_STORAGE_RETENTION_CEILING", "1")];
    let output = wharf_with(root.path(), &["retention"], &variables);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("removed ci/app:pr-1@sha256:") && text.contains("1 more go in the next runs"), "{text}");
}
