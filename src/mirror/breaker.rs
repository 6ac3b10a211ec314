//! The breaker: an upstream that is down is not asked for a while, so that nobody waits for it.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The first pause after a failure.
const FIRST: Duration = Duration::from_secs(1);

/// The first pause after a wait that came to nothing.
const FIRST_AFTER_WAIT: Duration = Duration::from_secs(10);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(60);

/// How long the one request may take that tries again after a pause.
const TRIAL: Duration = Duration::from_secs(10);

/// How many answers with a status of 5xx, one after the other, count as a failure.
const ERRORS: u32 = 5;

/// Whether an upstream is asked.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// How many failures there were since the last answer.
    failures: u32,
    /// How many answers with a status of 5xx there were since the last other one.
    errors: u32,
    /// Until when nothing is asked.
    paused_until: Option<Instant>,
    /// When the request was sent that tries again after a pause.
    trial: Option<Instant>,
}

/// How a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// At once: a connection was refused or broke.
    AtOnce,
    /// After a wait.
    AfterWait,
    /// With a status of 5xx.
    Status,
}

impl Breaker {
    /// Whether a request may be sent now.
    pub(super) fn admits(&self) -> bool {
        let (mut state, now) = (self.state(), Instant::now());
        let Some(until) = state.paused_until else { return true };
        let is_tried = state.trial.is_some_and(|since| now < since + TRIAL);
        if now < until || is_tried {
            return false;
        }
        state.trial = Some(now);
        true
    }

    /// Whether the upstream is down, as far as is known.
    pub(super) fn is_open(&self) -> bool {
        self.state().paused_until.is_some()
    }

    /// A request was answered; whether the upstream was down until now.
    pub(super) fn answered(&self) -> bool {
        std::mem::take(&mut *self.state()).paused_until.is_some()
    }

    /// A request failed; whether the upstream was down already.
    pub(super) fn failed(&self, failure: Failure) -> bool {
        let mut state = self.state();
        let was_down = state.paused_until.is_some();
        let first = match failure {
            Failure::AtOnce => FIRST,
            Failure::AfterWait => FIRST_AFTER_WAIT,
            Failure::Status => {
                state.errors += 1;
                if state.errors < ERRORS {
                    return was_down;
                }
                FIRST
            }
        };
        let pause = first * 2_u32.saturating_pow(state.failures.min(6));
        state.failures += 1;
        state.trial = None;
        state.paused_until = Some(Instant::now() + pause.min(LONGEST));
        was_down
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_request_tries_again_after_each_pause() {
        let breaker = Breaker::default();
        let mut pauses = Vec::new();
        for _ in 0..9 {
            assert!(breaker.admits());
            assert_eq!(breaker.failed(Failure::AtOnce), !pauses.is_empty());
            let begin = Instant::now();
            while !breaker.admits() {
                tokio::time::advance(Duration::from_millis(500)).await;
            }
            pauses.push(begin.elapsed().as_secs());
            assert!(!breaker.admits(), "only one at a time");
            tokio::time::advance(TRIAL).await;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert!(breaker.answered() && !breaker.answered());
        assert!(breaker.admits() && breaker.admits());
    }

    #[tokio::test(start_paused = true)]
    async fn some_errors_in_a_row_are_a_failure() {
        let breaker = Breaker::default();
        for _ in 0..3 {
            for _ in 1..ERRORS {
                breaker.failed(Failure::Status);
                assert!(breaker.admits());
            }
            breaker.answered();
        }
        for _ in 0..ERRORS {
            breaker.failed(Failure::Status);
        }
        assert!(!breaker.admits() && breaker.is_open());
    }
}
