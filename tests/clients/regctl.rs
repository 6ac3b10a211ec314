//! regctl.

use std::process::Stdio;

use crate::{
    Scene,
    support::{
        client::{Output, run},
        image::{Image, Index, sha256},
    },
};

fn regctl(scene: &Scene, command: &str, arguments: &[&str]) -> Output {
    run(&mut regctl_command(scene, command, arguments))
}

fn regctl_command(scene: &Scene, command: &str, arguments: &[&str]) -> std::process::Command {
    let host = format!("reg={},tls=disabled", scene.server.host());
    let command = command.split(' ').chain(["--host", &host]).map(str::to_owned).collect::<Vec<_>>();
    scene.client.command(command.into_iter().chain(arguments.iter().map(|argument| (*argument).to_owned())))
}

#[test]
#[ignore = "needs regctl: run ./test"]
fn copy_an_image_and_an_index_needs_regctl() {
    let scene = Scene::new("regctl");
    let index = Index::two_platforms(300);
    index.write_layout(&scene.client.home().join("in"), "all");
    regctl(&scene, "image copy", &["ocidir://in:all", &scene.name("rg/all:1")]);
    scene.server.http().repository("rg/all").expect_index("1", &index);
    regctl(&scene, "image copy", &[&scene.name("rg/all:1"), &scene.name("rg/copy:1")]);
    scene.server.http().repository("rg/copy").expect_index("1", &index);
    assert_eq!(regctl(&scene, "repo ls", &[&scene.server.host()]).stdout, "rg/all\nrg/copy\n");
}

#[test]
#[ignore = "needs regctl: run ./test"]
fn deleting_one_tag_leaves_the_other_needs_regctl() {
    let scene = Scene::new("regctl");
    let (repository, image) = (scene.server.http().repository("rg/tags"), Image::gzipped(310, "amd64"));
    repository.push("gone", &image);
    repository.push_manifest("kept", image.manifest());
    regctl(&scene, "tag delete", &[&scene.name("rg/tags:gone")]);
    assert_eq!(regctl(&scene, "tag ls", &[&scene.name("rg/tags")]).stdout, "kept\n");
    repository.expect_image("kept", &image);
}

#[test]
#[ignore = "needs regctl: run ./test"]
fn artifacts_are_put_listed_and_fetched_needs_regctl() {
    let scene = Scene::new("regctl");
    let image = Image::gzipped(320, "amd64");
    scene.server.http().repository("rg/art").push("1", &image);
    scene.client.file("sbom", b"{}");
    let subject = scene.name("rg/art:1");
    let put = ["--artifact-type", "application/spdx+json", "--file", "sbom", "--file-media-type", "application/json"];
    regctl(&scene, "artifact put", &[&put[..], &["--subject", &subject]].concat());
    let list = ["--filter-artifact-type", "application/spdx+json", "--format", "{{len .Descriptors}}", &subject];
    assert_eq!(regctl(&scene, "artifact list", &list).stdout.trim(), "1");
    let got =
        regctl(&scene, "artifact get", &["--subject", &subject, "--filter-artifact-type", "application/spdx+json"]);
    assert_eq!(got.stdout, "{}");
}

#[test]
#[ignore = "needs regctl: run ./test"]
fn manifests_and_blobs_one_by_one_needs_regctl() {
    let scene = Scene::new("regctl");
    let image = Image::gzipped(330, "amd64");
    let repository = scene.server.http().repository("rg/parts");
    for blob in image.blobs() {
        let input = std::fs::File::open(scene.client.file("blob", blob.bytes())).unwrap();
        let put = run(regctl_command(&scene, "blob put", &[&scene.name("rg/parts")]).stdin(Stdio::from(input)));
        assert_eq!(put.stdout.trim(), blob.digest());
    }
    let input = std::fs::File::open(scene.client.file("manifest", image.manifest().bytes())).unwrap();
    let arguments = ["--content-type", image.manifest().media_type(), &scene.name("rg/parts:1")];
    run(regctl_command(&scene, "manifest put", &arguments).stdin(Stdio::from(input)));
    repository.expect_image("1", &image);
    let fetched = regctl(&scene, "manifest get", &["--format", "raw-body", &scene.name("rg/parts:1")]).stdout;
    assert_eq!(sha256(fetched.as_bytes()), image.manifest().digest());
    regctl(&scene, "manifest delete", &[&scene.name(&format!("rg/parts@{}", image.manifest().digest()))]);
    repository.manifest("1").expect(404);
    let layer = image.blobs().next().unwrap();
    regctl(&scene, "blob delete", &[&scene.name("rg/parts"), layer.digest()]);
    repository.get(&format!("blobs/{}", layer.digest())).expect(404);
}
