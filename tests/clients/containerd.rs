//! containerd, which proposes to mount what it knows to have pulled from elsewhere on the same host.

use std::process::{Child, Command, Stdio};

use crate::support::{
    client::{Client, find},
    image::Image,
    server::Server,
    wait::{PATIENCE, end, holds_in_time},
};

/// A daemon of the test's own, which ends when this is dropped.
struct Containerd {
    ctr: Client,
    daemon: Child,
}

impl Containerd {
    fn start() -> Self {
        assert!(rustix::process::geteuid().is_root(), "containerd needs root: run ./test as root");
        let ctr = Client::new("ctr");
        let config = "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n";
        let config = ctr.file("config.toml", config.as_bytes());
        let at = |name: &str| ctr.home().join(name);
        let mut daemon = Command::new(find("containerd"));
        daemon.arg("--config").arg(config).arg("--root").arg(at("root")).arg("--state").arg(at("state"));
        let log = std::fs::File::create(at("log")).unwrap();
        let daemon = daemon.arg("--address").arg(at("s")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let daemon = daemon.spawn().unwrap();
        let this = Self { ctr, daemon };
        let log = || std::fs::read_to_string(this.ctr.home().join("log")).unwrap_or_default();
        let is_ready = holds_in_time(|| this.ctr.attempt(["--address", "s", "version"]).success);
        assert!(is_ready, "containerd does not start:\n{}", log());
        this
    }

    fn run(&self, arguments: &[&str]) -> String {
        self.ctr.run([&["--address", "s"], arguments].concat()).text()
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        end(&mut self.daemon, PATIENCE);
    }
}

/// The source of a mount is a repository of some other registry on this host, with a name that wharf does not know: the
/// push works.
#[test]
#[ignore = "needs containerd: run ./test"]
fn report_p3_a_push_with_a_foreign_source_needs_containerd() {
    let root = tempfile::tempdir().unwrap();
    let (server, containerd) = (Server::start(root.path()), Containerd::start());
    let image = Image::gzipped(1, "amd64");
    server.http().repository("team/base").push("1", &image);
    let source = format!("{}/team/base:1", server.host());
    containerd.run(&["content", "fetch", "--plain-http", &source]);
    let names = ["Old_Team/Base", "-", "team/none", "a//b", "team/base"];
    for (number, name) in names.into_iter().enumerate() {
        for blob in image.blobs() {
            let label = format!("containerd.io/distribution.source.localhost={name}");
            containerd.run(&["content", "label", blob.digest(), &label]);
        }
        let target = format!("{}/pushed/r{number}:1", server.host());
        containerd.run(&["images", "push", "--plain-http", &target, &source]);
        server.http().repository(&format!("pushed/r{number}")).expect_image("1", &image);
    }
}
