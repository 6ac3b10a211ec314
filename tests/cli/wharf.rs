//! The built binary, run to its end.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// `wharf` with these arguments and variables, and none of this process's own, in a directory of its own that is empty.
pub(crate) fn wharf(arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let empty = tempfile::tempdir().unwrap();
    wharf_in(empty.path(), arguments, variables)
}

/// The same in a directory that is there.
pub(crate) fn wharf_in(directory: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_wharf"))
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .current_dir(directory)
        .output()
        .unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The path of a settings file in `fixtures/config`.
pub(crate) fn fixture(name: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "fixtures", "config", name].iter().collect();
    assert!(path.exists(), "{}", path.display());
    path.into_os_string().into_string().unwrap()
}

impl Ran {
    /// The lines of standard error, without the name of the program and the folder of the fixtures.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let folder = format!("{}/", Path::new(&fixture("registry-2.yml")).parent().unwrap().display());
        let own = |line: &&str| !line.contains("is there and is not read");
        self.err.lines().filter(own).map(|line| line.trim_start_matches("wharf: ").replace(&folder, "")).collect()
    }
}
