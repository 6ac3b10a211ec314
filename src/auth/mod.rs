//! Who are you, what may you. Knows neither HTTP nor the store: `api` hands over header values and turns answers into responses.

mod access;
mod authorization;
mod error;
mod glob;
mod htpasswd;
mod password_hash;
mod passwords;
mod principal;
mod realm;
mod remembered;
mod secret;
mod throttle;
mod token;
mod watch;

use std::net::IpAddr;

pub use password_hash::{InvalidHash, NoRandomness, hash_password};
pub use principal::Principal;
pub use secret::Secret;

use crate::oci::ResourceScope;

/// What a request says of its sender.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// The value of the one `Authorization` header.
    pub authorization: Option<&'a [u8]>,
    /// The address the request came from.
    pub address: IpAddr,
}

/// Why a request is not let in, whatever it wants.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The credentials are wrong, unreadable, expired: 401 with the challenge.
    #[error("the credentials are not accepted")]
    Invalid,
    /// Too many wrong ones from there: 429.
    #[error("too many failed attempts")]
    Throttled {
        /// After how many seconds the next attempt is looked at.
        retry_after: u64,
    },
    /// They can't be checked at this moment: 503.
    #[error("credentials can't be checked at this moment")]
    Unavailable,
}

/// The mode of authentication: exactly one for a server.
#[derive(Debug)]
pub enum Authenticator {
    /// Everybody may do everything.
    Open,
}

impl Authenticator {
    /// Who sent a request. One without credentials is [`Principal::anonymous`], never a refusal.
    ///
    /// # Errors
    /// [`Refusal`] where there are credentials that don't hold.
    #[expect(clippy::unused_async, reason = "passwords are hashed on other threads")]
    pub async fn authenticate(&self, _credentials: Credentials<'_>) -> Result<Principal, Refusal> {
        match self {
            Self::Open => Ok(Principal::unrestricted()),
        }
    }

    /// The value of `WWW-Authenticate` for a 401; `None` in a mode that never challenges. `host` is the request's Host header, `wanted` what the
    /// request would need, `error` the code of RFC 6750 (`invalid_token`, `insufficient_scope`).
    #[must_use]
    pub fn challenge(
        &self,
        _host: Option<&str>,
        _wanted: &[ResourceScope],
        _error: Option<&'static str>,
    ) -> Option<String> {
        match self {
            Self::Open => None,
        }
    }
}
