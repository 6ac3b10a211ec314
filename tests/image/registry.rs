//! What people do with the image.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::{
    container::{Container, IMAGE, architecture, built, engine, free_port, say},
    support::client::Client,
};

/// One that this machine's clients reach, with a name for images in it.
fn reachable(options: &[&str], image: &str) -> (Container, String) {
    let port = free_port();
    let addr = format!("REGISTRY_HTTP_ADDR=127.0.0.1:{port}");
    let container = Container::of(image, &[&["--network", "host", "--env", &addr], options].concat(), &[]);
    container.wait("an answer", || container.attempt(&["/healthcheck.sh"]).success);
    (container, format!("localhost:{port}"))
}

#[test]
#[ignore = "needs docker: run ./test"]
fn it_keeps_itself_and_runs_from_there_needs_docker() {
    let volume = ["--volume", "store:/var/lib/registry"];
    let (first, host) = reachable(&volume, IMAGE);
    let name = format!("{host}/wharf:1");
    engine().run(&["tag", IMAGE, &name]);
    engine().run(&["push", &name]);
    first.stop();
    engine().run(&["rmi", &name]);
    // Another container on the same volume, under the same address.
    let addr = format!("REGISTRY_HTTP_ADDR={}", host.replace("localhost", "127.0.0.1"));
    let second = Container::ready(&[&["--network", "host", "--env", &addr], &volume[..]].concat(), &[]);
    engine().run(&["pull", &name]);
    assert_eq!(engine().image_id(&name), engine().image_id(IMAGE));
    let (third, host) = reachable(&[], &name);
    let catalog = third.run(&["wget", "-q", "-O-", &format!("http://{host}/v2/_catalog")]).stdout;
    assert_eq!(catalog.trim(), r#"{"repositories":[]}"#);
    second.stop();
    let collect = ["garbage-collect", "--dry-run", "/etc/docker/registry/config.yml"];
    let collected = engine().run(&[&["run", "--rm", "--network", "none"], &volume[..], &[IMAGE], &collect].concat());
    assert!(collected.stdout.contains("would free 0 B"), "{collected}");
    engine().run(&["rmi", &name, "--force"]);
}

#[test]
#[ignore = "needs docker: run ./test"]
fn users_come_from_its_own_htpasswd_needs_docker() {
    let users = say(&["htpasswd", "-Bbn", "testuser", "testpassword"]).stdout;
    let as_entrypoint = ["run", "--rm", "--network", "none", "--entrypoint", "htpasswd", IMAGE, "-Bbn", "u", "p"];
    assert!(engine().run(&as_entrypoint).stdout.starts_with("u:$2y$10$"));
    let client = Client::new("htpasswd");
    let file = client.file("users", users.as_bytes());
    // Apache's own program takes it.
    client.run(["-vb", file.to_str().unwrap(), "testuser", "testpassword"]);
    fs::set_permissions(client.home(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let mount = format!("{}:/auth:ro", client.home().display());
    let variables =
        ["REGISTRY_AUTH=htpasswd", "REGISTRY_AUTH_HTPASSWD_REALM=Realm", "REGISTRY_AUTH_HTPASSWD_PATH=/auth/users"];
    let options: Vec<&str> =
        variables.iter().flat_map(|variable| ["--env", *variable]).chain(["--volume", &mount]).collect();
    let container = Container::ready(&options, &[]);
    let rows = [("", "401"), ("testuser:wrong@", "401"), ("testuser:testpassword@", "200")];
    for (login, status) in rows {
        let said = container.attempt(&["wget", "-S", "-O-", &format!("http://{login}localhost:5000/v2/")]);
        assert!(said.stderr.contains(&format!("HTTP/1.1 {status}")), "{login}: {said}");
    }
}

/// The layout goes into a registry by skopeo as it is, digests and all.
#[test]
#[ignore = "needs docker: run ./test"]
fn the_layout_is_copied_unchanged_needs_docker() {
    let (container, host) = reachable(&[], IMAGE);
    let skopeo = Client::new("skopeo");
    let layout = format!("oci:{}", built("oci").display());
    let name = format!("docker://{host}/wharf:all");
    skopeo.run(["--insecure-policy", "copy", "--all", "--preserve-digests", "--dest-tls-verify=false", &layout, &name]);
    let text = skopeo.run(["inspect", "--config", "--tls-verify=false", &name]).stdout;
    let config: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(config["architecture"], architecture());
    let loaded = engine().run(&["pull", &format!("{host}/wharf:all")]);
    assert!(loaded.success && container.logs().contains("GET"), "{loaded}");
    assert_eq!(engine().image_id(&format!("{host}/wharf:all")), engine().image_id(IMAGE));
}
