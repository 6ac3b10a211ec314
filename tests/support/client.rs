//! Client programs: found, run, and their output kept for the message of a failed test.

use std::{
    env,
    ffi::OsStr,
    fmt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What a program did.
pub(crate) struct Output {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    line: String,
}

impl Output {
    /// Both streams, for programs that do not care which one they write to.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n--- stdout\n{}\n--- stderr\n{}", self.line, self.stdout, self.stderr)
    }
}

/// Where `program` is: among the tools that `./test` installs, in Go's directory, or in the path.
///
/// # Panics
/// If it is nowhere: a test that needs it cannot pass without it.
pub(crate) fn find(program: &str) -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/bin");
    let go = env::var_os("HOME").map(|home| PathBuf::from(home).join("go/bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let found = [tools].into_iter().chain(go).chain(env::split_paths(&path)).chain(system).map(|dir| dir.join(program));
    found
        .into_iter()
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("{program} is missing here; ./test installs it"))
}

/// `program`, with no home of its own, so that it neither reads nor leaves settings.
pub(crate) fn command(program: &str, home: &Path) -> Command {
    let mut command = Command::new(find(program));
    command.env("HOME", home).env("XDG_RUNTIME_DIR", home).env("TMPDIR", home).current_dir(home);
    command.env_remove("DOCKER_HOST").env_remove("REGISTRY_AUTH_FILE").stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn attempt(command: &mut Command) -> Output {
    let line = format!("{command:?}");
    let output = command.output().unwrap_or_else(|error| panic!("{line}: {error}"));
    Output {
        success: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        line,
    }
}

/// Runs it to its end, which must be a success.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = attempt(command);
    assert!(output.success, "failed: {output}");
    output
}

/// A client program with the directory it works in.
pub(crate) struct Client {
    program: &'static str,
    home: tempfile::TempDir,
}

impl Client {
    pub(crate) fn new(program: &'static str) -> Self {
        find(program);
        Self { program, home: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Writes a file for the program to read, and says where.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.home().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = command(self.program, self.home());
        command.args(arguments);
        command
    }

    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        run(&mut self.command(arguments))
    }

    pub(crate) fn attempt<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        attempt(&mut self.command(arguments))
    }
}
