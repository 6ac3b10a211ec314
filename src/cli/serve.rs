//! `wharf serve`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{FileArguments, logging, output, running};

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
                hint_at_commands(self.file.file);
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
        running::until_told_to_stop(sources, loaded, self.ready_file.as_deref())
    }
}

/// `wharf serv` is a mistyped command, and reads as a file that is not there.
fn hint_at_commands(file: Option<PathBuf>) {
    if let Some(file) = file.filter(|file| !file.exists() && file.extension().is_none()) {
        output::complain(&format!("if `{}` was meant as a command: wharf --help lists them", file.display()));
    }
}
