//! The messages of a start in the log.

use super::listen::Sockets;
use crate::{
    config::{Config, Mode, Store},
    storage::Durability,
};

/// The store, and what can be relied on.
pub(super) fn store(config: &Config) {
    let store = match &config.storage.store {
        Store::Filesystem { root } => root.display().to_string(),
        Store::S3(settings) => settings.to_string(),
        Store::Memory => match config.storage.memory_limit {
            None => "memory, gone when wharf stops".to_owned(),
            Some(limit) => format!("memory, at most {limit} bytes, gone when wharf stops"),
        },
    };
    let durability = match (&config.storage.store, config.storage.durability) {
        (Store::Memory, _) => "none",
        (Store::S3(_), _) => "that of the object store",
        (Store::Filesystem { .. }, Durability::Full) => "full: an acknowledged push survives a power cut",
        (Store::Filesystem { .. }, Durability::None) => "none: a power cut may lose what was pushed",
    };
    let mode = match &config.auth.mode {
        Mode::None => "none: everybody may do everything",
        Mode::Htpasswd(_) => "htpasswd",
        Mode::Token(_) => "token",
    };
    let user = rustix::process::geteuid().is_root().then_some("root, which it needs not be");
    tracing::info!(version = env!("CARGO_PKG_VERSION"), store, durability, mode, user, "wharf starts");
}

/// Where the debug listener is. The words are others than those that test harnesses wait for.
pub(super) fn debug(sockets: &Sockets) {
    for address in sockets.addresses() {
        tracing::info!("metrics and health are served at {address}");
    }
}

/// Where it listens: one line an address, in the form that test harnesses wait for.
pub(super) fn addresses(config: &Config, sockets: &Sockets) {
    for socket in &sockets.unix {
        if let Some(path) = socket.local_addr().ok().as_ref().and_then(|address| address.as_pathname()) {
            tracing::info!("listening on {}", path.display());
        }
    }
    for address in sockets.addresses() {
        if matches!(config.auth.mode, Mode::None) && !address.ip().is_loopback() {
            tracing::warn!("this registry is open: whoever reaches {} may push, overwrite and delete", address.ip());
        }
        tracing::info!("listening on {address}");
    }
}
