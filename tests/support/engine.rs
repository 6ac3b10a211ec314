//! A docker engine of the test's own, started when the first test asks for it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use super::{
    client::{self, Output, find},
    wait::holds_in_time,
};

/// Runs the daemon until its standard input ends, which it does when the test process does, however that happens; then
/// stops it and clears up. A destructor could not do that: a static has none that runs.
const KEEPER: &str = r#"
directory=$1; shift
exec >"$directory/log" 2>&1
"$@" &
daemon=$!
read -r _
# A test that was killed leaves containers and networks. A network is an interface of this machine.
export DOCKER_HOST="unix://$directory/s" DOCKER_CONFIG="$directory/client"
docker ps --all --quiet | xargs -r docker rm --force --volumes
docker network prune --force
kill -TERM $daemon
wait $daemon
# A container in the network of this machine leaves a mount.
umount "$directory"/e/netns/* 2>/dev/null
rm -rf --one-file-system "$directory"
"#;

/// The engine with its socket and the directory it lives in.
pub(crate) struct Engine {
    directory: PathBuf,
    // Its standard input is what keeps the daemon alive.
    _keeper: Child,
}

impl Engine {
    /// The one engine of this test binary, with `alpine:3.10` in it.
    ///
    /// # Panics
    /// Where it can't run: it needs root.
    pub(crate) fn get() -> &'static Self {
        static ENGINE: OnceLock<Engine> = OnceLock::new();
        ENGINE.get_or_init(|| {
            let engine = Self::with(&[]);
            engine.import_base("alpine:3.10");
            engine
        })
    }

    /// The docker client with a configuration directory of its own, as a user who has never logged in.
    pub(crate) fn docker(&self, arguments: &[&str]) -> Command {
        let mut command = client::command("docker", &self.directory);
        command.arg("--config").arg(self.directory.join("client")).arg("-H").arg(self.socket()).args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        client::run(&mut self.docker(arguments))
    }

    pub(crate) fn attempt(&self, arguments: &[&str]) -> Output {
        client::attempt(&mut self.docker(arguments))
    }

    /// The id of an image in the engine.
    pub(crate) fn image_id(&self, image: &str) -> String {
        self.run(&["image", "inspect", "--format", "{{.Id}}", image]).stdout.trim().to_owned()
    }

    pub(crate) fn socket(&self) -> String {
        format!("unix://{}", self.directory.join("s").display())
    }

    /// Another engine, with these options, for as long as the value lives.
    pub(crate) fn with(options: &[&str]) -> Self {
        assert!(rustix::process::geteuid().is_root(), "the docker engine needs root: run ./test as root");
        // A socket's path may have 107 bytes, so the directory is short whatever TMPDIR says.
        let directory = tempfile::Builder::new().prefix("wharf-").tempdir_in("/tmp").unwrap().keep();
        let at = |name: &str| directory.join(name);
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper"]).arg(&directory).arg(find("dockerd"));
        keeper.arg("--data-root").arg(at("d")).arg("--exec-root").arg(at("e")).arg("--pidfile").arg(at("p"));
        keeper
            .arg("-H")
            .arg(format!("unix://{}", at("s").display()))
            .args(["--bridge=none", "--iptables=false"])
            .args(options);
        let keeper = keeper.stdin(Stdio::piped()).spawn().unwrap();
        let engine = Self { directory, _keeper: keeper };
        engine.wait_until_ready();
        engine
    }

    fn wait_until_ready(&self) {
        let log = || fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        let is_ready = holds_in_time(|| self.attempt(&["version"]).success);
        assert!(is_ready, "the docker engine does not start:\n{}", log());
    }

    /// A base image without a network: a tree with nothing but busybox.
    fn import_base(&self, name: &str) {
        let tree = self.directory.join("base");
        fs::create_dir_all(tree.join("bin")).unwrap();
        fs::copy(busybox(), tree.join("bin/busybox")).unwrap();
        for applet in ["sh", "echo", "cat"] {
            std::os::unix::fs::symlink("busybox", tree.join("bin").join(applet)).unwrap();
        }
        let archive = self.directory.join("base.tar");
        client::run(Command::new("tar").arg("-C").arg(&tree).arg("-cf").arg(&archive).arg("."));
        self.run(&["import", archive.to_str().unwrap(), name]);
    }
}

/// The static busybox, which needs no library in its container.
pub(crate) fn busybox() -> PathBuf {
    let found = ["/bin/busybox", "/usr/bin/busybox"].map(Path::new).into_iter().find(|path| path.is_file());
    found.expect("busybox-static is missing here; ./test installs it").to_owned()
}
