//! A registry program that runs, and stops when it is dropped.

use std::{
    env,
    ffi::OsString,
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    client::find,
    http::Registry,
    wait::{ended, holds_in_time},
};

/// Which program serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Wharf,
    /// CNCF Distribution 2, Debian's `docker-registry`.
    Registry2,
    /// CNCF Distribution 3, whose program is called `registry`.
    Registry3,
}

impl Program {
    /// wharf; or, to see that a test can fail, what `WHARF_TEST_PROGRAM=registry2` names.
    pub(crate) fn under_test() -> Self {
        match env::var("WHARF_TEST_PROGRAM").as_deref() {
            Ok("registry2") => Self::Registry2,
            Ok(other) => panic!("WHARF_TEST_PROGRAM={other}: registry2 is the only other program"),
            Err(_) => Self::Wharf,
        }
    }
}

/// How a program is started.
pub(crate) struct Launch {
    program: Program,
    root: PathBuf,
    binary: PathBuf,
    wrapper: Vec<OsString>,
    variables: Vec<(String, String)>,
    settings: String,
}

impl Launch {
    /// With its store in `root`, on a free port of 127.0.0.1.
    pub(crate) fn new(program: Program, root: &Path) -> Self {
        let binary = match program {
            Program::Wharf => PathBuf::from(env!("CARGO_BIN_EXE_wharf")),
            Program::Registry2 => find("docker-registry"),
            Program::Registry3 => find("registry"),
        };
        Self {
            program,
            root: root.to_owned(),
            binary,
            wrapper: Vec::new(),
            variables: Vec::new(),
            settings: String::new(),
        }
    }

    /// One more variable of the program's environment.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a `registry.toml` of this text.
    pub(crate) fn settings(mut self, text: &str) -> Self {
        text.clone_into(&mut self.settings);
        self
    }

    /// Under another program, such as strace, whose command line this begins with.
    pub(crate) fn under<S: Into<OsString>>(mut self, wrapper: impl IntoIterator<Item = S>) -> Self {
        self.wrapper = wrapper.into_iter().map(Into::into).collect();
        self
    }

    /// The optimised build, where there is one.
    pub(crate) fn optimised(mut self) -> Self {
        let release = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/release/wharf");
        if self.program == Program::Wharf && release.is_file() {
            self.binary = release;
        }
        self
    }

    /// Starts it and waits until it answers.
    ///
    /// # Panics
    /// If it does not.
    pub(crate) fn start(self) -> Server {
        self.attempt().unwrap_or_else(|log| panic!("the registry did not start:\n{log}"))
    }

    /// Starts it; the log, if it ended instead of answering.
    pub(crate) fn attempt(self) -> Result<Server, String> {
        let scratch = tempfile::tempdir().unwrap();
        let (log, ready) = (scratch.path().join("log"), scratch.path().join("ready.json"));
        let port = free_port();
        let mut command = match self.wrapper.split_first() {
            None => Command::new(&self.binary),
            Some((wrapper, arguments)) => {
                let mut command = Command::new(wrapper);
                command.args(arguments).arg(&self.binary);
                command
            }
        };
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("REGISTRY_")) {
            command.env_remove(name);
        }
        match self.program {
            Program::Wharf => {
                if !self.settings.is_empty() {
                    fs::write(scratch.path().join("registry.toml"), &self.settings).unwrap();
                }
                command.args(["serve", "--ready-file"]).arg(&ready).env("REGISTRY_HTTP_ADDR", "127.0.0.1:0");
                command.env("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", &self.root);
                if let Ok(endpoint) = env::var("WHARF_TEST_BUCKET") {
                    command.envs(in_bucket(&endpoint, &self.root));
                }
            }
            Program::Registry2 | Program::Registry3 => {
                let config = scratch.path().join("config.yml");
                fs::write(&config, registry2_config(&self.root, port)).unwrap();
                command.arg("serve").arg(&config).env("OTEL_TRACES_EXPORTER", "none");
            }
        }
        command.envs(self.variables).current_dir(scratch.path()).stdin(Stdio::null());
        command.stdout(fs::File::create(scratch.path().join("stdout")).unwrap());
        let child = command.stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
        let mut server =
            Server { child, pid: 0, addr: SocketAddr::from(([127, 0, 0, 1], port)), root: self.root, log, scratch };
        server.wait_until_ready(self.program, &ready)?;
        Ok(server)
    }
}

/// The variables for a store in the bucket `bucket` of an endpoint, in place of the directory `root`.
fn in_bucket(endpoint: &str, root: &Path) -> [(&'static str, String); 6] {
    [
        ("REGISTRY_STORAGE", "s3".to_owned()),
        ("REGISTRY_STORAGE_S3_BUCKET", "bucket".to_owned()),
        ("REGISTRY_STORAGE_S3_REGIONENDPOINT", endpoint.to_owned()),
        ("REGISTRY_STORAGE_S3_ROOTDIRECTORY", root.display().to_string()),
        ("REGISTRY_STORAGE_S3_ACCESSKEY", "id".to_owned()),
        ("REGISTRY_STORAGE_S3_SECRETKEY", "key".to_owned()),
    ]
}

/// The settings of registry:2 that make it do what wharf does without any.
pub(crate) fn registry2_config(root: &Path, port: u16) -> String {
    format!(
        "version: 0.1\nlog: {{level: warn}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\n  delete: {{enabled: true}}\n\
         http: {{addr: \"127.0.0.1:{port}\"}}\n",
        root.display()
    )
}

/// A port that nobody listens on at this moment.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A registry that runs.
pub(crate) struct Server {
    child: Child,
    pid: i32,
    addr: SocketAddr,
    root: PathBuf,
    log: PathBuf,
    scratch: tempfile::TempDir,
}

impl Server {
    /// The program under test on a store in `root`.
    pub(crate) fn start(root: &Path) -> Self {
        Launch::new(Program::under_test(), root).start()
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `localhost:PORT`, which every client takes for a registry without TLS.
    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.addr.port())
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The process that serves, which is not the child where a wrapper is.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    pub(crate) fn http(&self) -> Registry {
        Registry::new(&format!("http://{}", self.addr))
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits for the text in the log: lines are written a moment after what they tell of.
    #[track_caller]
    pub(crate) fn expect_logged(&self, text: &str) {
        assert!(holds_in_time(|| self.log().contains(text)), "{text} is not in the log:\n{}", self.log());
    }

    /// SIGTERM, and its end awaited.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        ended(&mut self.child)
    }

    /// SIGTERM, and a good end; all that it wrote after it listened.
    pub(crate) fn end(mut self) -> String {
        self.signal(Signal::TERM);
        let (status, log) = (ended(&mut self.child), self.log());
        assert!(status.success(), "{status}:\n{log}");
        let (_, rest) = log.split_once("listening on ").unwrap_or_else(|| panic!("it did not listen:\n{log}"));
        rest.split_once('\n').map_or("", |(_, rest)| rest).to_owned()
    }

    /// `kill -9`, and its end awaited.
    pub(crate) fn kill(mut self) -> ExitStatus {
        self.signal(Signal::KILL);
        ended(&mut self.child)
    }

    /// `kill -9`, while others hold it.
    pub(crate) fn signal_kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Whether it has ended, by its own doing or a wrapper's.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    fn signal(&self, signal: Signal) {
        // It may have ended already, which is what the signal is for.
        let _ = Pid::from_raw(self.pid).map(|pid| kill_process(pid, signal));
    }

    fn wait_until_ready(&mut self, program: Program, ready: &Path) -> Result<(), String> {
        if !holds_in_time(|| self.is_ready(program, ready) || self.has_ended()) {
            return Err(format!("not ready in time:\n{}", self.log()));
        }
        if self.pid == 0 { Err(self.log()) } else { Ok(()) }
    }

    /// Whether it serves; its process and address are known from then on.
    fn is_ready(&mut self, program: Program, ready: &Path) -> bool {
        match program {
            Program::Wharf => {
                let Ok(text) = fs::read_to_string(ready) else { return false };
                let ready: serde_json::Value = serde_json::from_str(&text).expect("the ready file is whole");
                self.addr = ready["addr"].as_str().unwrap().parse().unwrap();
                self.pid = i32::try_from(ready["pid"].as_i64().unwrap()).unwrap();
            }
            Program::Registry2 | Program::Registry3 => {
                if TcpStream::connect(self.addr).is_err() {
                    return false;
                }
                self.pid = i32::try_from(innermost(self.child.id())).unwrap();
            }
        }
        true
    }
}

/// The process that a wrapper started, or the process itself.
fn innermost(pid: u32) -> u32 {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().next().map_or(pid, |child| child.parse().unwrap())
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        // A wrapper ends when what it wraps does, unless it never came to wrap it.
        if self.pid == 0 {
            let _ = self.child.kill();
        }
        let _ = holds_in_time(|| !matches!(self.child.try_wait(), Ok(None)));
        if std::thread::panicking() {
            let log = self.log();
            let last: Vec<_> = log.lines().rev().take(20).collect();
            eprintln!("--- the end of the registry's log");
            last.iter().rev().for_each(|line| eprintln!("{line}"));
        }
    }
}
