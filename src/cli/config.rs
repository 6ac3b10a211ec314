//! `wharf config check` and `wharf config show`.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

use super::{FileArguments, output};
use crate::auth::{PasswordFile, PasswordFileError};
use crate::config::{self, Issuer, Loaded, Mode, Notice, Source, Token};
use crate::server::{self, TlsError};

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
    answer: impl Fn(&Loaded) -> Result<String, CheckError>,
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

/// What `serve` would meet after the settings were read.
#[derive(Debug, thiserror::Error)]
enum CheckError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Users(#[from] PasswordFileError),
}

/// What is right with the settings, and with the files that they name.
fn check(loaded: &Loaded) -> Result<String, CheckError> {
    let named = loaded.file.as_ref().map(|file| format!("{}: ", file.display())).unwrap_or_default();
    let mut page = format!("{named}the settings are right\n");
    if let Some(tls) = &loaded.config.http.tls {
        let _ = writeln!(page, "{}", server::check_certificate(tls)?);
    }
    if let Some(path) = users(&loaded.config.auth.mode) {
        if path.exists() {
            let _ = writeln!(page, "{} has {} users", path.display(), PasswordFile::open(path)?.users().len());
        } else {
            output::complain(&format_args!(
                "warning: {} is not there: nobody can log in until it is (wharf user add --file {0} NAME)",
                path.display()
            ));
        }
    }
    Ok(page)
}

/// The file of users, where there is one.
fn users(mode: &Mode) -> Option<&Path> {
    match mode {
        Mode::Htpasswd(htpasswd) => Some(&htpasswd.path),
        Mode::Token(Token { issued_by: Issuer::BuiltIn { users, .. }, .. }) => Some(users),
        Mode::None | Mode::Token(_) => None,
    }
}

/// One setting a line, as a settings file that says the same; the source is a comment.
fn show(loaded: &Loaded) -> String {
    let mut page = String::new();
    let lines: Vec<_> = loaded
        .shown()
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
