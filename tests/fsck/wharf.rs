//! The command, and what it says.

use std::path::{Path, PathBuf};

use serde_json::Value;

pub(crate) use crate::support::command::wharf;
use crate::support::store;

/// What a check says, with its exit code.
#[track_caller]
pub(crate) fn fsck(root: &Path, options: &[&str]) -> (i32, Value) {
    let output = wharf(root, &[&["fsck", "--json"], options].concat());
    let said = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output.status.code().unwrap(), said)
}

/// What it found, as `outcome: place what`.
pub(crate) fn findings(said: &Value) -> Vec<String> {
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap().to_owned();
    let findings = said["findings"].as_array().unwrap().iter();
    findings.map(|it| format!("{}: {} {}", text(it, "outcome"), text(it, "place"), text(it, "what"))).collect()
}

/// The one thing that is wrong: found twice, mended once, and gone then.
#[track_caller]
pub(crate) fn expect_mended(root: &Path, finding: &str) {
    let (code, said) = fsck(root, &[]);
    assert_eq!((code, findings(&said)), (1, vec![format!("problem: {finding}")]));
    let (code, said) = fsck(root, &["--repair"]);
    assert_eq!((code, findings(&said)), (0, vec![format!("mended: {finding}")]));
    expect_clean(root);
}

#[track_caller]
pub(crate) fn expect_clean(root: &Path) {
    let (code, said) = fsck(root, &[]);
    assert_eq!((code, findings(&said)), (0, vec![]));
}

/// A link to content in a repository: `_layers`, `_manifests/revisions`.
pub(crate) fn link(root: &Path, repository: &str, part: &str, digest: &str) -> PathBuf {
    let (algorithm, hex) = digest.split_once(':').unwrap();
    store::repository(root, repository).join(part).join(algorithm).join(hex).join("link")
}
