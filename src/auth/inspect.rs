//! Reads a token, and tells whether a server with given settings would accept it. Nothing is written.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use super::{
    error::AuthError,
    external::External,
    principal::Grants,
    settings::Settings,
    token::{KeyRing, TokenRefusal, Verifier},
};

/// The two readable parts of a token.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenText {
    /// The header.
    pub header: Value,
    /// The claims.
    pub claims: Value,
}

/// Reads a token without verifying it; `None` if the text is no token.
#[must_use]
pub fn read_token(token: &str) -> Option<TokenText> {
    let mut parts = token.split('.').map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok());
    let (header, claims) = (parts.next()??, parts.next()??);
    Some(TokenText { header, claims })
}

/// The rights that a token would give at `now` (seconds since 1970), or why it would be refused; `None` in a mode
/// without tokens.
///
/// # Errors
/// [`AuthError`] if the keys can't be read.
pub fn judge_token(
    settings: &Settings,
    token: &str,
    now: u64,
) -> Result<Option<Result<Grants, TokenRefusal>>, AuthError> {
    let verifier = match settings {
        Settings::Open | Settings::Htpasswd { .. } => return Ok(None),
        Settings::Builtin(settings) => {
            let keys = &KeyRing::open(&settings.key)?.current().value;
            Verifier::own(Arc::clone(&keys.trusted), &settings.issuer, &settings.service)
        }
        Settings::External(settings) => External::open(settings)?.verifier(),
    };
    Ok(Some(verifier.verify(token, now).map(|claims| claims.grants())))
}
