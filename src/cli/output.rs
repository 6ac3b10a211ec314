//! The output of commands: answers on standard output, errors and warnings on standard error.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use tracing_subscriber::{filter::LevelFilter, prelude::*};

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

/// Does `work`, and prints its warnings as a command does, on standard error.
pub(super) fn with_printed_warnings<T>(work: impl FnOnce() -> T) -> T {
    let subscriber = tracing_subscriber::registry().with(PrintWarnings.with_filter(LevelFilter::WARN));
    tracing::subscriber::with_default(subscriber, work)
}

/// Prints warnings and errors without time and level.
struct PrintWarnings;

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for PrintWarnings {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let mut message = String::new();
        event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            if field.name() == "message" {
                message = format!("{value:?}");
            }
        });
        complain(&format_args!("warning: {message}"));
    }
}
