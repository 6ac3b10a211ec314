//! The store's directory, looked at from outside.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::image::sha256;

/// Every file below `root`, as paths from there, in order; nothing if it is not there.
pub(crate) fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().map(Result::unwrap) {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                waiting.push(path);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The tree that registry:2 reads as well.
pub(crate) fn tree(root: &Path) -> PathBuf {
    root.join("docker/registry/v2")
}

/// Where a blob's bytes lie.
pub(crate) fn blob(root: &Path, digest: &str) -> PathBuf {
    let (algorithm, hex) = digest.split_once(':').unwrap();
    tree(root).join("blobs").join(algorithm).join(&hex[..2]).join(hex).join("data")
}

pub(crate) fn repository(root: &Path, name: &str) -> PathBuf {
    tree(root).join("repositories").join(name)
}

/// Requires that no stored sha256 blob has other bytes than its name says.
#[track_caller]
pub(crate) fn expect_honest_blobs(root: &Path) {
    let blobs = tree(root).join("blobs/sha256");
    for file in files(&blobs).into_iter().filter(|file| file.ends_with("data")) {
        let name = file.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = fs::read(blobs.join(&file)).unwrap();
        assert_eq!(sha256(&bytes), format!("sha256:{name}"), "{} is damaged", file.display());
    }
}
