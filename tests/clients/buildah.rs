//! buildah.

use crate::{Scene, support::client::Output};

const TLS: &str = "--tls-verify=false";

/// buildah with a storage of its own that needs no kernel support.
fn buildah(scene: &Scene, arguments: &[&str]) -> Output {
    let storage = ["--root", "storage", "--runroot", "run", "--storage-driver", "vfs"];
    scene.client.run([&storage, arguments].concat())
}

#[test]
#[ignore = "needs buildah: run ./test"]
fn a_build_from_nothing_is_pushed_and_pulled_needs_buildah() {
    let scene = Scene::new("buildah");
    let container = buildah(&scene, &["from", "scratch"]).stdout;
    scene.client.file("note", b"made by buildah\n");
    buildah(&scene, &["add", container.trim(), "note", "/note"]);
    let id = buildah(&scene, &["commit", "--quiet", container.trim(), "made"]).stdout;
    let name = scene.name("bu/made:1");
    buildah(&scene, &["push", TLS, "made", &format!("docker://{name}")]);
    buildah(&scene, &["rmi", "--all", "--force"]);
    assert_eq!(buildah(&scene, &["pull", "--quiet", TLS, &name]).stdout, id);
}

#[test]
#[ignore = "needs buildah: run ./test"]
fn a_push_prints_the_digest_that_is_stored_needs_buildah() {
    let scene = Scene::new("buildah");
    let container = buildah(&scene, &["from", "scratch"]).stdout;
    buildah(&scene, &["commit", "--quiet", container.trim(), "empty"]);
    let name = scene.name("bu/empty:1");
    buildah(&scene, &["push", TLS, "--digestfile", "digest", "empty", &format!("docker://{name}")]);
    let written = std::fs::read_to_string(scene.client.home().join("digest")).unwrap();
    let head = scene.server.http().repository("bu/empty").manifest("1").expect(200);
    assert_eq!(head.header("docker-content-digest"), Some(written.trim()));
}
