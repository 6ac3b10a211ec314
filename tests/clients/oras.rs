//! oras.

use serde_json::Value;

use crate::{
    Scene,
    support::{client::Output, image::sha256},
};

fn oras(scene: &Scene, command: &str, arguments: &[&str]) -> Output {
    let command = command.split(' ').chain(["--plain-http"]);
    scene.client.run(command.chain(arguments.iter().copied()))
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"))
}

#[test]
#[ignore = "needs oras: run ./test"]
fn push_pull_and_tags_needs_oras() {
    let scene = Scene::new("oras");
    scene.client.file("hello.txt", b"hello artifact\n");
    let name = scene.name("or/one:1,2");
    let pushed =
        oras(&scene, "push", &["--artifact-type", "application/vnd.example", "--format=json", &name, "hello.txt"]);
    let manifest = scene.server.http().repository("or/one").manifest("2").expect(200);
    assert_eq!(json(&pushed)["digest"], sha256(&manifest.body));
    oras(&scene, "pull", &["--output", "out", &scene.name("or/one:1")]);
    assert_eq!(std::fs::read(scene.client.home().join("out/hello.txt")).unwrap(), b"hello artifact\n");
    assert_eq!(oras(&scene, "repo tags", &[&scene.name("or/one")]).stdout, "1\n2\n");
    assert_eq!(oras(&scene, "repo ls", &[&scene.server.host()]).stdout, "or/one\n");
}

#[test]
#[ignore = "needs oras: run ./test"]
fn attach_discover_and_copy_with_referrers_needs_oras() {
    let scene = Scene::new("oras");
    scene.client.file("hello.txt", b"subject\n");
    scene.client.file("sbom.json", b"{}\n");
    let name = scene.name("or/subject:1");
    oras(&scene, "push", &[&name, "hello.txt"]);
    let attach = ["--artifact-type", "application/spdx+json", "--distribution-spec", "v1.1-referrers-api"];
    let attached = json(&oras(&scene, "attach", &[&attach[..], &["--format=json", &name, "sbom.json"]].concat()));
    let referrers = |name: &str, artifact_type: &str| {
        let options = ["--distribution-spec", "v1.1-referrers-api", "--format=json", "--artifact-type", artifact_type];
        let found = json(&oras(&scene, "discover", &[&options[..], &[name]].concat()));
        found["referrers"].as_array().into_iter().flatten().map(|found| found["digest"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(referrers(&name, "application/spdx+json"), [attached["digest"].clone()]);
    assert!(referrers(&name, "application/other").is_empty());
    let copy = scene.name("or/copy:1");
    scene.client.run(["cp", "-r", "--from-plain-http", "--to-plain-http", &name, &copy]);
    assert_eq!(referrers(&copy, "application/spdx+json"), [attached["digest"].clone()]);
}

#[test]
#[ignore = "needs oras: run ./test"]
fn manifests_are_fetched_tagged_and_deleted_needs_oras() {
    let scene = Scene::new("oras");
    scene.client.file("hello.txt", b"hello\n");
    let name = scene.name("or/manifest:1");
    oras(&scene, "push", &[&name, "hello.txt"]);
    oras(&scene, "tag", &[&name, "2"]);
    let fetched = oras(&scene, "manifest fetch", &[&scene.name("or/manifest:2")]).stdout;
    let repository = scene.server.http().repository("or/manifest");
    assert_eq!(repository.manifest("1").expect(200).body, fetched.as_bytes());
    let by_digest = scene.name(&format!("or/manifest@{}", sha256(fetched.as_bytes())));
    oras(&scene, "manifest delete", &["--force", &by_digest]);
    repository.manifest("1").expect(404);
    repository.manifest("2").expect(404);
}

#[test]
#[ignore = "needs oras: run ./test"]
fn blobs_are_pushed_fetched_and_deleted_needs_oras() {
    let scene = Scene::new("oras");
    scene.client.file("blob", b"just bytes");
    let (repository, digest) = (scene.name("or/blob"), sha256(b"just bytes"));
    oras(&scene, "blob push", &[&repository, "blob"]);
    let by_digest = format!("{repository}@{digest}");
    assert_eq!(oras(&scene, "blob fetch", &["--output", "-", &by_digest]).stdout, "just bytes");
    oras(&scene, "blob delete", &["--force", &by_digest]);
    scene.server.http().repository("or/blob").get(&format!("blobs/{digest}")).expect(404);
}
