//! A running server.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::Config;

/// Serves until it is told to stop.
#[must_use]
pub fn run(_config: Config, _ready_file: Option<PathBuf>) -> ExitCode {
    ExitCode::FAILURE
}
