//! Work on a store: by the server that has it, or here if there is none.

use std::{fmt::Display, path::Path};

use serde::de::DeserializeOwned;
use tokio::sync::mpsc::{self, Sender};

use crate::{
    config::{Config, Store},
    registry::Registry,
    server::{control, open},
};

/// How many events may wait.
const EVENTS: usize = 64;

/// Why there is no store at `root`, which is no directory.
fn no_store_at(root: &Path) -> String {
    let whole = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    let what = if root.exists() { ": that is a file, and a store is a directory" } else { "" };
    format!("there is no store at {}{what} (storage.filesystem.rootdirectory)", whole.display())
}

/// Has `request` done by the server that has the store, or does `work` if there is none; tells each event to `tell`.
///
/// # Errors
/// In words for the operator.
pub(super) fn work<E, R, X, F>(
    config: &Config,
    request: &control::Request,
    mut tell: impl FnMut(E),
    work: impl FnOnce(Registry, Sender<E>) -> F,
) -> Result<R, String>
where
    E: DeserializeOwned,
    R: DeserializeOwned,
    X: Display,
    F: Future<Output = Result<R, X>>,
{
    let Store::Filesystem { root } = &config.storage.store else {
        return Err("the settings say that the store is in memory: there is nothing on a disk".to_owned());
    };
    if !root.is_dir() {
        return Err(no_store_at(root));
    }
    let connection = control::connect(root).map_err(|error| {
        format!("the server that has {} can't be asked: {error}; run this as its user, or as root", root.display())
    })?;
    if let Some(connection) = connection {
        return control::ask(connection, request, tell);
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let registry = open::at_rest(config).await.map_err(|error| error.to_string())?;
        let (sender, mut events) = mpsc::channel(EVENTS);
        let telling = async {
            while let Some(event) = events.recv().await {
                tell(event);
            }
        };
        let (done, ()) = tokio::join!(work(registry, sender), telling);
        done.map_err(|error| error.to_string())
    })
}
