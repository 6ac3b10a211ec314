//! What the token endpoint answers.

use std::time::Duration;

use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A token and what belongs to it, as its JSON has it.
#[derive(Clone, Debug, Serialize)]
pub struct TokenResponse {
    /// The token, for who asked by GET.
    pub token: String,
    /// The same, for who asked by POST.
    pub access_token: String,
    /// How many seconds it lives.
    pub expires_in: u64,
    /// When it was issued, RFC 3339.
    pub issued_at: String,
    /// What it carries, in an answer to a POST.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The identity token, where one was asked for and is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
}

/// Why there is no token. The texts are for the client, which shows them to a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No tokens are issued here: 404.
    #[error("no tokens are issued here")]
    NotHere,
    /// The name or the password is wrong: 401 with a Basic challenge. Clients show this very text.
    #[error("incorrect username or password")]
    WrongCredentials,
    /// The identity token is dead: 401, with the error of OAuth 2 beside ours, so that clients ask for a login.
    #[error("the identity token is not valid any more, log in again")]
    DeadRefreshToken,
    /// Not this registry's name: 400.
    #[error("this server issues no tokens for the service asked for")]
    UnknownService,
    /// The account is another than the one that logged in: 400.
    #[error("the account is not the user that logged in")]
    AccountMismatch,
    /// A kind of grant that there is not: 400.
    #[error("the grant_type must be password or refresh_token")]
    UnsupportedGrantType,
    /// Something is missing: 400.
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// More scopes than a token can carry: 400.
    #[error("too many scopes for one token")]
    TooManyScopes,
    /// Too many wrong credentials from there: 429.
    #[error("too many failed attempts, try again later")]
    Throttled {
        /// After how many seconds the next attempt is looked at.
        retry_after: u64,
    },
    /// It can't be said at this moment: 503.
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
    /// The `error` of [RFC 6749, section 5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2), to stand beside `errors`.
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

/// A time in seconds since 1970 as RFC 3339 has it.
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
