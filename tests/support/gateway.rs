//! An object store: versitygw over a directory, with as many endpoints as a test wants; or `MinIO`.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use super::{
    client::find,
    server::{Launch, Program, Server, free_port},
    wait::{eventually, kill},
};

const ACCESS_KEY: &str = "wharf";
const SECRET_KEY: &str = "only-for-tests";

/// A store with the empty bucket `bucket`; it ends with its value.
pub(crate) struct Gateway {
    directory: tempfile::TempDir,
    endpoints: Vec<(Child, String)>,
}

impl Gateway {
    pub(crate) fn start(endpoints: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("store/bucket")).unwrap();
        let endpoints = if is_minio() { 1 } else { endpoints };
        let endpoints = (0..endpoints).map(|number| endpoint(directory.path(), number)).collect();
        Self { directory, endpoints }
    }

    /// A node of wharf at one of the endpoints.
    pub(crate) fn launch(&self, endpoint: usize) -> Launch {
        let launch = Launch::new(Program::Wharf, self.directory.path());
        self.settings(endpoint).iter().fold(launch, |launch, (name, value)| launch.set(name, value))
    }

    /// registry:3 at one of the endpoints.
    pub(crate) fn registry3(&self, endpoint: usize) -> Launch {
        let launch = Launch::new(Program::Registry3, self.directory.path());
        let launch = self.settings(endpoint).iter().fold(launch, |launch, (name, value)| launch.set(name, value));
        let launch =
            launch.set("REGISTRY_STORAGE_S3_REGION", "us-east-1").set("REGISTRY_STORAGE_S3_FORCEPATHSTYLE", "true");
        launch.set("REGISTRY_STORAGE_DELETE_ENABLED", "true").set("REGISTRY_STORAGE_REDIRECT_DISABLE", "true")
    }

    fn settings(&self, endpoint: usize) -> [(&str, &str); 5] {
        [
            ("REGISTRY_STORAGE", "s3"),
            ("REGISTRY_STORAGE_S3_BUCKET", "bucket"),
            ("REGISTRY_STORAGE_S3_REGIONENDPOINT", self.url(endpoint)),
            ("REGISTRY_STORAGE_S3_ACCESSKEY", ACCESS_KEY),
            ("REGISTRY_STORAGE_S3_SECRETKEY", SECRET_KEY),
        ]
    }

    pub(crate) fn node(&self, endpoint: usize) -> Server {
        self.launch(endpoint).start()
    }

    pub(crate) fn url(&self, endpoint: usize) -> &str {
        &self.endpoints[endpoint % self.endpoints.len()].1
    }

    /// Where the bucket's objects are.
    pub(crate) fn objects(&self) -> PathBuf {
        self.directory.path().join("store/bucket")
    }

    /// How many requests an endpoint has answered.
    pub(crate) fn answered(&self, endpoint: usize) -> usize {
        let log = fs::read_to_string(log(self.directory.path(), endpoint)).unwrap_or_default();
        // A node renews its lease at any time.
        log.lines().filter(|line| !line.contains("wharf/nodes")).count()
    }

    /// Runs a command of wharf on the bucket.
    pub(crate) fn wharf(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The same, not yet begun. Collections have no grace.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
        command.args(arguments).envs(self.settings(0)).env("REGISTRY_STORAGE_GC_GRACE", "0s");
        command.current_dir(self.directory.path());
        command
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.endpoints.iter_mut().for_each(|(child, _)| kill(child));
    }
}

fn endpoint(directory: &Path, number: usize) -> (Child, String) {
    // An address that no other test has: of two programs that want one port, the second would not serve.
    let [_, a, b, c] = rand::random::<[u8; 4]>();
    let address = format!("127.{a}.{b}.{}:{}", c.clamp(1, 254), free_port());
    let mut command = if is_minio() {
        let mut command = Command::new(find("minio"));
        command.env("MINIO_ROOT_USER", ACCESS_KEY).env("MINIO_ROOT_PASSWORD", SECRET_KEY).env("MINIO_BROWSER", "off");
        command.args(["server", "--quiet", "--address", &address]).arg(directory.join("store"));
        command
    } else {
        let mut command = Command::new(find("versitygw"));
        command.args(["--access", ACCESS_KEY, "--secret", SECRET_KEY, "--quiet", "--port", &address]);
        command.arg("--access-log").arg(log(directory, number)).arg("posix").arg(directory.join("store"));
        command
    };
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("the object store answers", || TcpStream::connect(&address).is_ok());
    (child, format!("http://{address}"))
}

/// Whether the store is `MinIO`, because `WHARF_TEST_OBJECT_STORE=minio` says so. It has one endpoint, no log, and
/// files of its own.
fn is_minio() -> bool {
    std::env::var("WHARF_TEST_OBJECT_STORE").is_ok_and(|store| store == "minio")
}

fn log(directory: &Path, number: usize) -> PathBuf {
    directory.join(format!("requests-{number}"))
}
