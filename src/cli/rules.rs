//! Rules that change while the server runs.

use std::{fs, path::PathBuf};

use crate::{config::Sources, server::Server};

/// Where the rules come from, and what was there when they were last read.
pub(super) struct Rules {
    sources: Sources,
    file: Option<PathBuf>,
    read: Option<Vec<u8>>,
    /// What is there now, until it has been the same for one look: a file that is being written is not half read.
    changing: Option<Vec<u8>>,
}

impl Rules {
    pub(super) fn new(sources: Sources, file: Option<PathBuf>) -> Self {
        let read = file.as_ref().and_then(|file| fs::read(file).ok());
        Self { sources, file, read, changing: None }
    }

    /// Puts the rules in force that the settings have now, and reads users and keys again. Settings that can't be read change nothing.
    pub(super) fn reload(&mut self, server: &Server) {
        self.read = self.content();
        match self.sources.load() {
            Ok(loaded) => match server.reload(&loaded.config) {
                Ok(()) => tracing::info!(
                    "rules, groups, users and keys were read again; other settings hold from the next start"
                ),
                Err(error) => tracing::error!("{error}; the rules that were read before stay in force"),
            },
            Err(errors) => tracing::error!("{errors}; the rules that were read before stay in force"),
        }
    }

    /// The same, if the settings' file has changed and come to rest.
    pub(super) fn reload_if_changed(&mut self, server: &Server) {
        let now = self.content();
        if now.is_none() || now == self.read {
            self.changing = None;
        } else if now == self.changing {
            self.changing = None;
            self.reload(server);
        } else {
            self.changing = now;
        }
    }

    /// What is in the file; `None` while it is not there, as between the two steps of an editor that replaces it.
    fn content(&self) -> Option<Vec<u8>> {
        self.file.as_ref().and_then(|file| fs::read(file).ok())
    }
}
