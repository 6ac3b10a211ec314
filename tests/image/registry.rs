//! What people do with the image.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::{
    container::{Container, IMAGE, architecture, built, engine, free_port, say},
    podman::Podman,
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

/// podman loads the archive, pushes it to a registry of the same image, pulls it again and runs it.
#[test]
#[ignore = "needs podman: run ./test"]
fn podman_runs_it_from_itself_needs_podman() {
    let (_container, host) = reachable(&[], IMAGE);
    let podman = Podman::new();
    podman.load(architecture());
    let name = format!("{host}/wharf:1");
    podman.run(&["push", "--tls-verify=false", "localhost/wharf:latest", &name]);
    podman.run(&["rmi", "--all", "--force"]);
    podman.run(&["pull", "--tls-verify=false", &name]);
    podman.serve(&["--name", "wharf", "--read-only", "--cap-drop", "all", "--user", "12345", &name]);
    podman.wait_until_healthy("wharf");
    podman.run(&["stop", "wharf"]);
    assert_eq!(podman.run(&["inspect", "--format", "{{.State.ExitCode}}", "wharf"]).trim(), "0");
}

/// Certificate and key by the variables of registry:2: docker pushes over TLS, and says that the registry is well.
#[test]
#[ignore = "needs docker: run ./test"]
fn it_speaks_tls_needs_docker() {
    let directory = tempfile::tempdir().unwrap();
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    for (name, text) in [("tls.crt", issued.cert.pem()), ("tls.key", issued.signing_key.serialize_pem())] {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let mount = format!("{}:/certs:ro", directory.path().display());
    let (container, host) = reachable(
        &[
            "--volume",
            &mount,
            "--env",
            "REGISTRY_HTTP_TLS_CERTIFICATE=/certs/tls.crt",
            "--env",
            "REGISTRY_HTTP_TLS_KEY=/certs/tls.key",
            "--health-interval",
            "1s",
        ],
        IMAGE,
    );
    // docker does not ask who signed the certificate of localhost.
    let name = format!("{host}/base:1");
    engine().run(&["tag", "alpine:3.10", &name]);
    engine().run(&["push", &name]);
    let plain = container.attempt(&["wget", "-S", "-O-", &format!("http://{host}/v2/")]);
    assert!(plain.stderr.contains("400"), "{plain}");
    container.wait("healthy", || container.inspect("{{.State.Health.Status}}") == "healthy");
    engine().run(&["rmi", &name]);
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
