//! Responses of the token endpoint.

use std::time::Duration;

use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A token, as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct TokenResponse {
    /// The token, for clients that use GET.
    pub token: String,
    /// The same, for clients that use POST.
    pub access_token: String,
    /// For how many seconds it is valid.
    pub expires_in: u64,
    /// When it was issued, RFC 3339.
    pub issued_at: String,
    /// The rights that it gives, in a response to a POST.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The identity token, if one was requested and is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
}

/// Why there is no token. Clients show the texts to their users.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No tokens are issued here: 404.
    #[error("no tokens are issued here")]
    NotHere,
    /// The name or the password is wrong: 401 with a Basic challenge.
    #[error("incorrect username or password")]
    WrongCredentials,
    /// The identity token is not valid any more: 401. The error of OAuth 2 makes clients ask for a login.
    #[error("the identity token is not valid any more, log in again")]
    DeadRefreshToken,
    /// The service is not this registry: 400.
    #[error("this server issues no tokens for the service asked for")]
    UnknownService,
    /// The account is not the user that logged in: 400.
    #[error("the account is not the user that logged in")]
    AccountMismatch,
    /// The type of grant is unknown: 400.
    #[error("the grant_type must be password or refresh_token")]
    UnsupportedGrantType,
    /// A field is missing: 400.
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// There are more scopes than a token can have: 400.
    #[error("too many scopes for one token")]
    TooManyScopes,
    /// Too many wrong credentials came from the address: 429.
    #[error("too many failed attempts, try again later")]
    Throttled {
        /// After how many seconds the client may try again.
        retry_after: u64,
    },
    /// Tokens can't be issued at the moment: 503.
    #[error("tokens can't be issued at this moment")]
    Unavailable,
}

impl TokenResponse {
    pub(crate) fn new(
        token: String,
        lifetime: Duration,
        now: u64,
        scope: Option<String>,
        refresh_token: Option<String>,
    ) -> Self {
        let (expires_in, issued_at) = (lifetime.as_secs(), rfc3339(now));
        Self { access_token: token.clone(), token, expires_in, issued_at, scope, refresh_token }
    }
}

impl TokenError {
    /// The `error` of [RFC 6749, section 5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2), which stands beside
    /// `errors`.
    #[must_use]
    pub fn oauth_error(&self) -> Option<&'static str> {
        match self {
            Self::DeadRefreshToken | Self::WrongCredentials => Some("invalid_grant"),
            Self::UnsupportedGrantType => Some("unsupported_grant_type"),
            Self::TooManyScopes => Some("invalid_scope"),
            Self::InvalidRequest(_) | Self::UnknownService | Self::AccountMismatch => Some("invalid_request"),
            Self::NotHere | Self::Throttled { .. } | Self::Unavailable => None,
        }
    }
}

/// A time in seconds since 1970 in the form of RFC 3339.
fn rfc3339(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    time.unwrap_or(OffsetDateTime::UNIX_EPOCH).format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

    use super::*;

    #[test]
    fn b33_the_answer() {
        let response = TokenResponse::new("t".to_owned(), Duration::from_secs(300), 1_577_836_800, None, None);
        let json = serde_json::to_string(&response).unwrap();
        assert_eq!(json, r#"{"token":"t","access_token":"t","expires_in":300,"issued_at":"2020-01-01T00:00:00Z"}"#);
    }
}
