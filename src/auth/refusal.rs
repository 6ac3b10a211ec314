//! Refused credentials, and how many there were.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::token::TokenError;

/// Why credentials are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The credentials are wrong, unreadable or of a kind that the mode does not have: 401 with the challenge, and no
    /// `error` in it.
    #[error("the credentials are not accepted")]
    Invalid,
    /// The token is not valid: 401 with the challenge and `error="invalid_token"`.
    #[error("the token is not accepted")]
    InvalidToken,
    /// Too many wrong credentials came from the address: 429.
    #[error("too many failed attempts")]
    Throttled {
        /// After how many seconds the client may try again.
        retry_after: u64,
    },
    /// Credentials can't be checked at the moment: 503.
    #[error("credentials can't be checked at this moment")]
    Unavailable,
}

/// Counters of refused credentials, by reason.
#[derive(Debug, Default)]
pub struct RefusalCounts {
    wrong: AtomicU64,
    token: AtomicU64,
    throttled: AtomicU64,
    unavailable: AtomicU64,
}

impl RefusalCounts {
    /// The reasons, each with its count.
    #[must_use]
    pub fn by_reason(&self) -> [(&'static str, u64); 4] {
        let Self { wrong, token, throttled, unavailable } = self;
        [("credentials", wrong), ("token", token), ("throttled", throttled), ("unavailable", unavailable)]
            .map(|(reason, counter)| (reason, counter.load(Relaxed)))
    }

    /// Counts the refusal, if this is one.
    pub(super) fn count<T>(&self, checked: Result<T, Refusal>) -> Result<T, Refusal> {
        checked.inspect_err(|refusal| {
            let counter = match refusal {
                Refusal::Invalid => &self.wrong,
                Refusal::InvalidToken => &self.token,
                Refusal::Throttled { .. } => &self.throttled,
                Refusal::Unavailable => &self.unavailable,
            };
            counter.fetch_add(1, Relaxed);
        })
    }

    /// The same for a request for a token.
    pub(super) fn count_issue<T>(&self, issued: Result<T, TokenError>) -> Result<T, TokenError> {
        issued.inspect_err(|error| {
            let counter = match error {
                TokenError::WrongCredentials => &self.wrong,
                TokenError::DeadRefreshToken => &self.token,
                TokenError::Throttled { .. } => &self.throttled,
                TokenError::Unavailable => &self.unavailable,
                _ => return,
            };
            counter.fetch_add(1, Relaxed);
        })
    }
}
