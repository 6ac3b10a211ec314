//! skopeo.

use crate::{
    Scene,
    support::image::{Image, Index},
};

/// Both switches, since it takes the one of the side that is a registry.
const TO: &str = "--dest-tls-verify=false";
const FROM: &str = "--src-tls-verify=false";
const TLS: &str = "--tls-verify=false";

fn docker(scene: &Scene, rest: &str) -> String {
    format!("docker://{}", scene.name(rest))
}

#[test]
#[ignore = "needs skopeo: run ./test"]
fn copy_there_inspect_and_copy_back_needs_skopeo() {
    let scene = Scene::new("skopeo");
    let image = Image::gzipped(1, "amd64");
    image.write_layout(&scene.client.home().join("in"), "1");
    scene.client.run(["copy", TO, "oci:in:1", &docker(&scene, "sk/one:1")]);
    scene.server.http().repository("sk/one").expect_image("1", &image);

    let inspected = scene.client.run(["inspect", TLS, &docker(&scene, "sk/one:1")]).stdout;
    let inspected: serde_json::Value = serde_json::from_str(&inspected).unwrap();
    assert_eq!(inspected["Digest"], image.manifest().digest());
    assert_eq!(inspected["RepoTags"], serde_json::json!(["1"]));

    scene.client.run(["copy", FROM, &docker(&scene, "sk/one:1"), "oci:out:1"]);
    let name = image.manifest().digest().trim_start_matches("sha256:");
    let copied = std::fs::read(scene.client.home().join("out/blobs/sha256").join(name)).unwrap();
    assert!(copied == image.manifest().bytes());
}

#[test]
#[ignore = "needs skopeo: run ./test"]
fn copy_all_of_a_multi_platform_index_needs_skopeo() {
    let scene = Scene::new("skopeo");
    let index = Index::two_platforms(10);
    index.write_layout(&scene.client.home().join("in"), "all");
    scene.client.run(["copy", "--all", TO, "oci:in:all", &docker(&scene, "sk/multi:all")]);
    scene.server.http().repository("sk/multi").expect_index("all", &index);
    scene.client.run(["copy", "--all", FROM, TO, &docker(&scene, "sk/multi:all"), &docker(&scene, "sk/copy:all")]);
    scene.server.http().repository("sk/copy").expect_index("all", &index);
}

#[test]
#[ignore = "needs skopeo: run ./test"]
fn list_tags_and_delete_needs_skopeo() {
    let scene = Scene::new("skopeo");
    let repository = scene.server.http().repository("sk/tags");
    repository.push("kept", &Image::gzipped(20, "amd64"));
    repository.push("gone", &Image::gzipped(21, "amd64"));
    let listed = scene.client.run(["list-tags", TLS, &docker(&scene, "sk/tags")]).stdout;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["Tags"], serde_json::json!(["gone", "kept"]));
    scene.client.run(["delete", TLS, &docker(&scene, "sk/tags:gone")]);
    repository.manifest("gone").expect(404);
    repository.expect_image("kept", &Image::gzipped(20, "amd64"));
}

#[test]
#[ignore = "needs skopeo: run ./test"]
fn docker_schema_2_is_kept_as_it_is_needs_skopeo() {
    let scene = Scene::new("skopeo");
    Image::gzipped(30, "amd64").write_layout(&scene.client.home().join("in"), "1");
    scene.client.run(["copy", TO, "--format=v2s2", "oci:in:1", &docker(&scene, "sk/schema2:1")]);
    let manifest = scene.server.http().repository("sk/schema2").manifest("1").expect(200);
    assert_eq!(manifest.header("content-type"), Some("application/vnd.docker.distribution.manifest.v2+json"));
    let raw = scene.client.run(["inspect", TLS, "--raw", &docker(&scene, "sk/schema2:1")]).stdout;
    assert_eq!(raw.as_bytes(), manifest.body);
}

#[test]
#[ignore = "needs skopeo: run ./test"]
fn sync_a_repository_to_a_directory_needs_skopeo() {
    let scene = Scene::new("skopeo");
    let repository = scene.server.http().repository("sk/sync");
    repository.push("1", &Image::gzipped(40, "amd64"));
    repository.push("2", &Image::gzipped(41, "amd64"));
    scene.client.run(["sync", FROM, "--src=docker", "--dest=dir", &scene.name("sk/sync"), "synced"]);
    for tag in ["1", "2"] {
        assert!(scene.client.home().join(format!("synced/sync:{tag}/manifest.json")).is_file());
    }
}
