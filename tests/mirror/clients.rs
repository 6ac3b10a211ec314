//! Real clients that use wharf as a mirror, and real registries that it is a mirror of.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::{
    hub::Hub,
    mirror::{launch, start},
    support::{
        client::{Client, find},
        engine::Engine,
        image::{Image, Index},
        server::{Launch, Program, Server},
        wait::{PATIENCE, end, eventually, holds_in_time},
    },
};

/// wharf that has `hub` for Docker Hub, below `docker.io`.
fn below(hub: &Hub, root: &Path) -> Server {
    Launch::new(Program::Wharf, root)
        .set("REGISTRY_UPSTREAM_0_PREFIX", "docker.io")
        .set("REGISTRY_UPSTREAM_0_URL", &hub.url())
        .set("REGISTRY_UPSTREAM_0_NAMESPACES", "[docker.io]")
        .start()
}

fn hub() -> (Hub, tempfile::TempDir, Index) {
    let (hub, index) = (Hub::new(), Index::two_platforms(1));
    hub.put_index("library/app", "1", &index);
    (hub, tempfile::tempdir().unwrap(), index)
}

#[test]
#[ignore = "needs dockerd: run ./test"]
fn a_docker_engine_pulls_through_its_mirror_needs_docker() {
    let (hub, root, index) = hub();
    let server = start(&hub, root.path());
    let engine = Engine::with(&[&format!("--registry-mirror=http://{}", server.host())]);
    engine.run(&["pull", "app:1"]);
    let id = engine.image_id("app:1");
    assert!(String::from_utf8_lossy(index.images()[0].manifest().bytes()).contains(&id), "{id}");
    server.expect_logged("library/app");
}

/// What skopeo and podman are told of the mirror.
fn registries(location: &str) -> String {
    format!(
        "[[registry]]\nprefix = \"docker.io\"\nlocation = \"docker.io\"\n\n[[registry.mirror]]\nlocation = \"{location}\"\ninsecure = true\n"
    )
}

#[test]
#[ignore = "needs skopeo: run ./test"]
fn skopeo_pulls_through_its_mirror_needs_skopeo() {
    let (hub, root, index) = hub();
    let server = below(&hub, root.path());
    let skopeo = Client::new("skopeo");
    let conf = skopeo.file("registries.conf", registries(&format!("{}/docker.io", server.host())).as_bytes());
    let conf = ["--registries-conf", conf.to_str().unwrap()];
    let output = skopeo.run([&conf[..], &["inspect", "--raw", "docker://docker.io/library/app:1"]].concat());
    assert_eq!(output.stdout.as_bytes(), index.manifest().bytes());
    skopeo.run([&conf[..], &["copy", "--all", "docker://docker.io/library/app:1", "oci:copied:1"]].concat());
}

#[test]
#[ignore = "needs podman: run ./test"]
fn podman_pulls_through_its_mirror_needs_podman() {
    let (hub, root, index) = hub();
    let server = below(&hub, root.path());
    let podman = Client::new("podman");
    let conf = podman.file("registries.conf", registries(&format!("{}/docker.io", server.host())).as_bytes());
    let storage = ["--root", "storage", "--runroot", "run", "--storage-driver", "vfs"];
    let mut command = podman.command([&storage[..], &["pull", "docker.io/library/app:1"]].concat());
    let output = crate::support::client::run(command.env("CONTAINERS_REGISTRIES_CONF", &conf));
    assert!(String::from_utf8_lossy(index.images()[0].manifest().bytes()).contains(output.stdout.trim()), "{output}");
}

/// A daemon of the test's own, which ends when this is dropped.
struct Containerd(Client, Child);

impl Containerd {
    fn start() -> Self {
        let ctr = Client::new("ctr");
        let config = ctr.file("config.toml", b"version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n");
        let mut daemon = Command::new(find("containerd"));
        daemon.arg("--config").arg(config).arg("--root").arg(ctr.home().join("root"));
        daemon.arg("--state").arg(ctr.home().join("state")).arg("--address").arg(ctr.home().join("s"));
        let daemon = daemon.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let this = Self(ctr, daemon);
        assert!(holds_in_time(|| this.0.attempt(["--address", "s", "version"]).success), "containerd does not start");
        this
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        end(&mut self.1, PATIENCE);
    }
}

#[test]
#[ignore = "needs containerd: run ./test"]
fn containerd_pulls_through_its_mirror_needs_containerd() {
    let (hub, root, index) = hub();
    let server = below(&hub, root.path());
    // The path of the host is used as it is, or `/v2` is added to it.
    let hosts = [
        format!("[host.\"http://{}\"]\ncapabilities = [\"pull\", \"resolve\"]\n", server.host()),
        format!(
            "[host.\"http://{}/v2/docker.io\"]\ncapabilities = [\"pull\", \"resolve\"]\noverride_path = true\n",
            server.host()
        ),
    ];
    for host in hosts {
        let containerd = Containerd::start();
        let directory = containerd.0.home().join("certs.d/docker.io");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("hosts.toml"), format!("server = \"https://registry-1.docker.io\"\n\n{host}"))
            .unwrap();
        containerd.0.run([
            "--address",
            "s",
            "content",
            "fetch",
            "--hosts-dir",
            "certs.d",
            "--platform",
            "linux/amd64",
            "docker.io/library/app:1",
        ]);
        let content = containerd.0.run(["--address", "s", "content", "ls", "--quiet"]).stdout;
        for blob in index.images()[0].blobs() {
            assert!(content.contains(blob.digest()), "{content}");
        }
    }
    assert!(hub.seen().iter().all(|seen| !seen.path.contains("ns=")), "{:?}", hub.seen());
}

#[test]
#[ignore = "needs docker-registry and registry: run ./test"]
fn other_registries_are_upstreams_needs_registry2_and_registry3() {
    let index = Index::two_platforms(3);
    for program in [Program::Registry2, Program::Registry3, Program::Wharf] {
        let roots = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let mut upstream = Launch::new(program, roots[0].path());
        let mut mirror = Launch::new(Program::Wharf, roots[1].path());
        if program == Program::Wharf {
            // Tokens, and a repository that is for one user.
            upstream = upstream.set("REGISTRY_AUTH_MODE", "token").set("WHARF_USERS", "me:secret");
            mirror = mirror.set("REGISTRY_PROXY_USERNAME", "me").set("REGISTRY_PROXY_PASSWORD", "secret");
        }
        let upstream = upstream.start();
        if program == Program::Wharf {
            let crane = Client::new("crane");
            index.write_layout(&crane.home().join("in"), "1");
            crane.run(["auth", "login", "-u", "me", "-p", "secret", &upstream.host()]);
            crane.run(["push", "--index", "in", &format!("{}/a/b:t", upstream.host())]);
        } else {
            upstream.http().repository("a/b").push_index("t", &index);
        }
        let server = mirror.set("REGISTRY_PROXY_REMOTEURL", &format!("http://{}", upstream.host())).start();
        let answer = server.http().repository("a/b").manifest("t").expect(200);
        let child = answer.json()["manifests"][0]["digest"].as_str().unwrap().to_owned();
        let image = if program == Program::Wharf {
            server.http().repository("a/b").manifest(&child).expect(200);
            continue;
        } else {
            &index.images()[0]
        };
        server.http().repository("a/b").expect_index("t", &index);
        server.http().repository("a/b").expect_image(&child, image);
    }
}

/// registry:2 and registry:3 fill a cache; wharf goes on with it, and they can go on with wharf's.
#[test]
#[ignore = "needs docker-registry and registry: run ./test"]
fn the_cache_of_others_is_taken_over_and_left_usable_needs_registry2_and_registry3() {
    let (old, new) = (Image::gzipped(1, "amd64"), Image::gzipped(2, "amd64"));
    for program in [Program::Registry2, Program::Registry3] {
        let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
        hub.put("a/b", "old", &old);
        hub.put("a/b", "new", &new);
        let other = || Launch::new(program, root.path()).set("REGISTRY_PROXY_REMOTEURL", &hub.url());
        let running = other().start();
        running.http().repository("a/b").expect_image("old", &old);
        // They write what they send on a task of its own.
        let stored = |digest: &str| crate::support::store::blob(root.path(), digest).exists();
        let is_stored = || old.blobs().all(|blob| stored(blob.digest())) && stored(old.manifest().digest());
        assert!(holds_in_time(is_stored), "{program:?} stores what it fetched");
        running.stop();
        hub.forget();
        let server = start(&hub, root.path());
        server.http().repository("a/b").expect_image("old", &old);
        assert_eq!(hub.count("GET", "/blobs/"), 0);
        server.http().repository("a/b").expect_image("new", &new);
        server.stop();
        hub.forget();
        let running = other().start();
        running.http().repository("a/b").expect_image("new", &new);
        assert_eq!(hub.count("GET", "/blobs/"), 0, "{program:?}");
    }
}

/// The `BuildKit` that is part of dockerd asks the mirror as containerd does, with `ns`.
#[test]
#[ignore = "needs dockerd: run ./test"]
fn buildkit_pulls_through_its_mirror_needs_docker() {
    let (hub, root, index) = hub();
    // The hub is not at Docker Hub's address, so a setting says that it is meant.
    let server = launch(&hub, root.path()).set("REGISTRY_PROXY_NAMESPACES", "[docker.io]").start();
    let engine = Engine::with(&[&format!("--registry-mirror=http://{}", server.host())]);
    let context = tempfile::tempdir().unwrap();
    fs::write(context.path().join("Dockerfile"), "FROM app:1\nLABEL built=yes\n").unwrap();
    // Debian's client has BuildKit in it; newer ones need a component beside them.
    let mut build = crate::support::client::command("/usr/bin/docker", context.path());
    build.env("DOCKER_BUILDKIT", "1").args(["-H", &engine.socket(), "build", "--tag", "built:1", "."]);
    crate::support::client::run(&mut build);
    let layers = |image: &str| engine.run(&["image", "inspect", "--format", "{{.RootFS.Layers}}", image]).stdout;
    let config: serde_json::Value = {
        let manifest: serde_json::Value = serde_json::from_slice(index.images()[0].manifest().bytes()).unwrap();
        let digest = manifest["config"]["digest"].as_str().unwrap().to_owned();
        let blob = index.images()[0].blobs().find(|blob| blob.digest() == digest).unwrap().bytes().to_vec();
        serde_json::from_slice(&blob).unwrap()
    };
    for layer in config["rootfs"]["diff_ids"].as_array().unwrap() {
        assert!(layers("built:1").contains(layer.as_str().unwrap()), "{}", layers("built:1"));
    }
    eventually("the upstream is named", || {
        let log = server.log();
        log.contains("ns=docker.io") || log.contains("library/app")
    });
}
