//! `wharf gc` and `wharf fsck` on a bucket.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Output,
    time::{Duration, SystemTime},
};

use crate::support::{
    gateway::Gateway,
    image::{Blob, Image},
    store,
    wait::{eventually, kill, pass},
};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// A command that succeeds.
fn done(gateway: &Gateway, arguments: &[&str]) -> String {
    let output = gateway.wharf(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    said(&output)
}

/// A command that fails, and why.
fn refusal(gateway: &Gateway, arguments: &[&str]) -> String {
    let output = gateway.wharf(arguments);
    assert!(!output.status.success(), "{arguments:?}: {}", said(&output));
    said(&output)
}

fn data(gateway: &Gateway, digest: &str) -> PathBuf {
    store::blob(&gateway.objects(), digest)
}

/// Makes the entries of processes older than any counts.
fn age(gateway: &Gateway) {
    let old = SystemTime::now() - Duration::from_secs(21 * 60);
    let own = gateway.objects().join("wharf");
    let nodes = fs::read_dir(own.join("nodes")).into_iter().flatten().map(|entry| entry.unwrap().path());
    for path in nodes.chain([own.join("alone")]).filter(|path| path.is_file()) {
        File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
    }
}

#[test]
#[ignore = "needs versitygw: run ./test"]
fn a_bucket_is_collected_while_no_node_serves_it_needs_versitygw() {
    let gateway = Gateway::start(2);
    let nodes = [gateway.node(0), gateway.node(1)];
    let repository = nodes[0].http().repository("team/app");
    let (kept, gone, retagged, loose) =
        (Image::new(1, "amd64"), Image::new(2, "amd64"), Image::new(3, "amd64"), Blob::noise(4, 1000));
    repository.push("kept", &kept);
    repository.push("moved", &retagged);
    repository.push_manifest("moved", kept.manifest());
    repository.push("gone", &gone);
    repository.push_blob(&loose);
    nodes[1].http().repository("others").push("gone", &gone);
    for name in ["team/app", "others"] {
        nodes[1].http().repository(name).delete(&format!("manifests/{}", gone.manifest().digest())).expect(202);
    }
    let listed = done(&gateway, &["gc", "--dry-run"]);
    assert!(listed.contains(&format!("would remove content @{}", loose.digest())), "{listed}");
    let [first, second] = nodes;
    first.stop();
    let why = refusal(&gateway, &["gc"]);
    assert!(why.contains("a node serves the bucket") && why.contains("stop all nodes"), "{why}");
    second.stop();
    assert!(data(&gateway, loose.digest()).exists());
    done(&gateway, &["gc"]);
    let left = |image: &Image| image.blobs().filter(|blob| data(&gateway, blob.digest()).exists()).count();
    assert_eq!((left(&kept), left(&retagged), left(&gone)), (3, 3, 0));
    assert!(!data(&gateway, loose.digest()).exists() && !data(&gateway, gone.manifest().digest()).exists());
    done(&gateway, &["gc", "--untagged"]);
    assert_eq!((left(&kept), left(&retagged)), (3, 0));
    assert!(done(&gateway, &["fsck"]).contains("0 problems, 0 mended, 0 notes"));
    assert!(!gateway.objects().join("wharf/alone").exists());
    let node = gateway.node(0);
    let repository = node.http().repository("team/app");
    repository.expect_image("kept", &kept);
    assert_eq!(node.http().catalog(), ["team/app"]);
    repository.head(&format!("blobs/{}", loose.digest())).expect(404);
    repository.push("gone", &gone);
    repository.expect_image("gone", &gone);
}

#[test]
#[ignore = "needs versitygw: run ./test"]
fn tags_of_a_bucket_are_removed_by_rules_while_no_node_serves_it_needs_versitygw() {
    let gateway = Gateway::start(1);
    let image = Image::new(1, "amd64");
    let node = gateway.node(0);
    let repository = node.http().repository("ci/app");
    repository.push("one", &image);
    for tag in ["two", "kept"] {
        repository.push_manifest(tag, image.manifest());
    }
    let retention = |arguments: &[&str]| {
        let mut command = gateway.command(arguments);
        command.env("REGISTRY_RETENTION", "[{repositories: ['ci/**'], keep_newest: 1, protect: [kept]}]");
        let output = command.env("REGISTRY_STORAGE_RETENTION_INTERVAL", "0").output().unwrap();
        (output.status.success(), said(&output))
    };
    let (is_done, listed) = retention(&["retention", "--dry-run"]);
    assert!(is_done && listed.contains("would remove 1 of 3 tags"), "{listed}");
    let (is_done, why) = retention(&["retention"]);
    assert!(!is_done && why.contains("a node serves the bucket"), "{why}");
    node.stop();
    let (is_done, removed) = retention(&["retention"]);
    assert!(is_done && removed.contains("removed 1 of 3 tags"), "{removed}");
    let node = gateway.node(0);
    let repository = node.http().repository("ci/app");
    assert_eq!(repository.tags().len(), 2);
    repository.expect_image("kept", &image);
}

#[test]
#[ignore = "needs versitygw: run ./test"]
fn a_killed_node_counts_for_twenty_minutes_needs_versitygw() {
    let gateway = Gateway::start(1);
    let image = Image::new(1, "amd64");
    let node = gateway.node(0);
    node.http().repository("a").push("v1", &image);
    node.kill();
    let why = refusal(&gateway, &["gc"]);
    assert!(why.contains("counts as stopped after 20 minutes"), "{why}");
    age(&gateway);
    done(&gateway, &["gc"]);
    gateway.node(0).http().repository("a").expect_image("v1", &image);
}

#[test]
#[ignore = "needs versitygw: run ./test"]
fn a_node_that_starts_during_a_collection_takes_no_push_until_its_end_needs_versitygw() {
    let gateway = Gateway::start(1);
    let image = Image::new(1, "amd64");
    let node = gateway.node(0);
    node.http().repository("a").push("v1", &image);
    node.kill();
    // An entry is like the other, and its date is of this moment.
    let alone = gateway.objects().join("wharf/alone");
    let entry = fs::read_dir(gateway.objects().join("wharf/nodes")).unwrap().next().unwrap().unwrap();
    fs::rename(entry.path(), &alone).unwrap();
    let why = refusal(&gateway, &["gc"]);
    assert!(why.contains("another process has the bucket alone"), "{why}");
    let node = gateway.node(0);
    let repository = node.http().repository("a");
    repository.expect_image("v1", &image);
    assert_eq!(repository.try_manifest("v2", image.manifest()).unwrap().status, 503);
    node.expect_logged("a collection has the bucket alone");
    fs::remove_file(&alone).unwrap();
    eventually("the node takes pushes", || repository.try_manifest("v2", image.manifest()).unwrap().status == 201);
}

#[test]
#[ignore = "needs versitygw: run ./test"]
fn a_collection_that_is_killed_at_any_moment_loses_nothing_needs_versitygw() {
    let gateway = Gateway::start(1);
    let images: Vec<Image> = (0..6).map(|seed| Image::new(seed, "amd64")).collect();
    for round in 0..10 {
        let node = gateway.node(0);
        let repository = node.http().repository("a");
        for (at, image) in images.iter().enumerate() {
            repository.push(&format!("v{at}"), image);
            repository.push_blob(&Blob::noise(round * 100 + at as u64, 5000));
        }
        let deleted = &images[usize::try_from(round).unwrap() % images.len()];
        repository.delete(&format!("manifests/{}", deleted.manifest().digest())).expect(202);
        node.stop();
        let mut collection = gateway.command(&["gc"]).spawn().unwrap();
        pass(Duration::from_millis(100 + round * 40), "when the collection is killed");
        kill(&mut collection);
        age(&gateway);
        let node = gateway.node(0);
        let repository = node.http().repository("a");
        for (at, image) in
            images.iter().enumerate().filter(|(_, image)| image.manifest().digest() != deleted.manifest().digest())
        {
            repository.expect_image(&format!("v{at}"), image);
        }
        node.stop();
    }
    done(&gateway, &["gc"]);
    assert!(done(&gateway, &["fsck"]).contains("0 problems"));
}

#[test]
#[ignore = "needs versitygw: run ./test"]
fn fsck_finds_and_mends_what_is_damaged_in_a_bucket_needs_versitygw() {
    let gateway = Gateway::start(1);
    let node = gateway.node(0);
    let (image, lost) = (Image::new(1, "amd64"), Blob::noise(2, 5000));
    let repository = node.http().repository("a");
    repository.push("v1", &image);
    repository.push_blob(&lost);
    let damaged = image.blobs().last().unwrap();
    fs::write(data(&gateway, damaged.digest()), b"damaged").unwrap();
    fs::remove_file(data(&gateway, lost.digest())).unwrap();
    // While the node serves, it is only looked.
    let output = gateway.wharf(&["fsck"]);
    let found = said(&output);
    assert_eq!(output.status.code(), Some(1), "{found}");
    assert!(found.contains(&format!("problem: {} is not what its digest says", damaged.digest())), "{found}");
    assert!(found.contains(&format!("a@{} has a link to the blob", lost.digest())), "{found}");
    assert!(found.contains("3 problems, 0 mended"), "{found}");
    let why = refusal(&gateway, &["fsck", "--repair"]);
    assert!(why.contains("a node serves the bucket"), "{why}");
    node.stop();
    gateway.wharf(&["fsck", "--repair"]);
    let node = gateway.node(0);
    let repository = node.http().repository("a");
    repository.head(&format!("blobs/{}", damaged.digest())).expect(404);
    repository.head(&format!("blobs/{}", lost.digest())).expect(404);
    repository.push("v1", &image);
    repository.expect_image("v1", &image);
    node.stop();
    assert!(said(&gateway.wharf(&["fsck", "--repair"])).contains("0 problems"));
}
