//! A server with rules, and the command that asks it.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use serde_json::Value;

use crate::support::{
    command::wharf_with,
    server::{Launch, Program},
    store,
};

pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// wharf with one rule, or several, that runs only when it is told.
pub(crate) fn launch(root: &Path, rules: &str) -> Launch {
    Launch::new(Program::Wharf, root).set("REGISTRY_RETENTION", rules).set("REGISTRY_STORAGE_RETENTION_INTERVAL", "0")
}

/// What a run says that is made by the command.
#[track_caller]
pub(crate) fn retain(root: &Path, rules: &str, options: &[&str]) -> Value {
    let output = wharf_with(root, &[&["retention", "--json"], options].concat(), &[("REGISTRY_RETENTION", rules)]);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The tags that it names, with their repositories, in order.
pub(crate) fn named(report: &Value) -> Vec<String> {
    let removals = report["removals"].as_array().unwrap().iter();
    let name =
        |removal: &Value| format!("{}:{}", removal["repository"].as_str().unwrap(), removal["tag"].as_str().unwrap());
    removals.map(name).collect()
}

/// Dates the push of a tag back.
pub(crate) fn date(root: &Path, repository: &str, tag: &str, age: Duration) {
    let link = store::repository(root, repository).join("_manifests/tags").join(tag).join("current/link");
    fs::File::options().write(true).open(link).unwrap().set_modified(SystemTime::now() - age).unwrap();
}
