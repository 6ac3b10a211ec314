//! The commands of `wharf` that work on a store: `gc`, `fsck`.

use std::{
    path::Path,
    process::{Command, Output},
};

/// Runs `wharf` with a command on the store at `root`. Collections have no grace.
pub(crate) fn wharf(root: &Path, arguments: &[&str]) -> Output {
    wharf_with(root, arguments, &[])
}

/// The same, with more settings.
pub(crate) fn wharf_with(root: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
    command.args(arguments).env("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", root);
    command.env("REGISTRY_STORAGE_GC_GRACE", "0s").envs(variables.iter().copied());
    command.current_dir(root.parent().unwrap()).output().unwrap()
}
