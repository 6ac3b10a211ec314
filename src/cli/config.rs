//! `wharf config check` and `wharf config show`.

use std::fmt::Write;

use clap::Subcommand;

use super::{CommandResult, FileArguments, output};
use crate::config::{self, Loaded, Notice, Source};
use crate::server::{self, StartError};

/// Check or show the settings.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Read the settings as `serve` does, and report every error: exit code 0 if there is none, else 1
    Check(Check),
    /// Print every setting, its value, and the source of the value: the default, a line or a variable
    Show(FileArguments),
    /// Print the tables of docs/settings.md
    #[command(hide = true)]
    Reference,
}

/// The arguments of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    #[command(flatten)]
    file: FileArguments,
    /// Try the bucket of `storage.s3` too: that it answers, takes writes, and decides races
    #[arg(long)]
    connect: bool,
}

impl ConfigCommand {
    pub(super) fn run(self) -> CommandResult {
        match self {
            Self::Check(Check { file, connect }) => with_settings(&file, |_| true, |loaded| check(loaded, connect)),
            // A notice about no setting does not concern what is shown.
            Self::Show(file) => {
                with_settings(&file, |notice| notice.place != Source::Default, |loaded| Ok(show(loaded)))
            }
            Self::Reference => Ok(output::answer(&config::reference())),
        }
    }
}

fn with_settings(
    file: &FileArguments,
    is_told: impl Fn(&&Notice) -> bool,
    answer: impl Fn(&Loaded) -> Result<String, StartError>,
) -> CommandResult {
    let loaded = file.sources().load()?;
    for notice in loaded.notices.iter().filter(is_told) {
        output::complain(&format_args!("warning: {notice}"));
    }
    Ok(output::answer(&answer(&loaded)?))
}

/// Checks the settings and the files that they name, by the same code as `serve`.
fn check(loaded: &Loaded, connect: bool) -> Result<String, StartError> {
    let named = loaded.file.as_ref().map(|file| format!("{}: ", file.display())).unwrap_or_default();
    let mut right = output::with_printed_warnings(|| server::check(&loaded.config))?;
    if connect {
        right.extend(output::with_printed_warnings(|| server::try_store(&loaded.config))?);
    }
    let mut page = format!("{named}the settings are right\n");
    for line in right {
        let _ = writeln!(page, "{line}");
    }
    Ok(page)
}

/// One setting per line, as a settings file with the same meaning; the source is a comment.
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
