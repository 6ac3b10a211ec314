//! `wharf serve`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::{FileArguments, foreground, logging, output};

/// Serve the registry.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    file: FileArguments,
    /// Listen here instead of where the settings say: host:port, or :port
    #[arg(long, value_name = "ADDRESS")]
    addr: Option<String>,
    /// Write this file (JSON: addr, pid) once connections are accepted
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,
}

impl Serve {
    /// The word in the place of a file that is none: a command, mistyped.
    pub(super) fn word_without_file(&self) -> Option<&str> {
        let word = self.file.file.as_ref()?.to_str()?;
        let is_word = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        (is_word && !Path::new(word).exists()).then_some(word)
    }

    /// Serves until it is told to stop, or says why it can't.
    pub(super) fn run(self) -> ExitCode {
        let mut sources = self.file.sources();
        if let Some(addr) = self.addr {
            sources.flags.push(("--addr", "http.addr", addr));
        }
        let loaded = match sources.load() {
            Ok(loaded) => loaded,
            Err(errors) => {
                output::complain(&errors);
                return ExitCode::FAILURE;
            }
        };
        logging::start(&loaded.config.log);
        if let Some(file) = &loaded.file {
            tracing::info!(file = %file.display(), "settings read");
        }
        for notice in &loaded.notices {
            tracing::warn!("{notice}");
        }
        foreground::until_told_to_stop(sources, loaded, self.ready_file.as_deref())
    }
}
