//! crane.

use crate::{
    Scene,
    support::image::{Image, Index, tar},
};

#[test]
#[ignore = "needs crane: run ./test"]
fn push_validate_and_pull_needs_crane() {
    let scene = Scene::new("crane");
    let image = Image::gzipped(200, "amd64");
    image.write_layout(&scene.client.home().join("in"), "1");
    let name = scene.name("cr/one:1");
    let pushed = scene.client.run(["push", "in", &name]).stdout;
    assert_eq!(pushed.trim(), format!("{}@{}", scene.name("cr/one"), image.manifest().digest()));
    scene.server.http().repository("cr/one").expect_image("1", &image);
    scene.client.run(["validate", "--remote", &name]);
    scene.client.run(["pull", "--format=oci", &name, "out"]);
    let config = image.blobs().last().unwrap().digest().trim_start_matches("sha256:").to_owned();
    assert!(scene.client.home().join("out/blobs/sha256").join(config).is_file());
    assert_eq!(scene.client.run(["digest", &name]).stdout.trim(), image.manifest().digest());
}

#[test]
#[ignore = "needs crane: run ./test"]
fn catalog_tags_copy_and_delete_needs_crane() {
    let scene = Scene::new("crane");
    let image = Image::gzipped(210, "amd64");
    let source = scene.server.http().repository("cr/source");
    source.push("1", &image);
    scene.client.run(["copy", &scene.name("cr/source:1"), &scene.name("cr/target:2")]);
    let target = scene.server.http().repository("cr/target");
    target.expect_image("2", &image);
    assert_eq!(scene.client.run(["catalog", &scene.server.host()]).stdout, "cr/source\ncr/target\n");
    scene.client.run(["tag", &scene.name("cr/target:2"), "3"]);
    assert_eq!(scene.client.run(["ls", &scene.name("cr/target")]).stdout, "2\n3\n");
    scene.client.run(["delete", &scene.name(&format!("cr/target@{}", image.manifest().digest()))]);
    target.manifest("2").expect(404);
    source.expect_image("1", &image);
}

#[test]
#[ignore = "needs crane: run ./test"]
fn an_index_is_appended_to_needs_crane() {
    let scene = Scene::new("crane");
    let (first, second) = (Image::gzipped(220, "amd64"), Image::gzipped(221, "arm64"));
    let repository = scene.server.http().repository("cr/index");
    repository.push("amd64", &first);
    repository.push("arm64", &second);
    let (amd64, arm64) = (scene.name("cr/index:amd64"), scene.name("cr/index:arm64"));
    scene.client.run(["index", "append", "-m", &amd64, "-m", &arm64, "-t", &scene.name("cr/index:all")]);
    let all = repository.manifest("all").expect(200).json();
    let architectures: Vec<_> =
        all["manifests"].as_array().unwrap().iter().map(|child| child["platform"]["architecture"].clone()).collect();
    assert_eq!(architectures, ["amd64", "arm64"]);
    scene.client.run(["validate", "--remote", &scene.name("cr/index:all")]);
}

#[test]
#[ignore = "needs crane: run ./test"]
fn push_an_index_layout_needs_crane() {
    let scene = Scene::new("crane");
    let index = Index::two_platforms(230);
    index.write_layout(&scene.client.home().join("in"), "all");
    scene.client.run(["push", "in", &scene.name("cr/layout:all")]);
    scene.server.http().repository("cr/layout").expect_index("all", &index);
}

#[test]
#[ignore = "needs crane: run ./test"]
fn append_and_mutate_make_new_images_needs_crane() {
    let scene = Scene::new("crane");
    scene.client.file("layer.tar", &tar(&[("hello", b"hello\n")]));
    let (base, labelled) = (scene.name("cr/made:base"), scene.name("cr/made:labelled"));
    scene.client.run(["append", "--oci-empty-base", "-f", "layer.tar", "-t", &base]);
    scene.client.run(["mutate", &base, "--label", "who=me", "--append", "layer.tar", "-t", &labelled]);
    let config = scene.client.run(["config", &labelled]).stdout;
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config["config"]["Labels"]["who"], "me");
    assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap().len(), 2);
    scene.client.run(["validate", "--remote", &labelled]);
}
