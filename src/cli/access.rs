//! `wharf access explain`: the rule that decides.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{CommandResult, FileArguments, output};
use crate::{
    auth::{ANONYMOUS, AccessRules},
    config::Mode,
    oci::{Action, RepositoryName},
    server::authentication,
};

/// Explain what a user may do.
#[derive(Debug, Subcommand)]
pub(super) enum AccessCommand {
    /// Say whether a user may do something, and which rule decides: exit code 0 if allowed, else 1
    Explain(Explain),
}

/// A user, an action and a repository.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The name of the user; `anonymous` for requests without a login
    user: String,
    /// The name of the repository
    repository: RepositoryName,
    /// `pull`, `push`, `create` (push new tags only) or `delete`
    action: Action,
    #[command(flatten)]
    settings: FileArguments,
}

impl AccessCommand {
    pub(super) fn run(self) -> CommandResult {
        let Self::Explain(explain) = self;
        let config = explain.settings.sources().load()?.config;
        let access = authentication::access(&config)?;
        Ok(match config.auth.mode {
            Mode::None => output::answer("allowed: auth.mode is none, so everybody may do everything\n"),
            _ => explain.answer(&access),
        })
    }
}

impl Explain {
    fn answer(&self, access: &AccessRules) -> ExitCode {
        let user = Some(self.user.as_str()).filter(|user| *user != ANONYMOUS);
        let verdict = access.explain(user, self.action, &self.repository);
        let code = output::answer(&format!("{verdict}\n"));
        if verdict.is_allowed() { code } else { ExitCode::FAILURE }
    }
}
