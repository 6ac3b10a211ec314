//! The docker engine and its command line.

use reqwest::Method;

use crate::support::{engine::Engine, http::send, image::sha256, server::Server, store};

#[test]
#[ignore = "needs docker: run ./test"]
fn push_remove_pull_run_needs_docker() {
    let root = tempfile::tempdir().unwrap();
    let (server, engine) = (Server::start(root.path()), Engine::get());
    let image = format!("{}/team/base:1", server.host());
    engine.run(&["tag", "alpine:3.10", &image]);
    let id = engine.image_id(&image);
    let pushed = engine.run(&["push", &image]).text();
    let manifest = server.http().repository("team/base").manifest("1").expect(200);
    assert!(pushed.contains(&format!("digest: {}", sha256(&manifest.body))), "{pushed}");
    engine.run(&["rmi", &image]);
    engine.run(&["pull", &image]);
    assert_eq!(engine.image_id(&image), id);
    let said = engine.run(&["run", "--rm", "--network", "none", &image, "/bin/echo", "it runs"]);
    assert_eq!(said.stdout, "it runs\n");
}

#[test]
#[ignore = "needs docker: run ./test"]
fn layers_that_are_there_are_not_sent_again_needs_docker() {
    let root = tempfile::tempdir().unwrap();
    let (server, engine) = (Server::start(root.path()), Engine::get());
    let images = ["twice/a:1", "twice/a:2", "twice/b:1"].map(|name| format!("{}/{name}", server.host()));
    let says = ["Pushed", "Layer already exists", "Mounted from twice/a"];
    for (image, says) in images.iter().zip(says) {
        engine.run(&["tag", "alpine:3.10", image]);
        let text = engine.run(&["push", image]).text();
        assert!(text.contains(says), "{image}: {text}");
    }
    assert_eq!(server.http().repository("twice/a").tags(), ["1", "2"]);
    assert_eq!(server.http().catalog(), ["twice/a", "twice/b"]);
}

#[test]
#[ignore = "needs docker: run ./test"]
fn an_image_built_by_commit_comes_back_with_its_file_needs_docker() {
    let root = tempfile::tempdir().unwrap();
    let (server, engine) = (Server::start(root.path()), Engine::get());
    let image = format!("{}/committed:1", server.host());
    let container = format!("committed-{}", server.addr().port());
    let write = ["/bin/sh", "-c", "echo from a second layer > /note"];
    engine.run(&[&["run", "--network", "none", "--name", &container, "alpine:3.10"], &write[..]].concat());
    engine.run(&["commit", &container, &image]);
    engine.run(&["rm", &container]);
    engine.run(&["push", &image]);
    engine.run(&["rmi", &image]);
    let said = engine.run(&["run", "--rm", "--network", "none", &image, "/bin/cat", "/note"]);
    assert_eq!(said.stdout, "from a second layer\n");
}

#[test]
#[ignore = "needs docker: run ./test"]
fn a_pull_by_digest_gets_the_pushed_manifest_needs_docker() {
    let root = tempfile::tempdir().unwrap();
    let (server, engine) = (Server::start(root.path()), Engine::get());
    let image = format!("{}/pinned:1", server.host());
    engine.run(&["tag", "alpine:3.10", &image]);
    engine.run(&["push", &image]);
    engine.run(&["rmi", &image]);
    let head = server.http().repository("pinned").manifest("1").expect(200);
    let digest = head.header("docker-content-digest").unwrap();
    assert!(store::blob(server.root(), digest).is_file());
    engine.run(&["pull", &format!("{}/pinned@{digest}", server.host())]);
}

#[test]
#[ignore = "needs docker: run ./test"]
fn a_pull_of_nothing_is_told_so_needs_docker() {
    let root = tempfile::tempdir().unwrap();
    let (server, engine) = (Server::start(root.path()), Engine::get());
    let output = engine.attempt(&["pull", &format!("{}/nothing:1", server.host())]);
    assert!(!output.success && output.stderr.contains("not found"), "{output}");
    let missing = server.http().request(Method::GET, "/v2/nothing/manifests/1");
    assert_eq!(send(missing).expect(404).code(), "MANIFEST_UNKNOWN");
}
