//! Waiting for a condition, or for the end of a program. Each wait has an end.

use std::{
    process::{Child, ExitStatus},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// How long a test waits for something that should come at once: no loaded machine takes that long, and no test hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until a condition holds, such as a file that the server has read again. Fails when it doesn't hold in time.
#[track_caller]
pub(crate) fn eventually(what: &str, holds: impl FnMut() -> bool) {
    assert!(holds_in_time(holds), "not in {PATIENCE:?}: {what}");
}

/// Waits until a condition holds; whether it did in time.
#[must_use]
pub(crate) fn holds_in_time(holds: impl FnMut() -> bool) -> bool {
    holds_within(PATIENCE, holds)
}

/// Waits as long as `limit` until a condition holds; whether it does.
pub(crate) fn holds_within(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while !holds() {
        if Instant::now() > deadline {
            return false;
        }
        sleep(Duration::from_millis(10));
    }
    true
}

/// As [`eventually`], in a runtime; what is waited for is returned.
pub(crate) async fn found<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not in {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Lets a time pass where the time itself is the input of the test; `_why` says which time that is.
pub(crate) fn pass(time: Duration, _why: &'static str) {
    sleep(time);
}

/// Waits for the end of a program. Fails, and kills it, when it doesn't end in time.
#[track_caller]
pub(crate) fn ended(child: &mut Child) -> ExitStatus {
    if !holds_in_time(|| child.try_wait().unwrap().is_some()) {
        kill(child);
        panic!("a program does not end in {PATIENCE:?}");
    }
    child.try_wait().unwrap().unwrap()
}

/// SIGTERM, and the end of the program.
#[track_caller]
pub(crate) fn terminate(child: &mut Child) -> ExitStatus {
    kill_process(Pid::from_child(child), Signal::TERM).unwrap();
    ended(child)
}

/// SIGTERM, and SIGKILL if the program hasn't ended within `limit`. It never fails, so it serves in `drop`.
pub(crate) fn end(child: &mut Child, limit: Duration) {
    let _ = kill_process(Pid::from_child(child), Signal::TERM);
    holds_within(limit, || !matches!(child.try_wait(), Ok(None)));
    kill(child);
}

/// SIGKILL, and the end of the program, which may have ended before. It never fails, so it serves in `drop`.
pub(crate) fn kill(child: &mut Child) {
    let _ = child.kill();
    let _ = holds_in_time(|| !matches!(child.try_wait(), Ok(None)));
}
