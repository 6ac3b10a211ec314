//! A server whose collections are asked for, and the command that asks.

use std::path::Path;

use serde_json::Value;

pub(crate) use crate::support::command::{wharf, wharf_with};
use crate::support::server::{Launch, Program, Server};

/// A server that takes whatever nothing refers to, however young it is.
pub(crate) fn hasty(root: &Path) -> Server {
    with_grace(root, "0s")
}

pub(crate) fn with_grace(root: &Path, grace: &str) -> Server {
    let launch = Launch::new(Program::Wharf, root).set("REGISTRY_STORAGE_GC_GRACE", grace);
    launch.set("REGISTRY_STORAGE_GC_INTERVAL", "0").start()
}

/// What a collection did, or would do. It must not meet an obstacle.
#[track_caller]
pub(crate) fn collect(root: &Path, options: &[&str]) -> Value {
    let output = wharf(root, &[&["gc", "--json"], options].concat());
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Its figures: contents, links, manifests, repositories.
#[track_caller]
pub(crate) fn figures(report: &Value) -> [u64; 4] {
    ["contents", "links", "manifests", "repositories"].map(|figure| report[figure].as_u64().unwrap())
}

/// What a collection that can't be done says.
#[track_caller]
pub(crate) fn refusal(root: &Path, options: &[&str]) -> String {
    let output = wharf(root, &[&["gc"], options].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}
