//! What a token says, and whether a server with given settings would take it. Nothing is written.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use super::{
    error::AuthError,
    external::External,
    settings::{BuiltinSettings, KeySource, Settings},
    token::{KeyFolder, KeyRing, TokenRefusal, Verifier},
};

/// The two readable parts of a token.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenText {
    /// How it is signed.
    pub header: Value,
    /// What it says.
    pub claims: Value,
}

/// Reads a token without believing it; `None` if it is none.
#[must_use]
pub fn read_token(token: &str) -> Option<TokenText> {
    let mut parts = token.split('.').map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok());
    let (header, claims) = (parts.next()??, parts.next()??);
    Some(TokenText { header, claims })
}

/// Whether a token would be accepted at `now` (seconds since 1970), and why not; `None` in a mode without tokens.
///
/// # Errors
/// [`AuthError`] where the keys can't be read.
pub fn judge_token(settings: &Settings, token: &str, now: u64) -> Result<Option<Result<(), TokenRefusal>>, AuthError> {
    let verifier = match settings {
        Settings::Open | Settings::Htpasswd { .. } => return Ok(None),
        Settings::Builtin(settings) => own_verifier(settings)?,
        Settings::External(settings) => External::open(settings)?.verifier(),
    };
    Ok(Some(verifier.verify(token, now).map(|_| ())))
}

fn own_verifier(settings: &BuiltinSettings) -> Result<Verifier, AuthError> {
    let keys = match &settings.key {
        KeySource::File(path) => KeyRing::read(path)?,
        KeySource::Folder(path) => KeyFolder::read(path)?,
    };
    Ok(Verifier::own(keys.trusted, &settings.issuer, &settings.service))
}
