//! podman.

use crate::{
    Scene,
    support::{
        client::Output,
        image::{Image, Index},
    },
};

const TLS: &str = "--tls-verify=false";

/// podman with a storage of its own that needs no kernel support.
fn podman(scene: &Scene, arguments: &[&str]) -> Output {
    let storage = ["--root", "storage", "--runroot", "run", "--storage-driver", "vfs"];
    scene.client.run([&storage, arguments].concat())
}

#[test]
#[ignore = "needs podman: run ./test"]
fn push_remove_pull_needs_podman() {
    let scene = Scene::new("podman");
    let image = Image::gzipped(100, "amd64");
    image.write_layout(&scene.client.home().join("in"), "1");
    podman(&scene, &["pull", "oci:in:1"]);
    let id = podman(&scene, &["images", "--quiet", "--no-trunc"]).stdout;
    let name = scene.name("pod/one:1");
    podman(&scene, &["push", TLS, id.trim(), &format!("docker://{name}")]);
    podman(&scene, &["rmi", "--all", "--force"]);
    podman(&scene, &["pull", TLS, &name]);
    assert_eq!(podman(&scene, &["images", "--quiet", "--no-trunc"]).stdout, id);
}

#[test]
#[ignore = "needs podman: run ./test"]
fn manifest_push_all_of_a_list_needs_podman() {
    let scene = Scene::new("podman");
    let repository = scene.server.http().repository("pod/list");
    let index = Index::two_platforms(110);
    repository.push_index("source", &index);
    let name = scene.name("pod/list");
    podman(&scene, &["manifest", "create", "together"]);
    for image in index.images() {
        podman(
            &scene,
            &["manifest", "add", TLS, "together", &format!("docker://{name}@{}", image.manifest().digest())],
        );
    }
    podman(&scene, &["manifest", "push", TLS, "--all", "together", &format!("docker://{name}:pushed")]);
    let pushed = repository.manifest("pushed").expect(200).json();
    let digests: Vec<_> = pushed["manifests"].as_array().unwrap().iter().map(|child| child["digest"].clone()).collect();
    assert_eq!(digests, index.images().iter().map(|image| image.manifest().digest()).collect::<Vec<_>>());
}

#[test]
#[ignore = "needs podman: run ./test"]
fn search_lists_the_catalog_needs_podman() {
    let scene = Scene::new("podman");
    scene.server.http().repository("pod/found").push("1", &Image::gzipped(120, "amd64"));
    let found = podman(&scene, &["search", TLS, &scene.name("pod")]).stdout;
    assert!(found.contains("pod/found"), "{found}");
    let tags = podman(&scene, &["search", TLS, "--list-tags", &scene.name("pod/found")]).stdout;
    assert!(tags.contains("pod/found") && tags.contains(" 1"), "{tags}");
}
