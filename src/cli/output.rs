//! The output of commands: answers on standard output, errors and warnings on standard error.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use super::logging;

/// Prints the answer of a command. A closed pipe (`wharf config show | head`) is not an error.
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

/// Prints an error or a warning. Each line begins with the name of the program.
pub(super) fn complain(problem: &dyn Display) {
    // Earlier lines of the log come first.
    logging::flush();
    let mut err = io::stderr().lock();
    for line in problem.to_string().lines() {
        // If standard error is closed, there is no place left to report it.
        let _ = writeln!(err, "wharf: {line}");
    }
}
