//! Maintenance of a store (`gc`, `fsck`): by the server that serves the store, or in this process if there is none.

use std::{fmt::Display, path::Path};

use serde::de::DeserializeOwned;
use tokio::sync::mpsc::{self, Sender};

use crate::{
    config::{Config, Store},
    registry::Registry,
    server::{
        components,
        control_socket::{self, Request},
    },
};

/// The number of events that may be queued.
const EVENTS: usize = 64;

/// The error for a `root` that is not a directory.
fn no_store_at(root: &Path) -> String {
    let whole = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    let what = if root.exists() { ": that is a file, and a store is a directory" } else { "" };
    format!("there is no store at {}{what} (storage.filesystem.rootdirectory)", whole.display())
}

/// Sends `request` to the server that serves the store, or runs `work` if there is none. `tell` gets each event.
///
/// # Errors
/// In words for the operator.
pub(super) fn work<E, R, X, F>(
    config: &Config,
    request: &Request,
    tell: impl FnMut(E),
    work: impl FnOnce(Registry, Sender<E>) -> F,
) -> Result<R, String>
where
    E: DeserializeOwned,
    R: DeserializeOwned,
    X: Display,
    F: Future<Output = Result<R, X>>,
{
    match &config.storage.store {
        Store::Filesystem { root } => {
            if !root.is_dir() {
                return Err(no_store_at(root));
            }
            let connection = control_socket::connect(root).map_err(|error| {
                format!("the server of {} can't be asked: {error}; run this as its user, or as root", root.display())
            })?;
            if let Some(connection) = connection {
                return control_socket::ask(connection, request, tell);
            }
        }
        Store::Memory => return Err("the settings keep the store in memory: there is nothing on a disk".to_owned()),
        // The nodes that serve a bucket may be on any machine.
        Store::S3(_) if matches!(request, Request::Fetch { .. } | Request::Events(_)) => {
            return Err("this command is not implemented yet for storage.s3".to_owned());
        }
        Store::S3(_) => {}
    }
    let mut done = Err(String::new());
    components::run_to_end(Box::pin(async {
        done = at_rest(config, request, tell, work).await;
    }))
    .map_err(|error| error.to_string())?;
    done
}

/// Runs `work` on the store, which no server has.
async fn at_rest<E, R, X: Display, F: Future<Output = Result<R, X>>>(
    config: &Config,
    request: &Request,
    mut tell: impl FnMut(E),
    work: impl FnOnce(Registry, Sender<E>) -> F,
) -> Result<R, String> {
    let registry = components::at_rest(config, request).await.map_err(|error| error.to_string())?;
    let opened = registry.clone();
    let (sender, mut events) = mpsc::channel(EVENTS);
    let telling = async {
        while let Some(event) = events.recv().await {
            tell(event);
        }
    };
    let (done, ()) = tokio::join!(work(registry, sender), telling);
    opened.close().await;
    done.map_err(|error| error.to_string())
}
