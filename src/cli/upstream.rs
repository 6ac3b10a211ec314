//! `wharf upstream check`: whether the upstreams answer, and take the credentials.

use std::process::ExitCode;

use clap::Subcommand;

use super::{CommandResult, FileArguments, output};
use crate::server::upstreams;

#[derive(Debug, Subcommand)]
pub(super) enum UpstreamCommand {
    /// Ask each upstream once, and say whether it answers and takes the credentials
    Check(FileArguments),
}

impl UpstreamCommand {
    /// Exit code 0 if all answer, else 1.
    pub(super) fn run(self) -> CommandResult {
        let Self::Check(file) = self;
        let config = file.sources().load()?.config;
        let Some(mirror) = upstreams::mirror(&config)? else {
            return Err("the settings name no upstream ([proxy] or [[upstream]])".into());
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut code = ExitCode::SUCCESS;
        for (host, state) in runtime.block_on(mirror.check()) {
            match state {
                Ok(text) => drop(output::answer(&format!("{host}: {text}\n"))),
                Err(problem) => {
                    output::complain(&format_args!("{host}: {problem}"));
                    code = ExitCode::FAILURE;
                }
            }
        }
        Ok(code)
    }
}
