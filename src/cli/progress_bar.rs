//! The progress of a command, on a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on standard error, if that is a terminal.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new() -> Self {
        let style = ProgressStyle::with_template("{msg:24} {wide_bar} {pos}/{len} {elapsed}");
        let bar = ProgressBar::new(0);
        Self(style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style)))
    }

    /// Shows that `done` of `of` steps of the phase `what` are done.
    pub(super) fn show(&self, what: &'static str, done: u64, of: u64) {
        if self.0.message() != what {
            self.0.set_message(what);
        }
        self.0.set_length(of);
        self.0.set_position(done);
    }

    /// Prints a line on standard output, above the bar.
    pub(super) fn print(&self, line: &str) {
        self.0.suspend(|| super::output::answer(&format!("{line}\n")));
    }

    pub(super) fn clear(&self) {
        self.0.finish_and_clear();
    }
}
