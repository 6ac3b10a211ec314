//! `wharf config check` and `wharf config show`.

use std::fmt::Write;
use std::process::ExitCode;

use clap::Subcommand;

use super::{FileArguments, logging, output};
use crate::config::{self, Loaded, Notice, Source};
use crate::server::{self, StartError};

/// Check or show the settings.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Read the settings as `serve` would, and say what is wrong with them: exit code 0 if nothing is, else 1
    Check(FileArguments),
    /// Print every setting, its value, and whether that is a default or which line or variable set it
    Show(FileArguments),
    /// Print the tables of docs/settings.md
    #[command(hide = true)]
    Reference,
}

impl ConfigCommand {
    pub(super) fn run(self) -> ExitCode {
        match self {
            Self::Check(file) => with_settings(&file, |_| true, check),
            // What is said of no setting is not of what is shown.
            Self::Show(file) => {
                with_settings(&file, |notice| notice.place != Source::Default, |loaded| Ok(show(loaded)))
            }
            Self::Reference => output::answer(&config::reference()),
        }
    }
}

fn with_settings(
    file: &FileArguments,
    is_told: impl Fn(&&Notice) -> bool,
    answer: impl Fn(&Loaded) -> Result<String, StartError>,
) -> ExitCode {
    match file.sources().load() {
        Ok(loaded) => {
            for notice in loaded.notices.iter().filter(is_told) {
                output::complain(&format_args!("warning: {notice}"));
            }
            match answer(&loaded) {
                Ok(text) => output::answer(&text),
                Err(error) => {
                    output::complain(&error);
                    ExitCode::FAILURE
                }
            }
        }
        Err(errors) => {
            output::complain(&errors);
            ExitCode::FAILURE
        }
    }
}

/// What is right with the settings, and with the files that they name: all that `serve` would meet.
fn check(loaded: &Loaded) -> Result<String, StartError> {
    let named = loaded.file.as_ref().map(|file| format!("{}: ", file.display())).unwrap_or_default();
    let right = logging::with_warnings_told(|| server::check(&loaded.config))?;
    let mut page = format!("{named}the settings are right\n");
    for line in right {
        let _ = writeln!(page, "{line}");
    }
    Ok(page)
}

/// One setting a line, as a settings file that says the same; the source is a comment.
fn show(loaded: &Loaded) -> String {
    let mut page = String::new();
    let lines: Vec<_> = loaded
        .effective()
        .into_iter()
        .map(|shown| match shown.value.as_str() {
            "" => (format!("# {}", shown.key), "not set".to_owned()),
            value if shown.ignored => {
                (format!("{} = {value}", shown.key), format!("{}, changes nothing", shown.source))
            }
            value => (format!("{} = {value}", shown.key), shown.source.to_string()),
        })
        .collect();
    let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or_default().min(60);
    for (line, source) in lines {
        let _ = writeln!(page, "{line:width$}  # {source}");
    }
    page
}
