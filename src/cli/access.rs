//! `wharf access explain`: which rule decides.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{FileArguments, output};
use crate::{
    auth::{ANONYMOUS, AccessRules},
    config::Mode,
    oci::{Action, RepositoryName},
    server::authentication,
};

/// Say who may do what.
#[derive(Debug, Subcommand)]
pub(super) enum AccessCommand {
    /// Say whether a user may do something, and which rule decides: exit code 0 if it may, else 1
    Explain(Explain),
}

/// Who, what, and to which repository.
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
    pub(super) fn run(self) -> ExitCode {
        let Self::Explain(explain) = self;
        let loaded = match explain.settings.sources().load() {
            Ok(loaded) => loaded,
            Err(errors) => {
                output::complain(&errors);
                return ExitCode::FAILURE;
            }
        };
        match authentication::access(&loaded.config) {
            Ok(_) if matches!(loaded.config.auth.mode, Mode::None) => {
                output::answer("allowed: auth.mode is none, so everybody may do everything\n")
            }
            Ok(access) => explain.answer(&access),
            Err(error) => {
                output::complain(&error);
                ExitCode::FAILURE
            }
        }
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
