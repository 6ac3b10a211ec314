//! `wharf serve`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{CommandResult, FileArguments, foreground, logging, throwaway::Throwaway};

/// Serve the registry.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    file: FileArguments,
    /// The address to listen on, instead of that of the settings: host:port, or :port
    #[arg(long, value_name = "ADDRESS")]
    addr: Option<String>,
    /// Write this file (JSON: addr, pid) once connections are accepted
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,
    #[command(flatten)]
    throwaway: Throwaway,
}

impl Serve {
    /// The word in the place of the file, if no such file exists: probably a mistyped command.
    pub(super) fn word_without_file(&self) -> Option<&str> {
        let word = self.file.file.as_ref()?.to_str()?;
        let is_word = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        (is_word && !Path::new(word).exists()).then_some(word)
    }

    /// Serves until a signal stops it.
    pub(super) fn run(self) -> CommandResult {
        let mut sources = self.file.sources();
        if let Some(addr) = self.addr {
            sources.flags.push(("--addr", "http.addr", addr));
        }
        // It has to stay until the server ends: the users are read again at each reload.
        let _users = self.throwaway.users(&mut sources)?;
        let loaded = sources.load()?;
        logging::start(&loaded.config.log);
        if let Some(file) = &loaded.file {
            tracing::info!(file = %file.display(), "settings read");
        }
        for notice in &loaded.notices {
            tracing::warn!("{notice}");
        }
        let archives = self.throwaway.archives()?;
        foreground::serve(sources, loaded, archives, self.ready_file.as_deref())
    }
}
