//! What commands say: answers on standard output, complaints on standard error.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use super::logging;

/// Prints the answer of a command. A reader that has gone (`wharf config show | head`) is no failure.
pub(super) fn answer(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("standard output can't be written: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints what is wrong, each line with the name of the program before it.
pub(super) fn complain(problem: &dyn Display) {
    // What was logged before comes first.
    logging::flush();
    let mut err = io::stderr().lock();
    for line in problem.to_string().lines() {
        // Nobody is left to be told that standard error is gone.
        let _ = writeln!(err, "wharf: {line}");
    }
}
