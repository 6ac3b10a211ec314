//! The files that `./release` made.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::support::client::run;

/// The directory of the sources.
pub(crate) const SOURCES: &str = env!("CARGO_MANIFEST_DIR");

/// This machine's, in the words of Debian.
pub(crate) fn architecture() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| run(Command::new("dpkg").arg("--print-architecture")).stdout.trim().to_owned())
}

/// The name of a file for this machine: `wharf_VERSION` and what follows.
pub(crate) fn name(rest: &str) -> String {
    format!("wharf_{}_{}", env!("CARGO_PKG_VERSION"), rest.replace("ARCH", architecture()))
}

/// One of the files.
pub(crate) fn released(rest: &str) -> PathBuf {
    let path = Path::new(SOURCES).join("target/packages").join(name(rest));
    assert!(path.exists(), "{} is missing: run ./release {}", path.display(), architecture());
    path
}

/// The archive, unpacked. The directory goes with the first value.
pub(crate) fn unpacked() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    run(Command::new("tar").arg("-C").arg(directory.path()).arg("-xzf").arg(released("linux_ARCH.tar.gz")));
    let root = directory.path().join(name("linux_ARCH"));
    (directory, root)
}
