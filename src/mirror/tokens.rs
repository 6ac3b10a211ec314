//! Tokens: what an upstream's issuer gave for each repository.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::Deserialize;
use tokio::{sync::Mutex as AsyncMutex, time::Instant};

use super::challenge::Challenge;
use crate::client::HeaderValue;

/// How long a token is valid whose issuer does not say it ([distribution, token specification]).
///
/// [distribution, token specification]: https://distribution.github.io/distribution/spec/auth/token/
const DEFAULT_LIFETIME: u64 = 60;

/// A token is not used in the last part of its life, so that it does not end on the way.
const MARGIN: Duration = Duration::from_secs(5);

/// For how many repositories tokens are kept. All are dropped when there are more.
const KEPT: usize = 10_000;

/// The answer of an issuer.
#[derive(Deserialize)]
pub(super) struct IssuedToken {
    #[serde(default)]
    token: Option<String>,
    /// The same, by the name that OAuth has. Docker Hub sends both.
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<u64>,
}

/// The access to one repository: how it was asked for, and the token.
#[derive(Clone, Debug, Default)]
pub(super) struct Access {
    /// The challenge that the upstream sent last.
    pub(super) challenge: Option<Challenge>,
    token: Option<(HeaderValue, Instant)>,
}

/// The tokens of an upstream. Of each repository, one request at a time gets a token, and the others wait for it.
#[derive(Debug, Default)]
pub(super) struct Tokens(Mutex<HashMap<String, Arc<AsyncMutex<Access>>>>);

impl Tokens {
    /// The access to a repository.
    pub(super) fn of(&self, repository: &str) -> Arc<AsyncMutex<Access>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(access) = all.get(repository) {
            return Arc::clone(access);
        }
        if all.len() >= KEPT {
            all.clear();
        }
        Arc::clone(all.entry(repository.to_owned()).or_default())
    }
}

impl Access {
    /// The value of `Authorization`, as long as it is valid.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        self.token.as_ref().filter(|(_, end)| Instant::now() < *end).map(|(value, _)| value.clone())
    }

    /// Forgets the token, unless another one than `refused` is there by now.
    pub(super) fn refuse(&mut self, refused: Option<&HeaderValue>) {
        if self.token.as_ref().map(|(value, _)| value) == refused {
            self.token = None;
        }
    }

    /// Takes a token. `None`: the answer has none.
    pub(super) fn take(&mut self, issued: &IssuedToken) -> Option<HeaderValue> {
        let token = issued.token.as_ref().or(issued.access_token.as_ref()).filter(|token| !token.is_empty())?;
        let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
        value.set_sensitive(true);
        let lifetime =
            Duration::from_secs(issued.expires_in.filter(|seconds| *seconds > 0).unwrap_or(DEFAULT_LIFETIME));
        let margin = MARGIN.min(lifetime / 4);
        self.token = Some((value.clone(), Instant::now() + lifetime.saturating_sub(margin)));
        Some(value)
    }
}
