//! Waiting for a condition, with an end.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// How long a test waits for something that should come at once: no loaded machine takes that long, and no test hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until a condition holds, such as a file that the server has read again. Fails when it doesn't hold in time.
#[track_caller]
pub(crate) fn eventually(what: &str, holds: impl FnMut() -> bool) {
    assert!(holds_in_time(holds), "not in {PATIENCE:?}: {what}");
}

/// Waits until a condition holds; whether it did in time.
#[must_use]
pub(crate) fn holds_in_time(mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        if Instant::now() > deadline {
            return false;
        }
        sleep(Duration::from_millis(20));
    }
    true
}
