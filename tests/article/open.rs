//! Rows 1 and 2: a registry that asks nobody who they are.

use reqwest::Method;

use crate::{
    Mode, Scene,
    support::{
        engine::Engine,
        http::send,
        image::{Image, sha256},
    },
};

#[test]
#[ignore = "needs docker: run ./test"]
fn row_01_push_to_an_open_registry_needs_docker() {
    let (scene, engine) = (Scene::new(Mode::Open), Engine::get());
    let image = scene.name("alpine:3.10");
    engine.run(&["tag", "alpine:3.10", &image]);
    let said = engine.run(&["push", &image]).stdout;
    let manifest = scene.server.http().repository("alpine").manifest("3.10").expect(200).body;
    assert!(said.contains(&format!("The push refers to repository [{}]", scene.name("alpine"))), "{said}");
    assert!(said.contains(": Pushed"), "{said}");
    let last = format!("3.10: digest: {} size: {}\n", sha256(&manifest), manifest.len());
    assert!(said.ends_with(&last), "{said}\nand not {last}");
}

#[test]
#[ignore = "needs docker: run ./test"]
fn row_02_pull_it_back_and_run_it_needs_docker() {
    let (scene, engine) = (Scene::new(Mode::Open), Engine::get());
    let image = scene.name("alpine:3.10");
    engine.run(&["tag", "alpine:3.10", &image]);
    let id = engine.image_id(&image);
    engine.run(&["push", &image]);
    engine.run(&["rmi", &image]);
    engine.run(&["pull", &image]);
    assert_eq!(engine.image_id(&image), id);
    let said = engine.run(&["run", "--rm", "--network", "none", &image, "/bin/echo", "hello"]).stdout;
    assert_eq!(said, "hello\n");
}

/// The requests of a docker push, in its order.
#[test]
fn row_01_push_to_an_open_registry_over_http() {
    let scene = Scene::new(Mode::Open);
    let (registry, image) = (scene.server.http(), Image::new(1, "amd64"));
    let repository = registry.repository("alpine");
    assert_eq!(registry.get("/v2/").expect(200).body, "{}");
    for blob in image.blobs() {
        repository.head(&format!("blobs/{}", blob.digest())).expect(404);
        let location = repository.begin();
        let patched = repository.patch(&location, blob.bytes()).unwrap().expect(202);
        let location = patched.header("location").unwrap();
        let stored = repository.finish(location, blob.digest(), b"").unwrap().expect(201);
        assert_eq!(stored.header("docker-content-digest"), Some(blob.digest()));
        repository.head(&format!("blobs/{}", blob.digest())).expect(200);
    }
    let stored = repository.try_manifest("3.10", image.manifest()).unwrap().expect(201);
    assert_eq!(stored.header("docker-content-digest"), Some(image.manifest().digest()));
}

/// The requests of a docker pull, in its order.
#[test]
fn row_02_pull_it_back_over_http() {
    let scene = Scene::new(Mode::Open);
    let (registry, image) = (scene.server.http(), Image::new(2, "amd64"));
    registry.repository("alpine").push("3.10", &image);
    registry.get("/v2/").expect(200);
    let request =
        registry.request(Method::HEAD, "/v2/alpine/manifests/3.10").header("Accept", image.manifest().media_type());
    let head = send(request).expect(200);
    assert_eq!(head.header("content-length"), Some(image.manifest().bytes().len().to_string().as_str()));
    registry.repository("alpine").expect_image(head.header("docker-content-digest").unwrap(), &image);
}
