//! Rules that change while the server runs.

use std::path::PathBuf;

use crate::{
    config::Sources,
    files::{Content, Poll, Snapshot, Watch},
    server::Server,
};

/// The sources of the rules, and a watch on the settings file.
pub(super) struct Rules {
    sources: Sources,
    file: Watch,
}

impl Rules {
    pub(super) fn new(sources: Sources, file: Option<PathBuf>) -> Self {
        Self { sources, file: Watch::new(file.into_iter().map(|path| (path, Content::Public)).collect()) }
    }

    /// Reads settings, users and keys again, and puts the rules in force. If the settings have an error, nothing
    /// changes.
    pub(super) fn reload(&self, server: &Server) {
        match self.sources.load() {
            Ok(loaded) => match server.reload(&loaded.config) {
                Ok(()) => tracing::info!(
                    "rules, groups, users and keys were read again; other settings take effect at the next start"
                ),
                Err(error) => tracing::error!("{error}; the rules that were read before stay in force"),
            },
            Err(errors) => tracing::error!("{errors}; the rules that were read before stay in force"),
        }
    }

    /// The same, if the settings file has changed. A missing file changes nothing: editors remove a file before they
    /// replace it.
    pub(super) fn reload_if_changed(&mut self, server: &Server) {
        let is_there = |file: &Snapshot| file.bytes().is_ok();
        if self.file.poll() == Poll::Changed && self.file.snapshots().iter().all(is_there) {
            self.reload(server);
        }
    }
}
