//! A bucket that registry:3 and wharf serve in turns.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::support::{
    gateway::Gateway,
    image::{Image, Index},
    store,
};

/// The objects of the registry, without those of wharf's own.
fn objects(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let docker = root.join("docker");
    let with_bytes = |path: PathBuf| {
        let bytes = fs::read(docker.join(&path)).unwrap();
        (path, bytes)
    };
    store::files(&docker).into_iter().map(with_bytes).collect()
}

#[test]
#[ignore = "needs versitygw, registry:3: run ./test"]
fn a_bucket_goes_from_registry3_to_wharf_and_back_needs_versitygw_and_registry3() {
    let gateway = Gateway::start(1);
    let (first, second, index) = (Image::new(1, "amd64"), Image::new(2, "amd64"), Index::two_platforms(3));
    let tags = ["0.1.2", "0.1.20", "v1", "v1-rc1"];

    let registry3 = gateway.registry3(0).start();
    let repository = registry3.http().repository("team/app");
    repository.push("v1", &first);
    for tag in tags {
        repository.push_manifest(tag, first.manifest());
    }
    registry3.http().repository("team").push_index("multi", &index);
    registry3.stop();

    let before = objects(&gateway.objects());
    let node = gateway.node(0);
    let repository = node.http().repository("team/app");
    assert_eq!(repository.tags(), tags);
    assert_eq!(node.http().catalog(), ["team", "team/app"]);
    for tag in tags {
        repository.expect_image(tag, &first);
    }
    node.http().repository("team").expect_index("multi", &index);
    assert!(objects(&gateway.objects()) == before, "what is only read stays as it is");
    repository.push("v2", &second);
    repository.delete("manifests/v1-rc1").expect(202);
    node.stop();

    let registry3 = gateway.registry3(0).start();
    let repository = registry3.http().repository("team/app");
    repository.expect_image("v2", &second);
    repository.expect_image("0.1.20", &first);
    repository.manifest("v1-rc1").expect(404);
    registry3.http().repository("team").expect_index("multi", &index);
    repository.push("v3", &second);
    repository.delete(&format!("manifests/{}", first.manifest().digest())).expect(202);
    registry3.stop();

    let collected = gateway.wharf(&["gc"]);
    assert!(collected.status.success(), "{collected:?}");
    let node = gateway.node(0);
    let repository = node.http().repository("team/app");
    assert_eq!(repository.tags(), ["v2", "v3"]);
    repository.expect_image("v3", &second);
    node.http().repository("team").expect_index("multi", &index);
    // The links of blobs whose bytes a collector took are no reason to refuse a push.
    repository.push("v1", &first);
    repository.expect_image("v1", &first);
    node.stop();

    let registry3 = gateway.registry3(0).start();
    registry3.http().repository("team/app").expect_image("v1", &first);
}

#[test]
#[ignore = "needs versitygw: run ./test"]
fn a_push_heals_a_link_without_bytes_needs_versitygw() {
    let gateway = Gateway::start(2);
    let nodes = [gateway.node(0), gateway.node(1)];
    let image = Image::new(1, "amd64");
    nodes[0].http().repository("a").push("v1", &image);
    // As the collector of registry:3 leaves it.
    for blob in image.blobs() {
        fs::remove_dir_all(store::blob(&gateway.objects(), blob.digest()).parent().unwrap()).unwrap();
    }
    let repository = nodes[1].http().repository("a");
    for blob in image.blobs() {
        repository.head(&format!("blobs/{}", blob.digest())).expect(404);
    }
    assert_eq!(repository.try_manifest("v2", image.manifest()).unwrap().status, 400, "its blobs are not here");
    repository.push("v2", &image);
    nodes[0].http().repository("a").expect_image("v2", &image);
}
