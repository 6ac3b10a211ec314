//! Tokens that were checked and are still valid, so that a token is checked once and not with each request.

use std::sync::{Arc, Mutex, PoisonError};

use super::{
    claims::{Claims, LEEWAY},
    jws::MAX_TOKEN_LEN,
    refusal::TokenRefusal,
};
use crate::auth::{
    bounded_map::BoundedMap,
    principal::Grants,
    secret::{Mark, MarkKey},
};

/// How many tokens are remembered.
const REMEMBERED: usize = 10_000;

/// The tokens, by their marks.
pub(crate) struct AcceptedTokens {
    key: MarkKey,
    tokens: Mutex<BoundedMap<Mark, Accepted>>,
}

/// What matters of a token that holds.
#[derive(Clone)]
pub(crate) struct Accepted {
    pub(crate) user: Option<Arc<str>>,
    pub(crate) grants: Arc<Grants>,
    /// Seconds since 1970.
    pub(crate) expires: u64,
}

impl AcceptedTokens {
    pub(crate) fn new() -> Self {
        Self { key: MarkKey::random(), tokens: Mutex::new(BoundedMap::new(REMEMBERED)) }
    }

    /// What a token says that was accepted before under the same `generation` of keys and has not expired, or what `verify` finds out.
    pub(crate) fn find(
        &self,
        generation: u64,
        token: &str,
        now: u64,
        verify: impl FnOnce() -> Result<Claims, TokenRefusal>,
    ) -> Result<Accepted, TokenRefusal> {
        let checked = self.checked(generation, token, now, verify);
        // A text of the token's own is cut off: the line shall not be as long as the token.
        checked.inspect_err(|refusal| tracing::info!("a token is refused: {:.200}", refusal.to_string()))
    }

    fn checked(
        &self,
        generation: u64,
        token: &str,
        now: u64,
        verify: impl FnOnce() -> Result<Claims, TokenRefusal>,
    ) -> Result<Accepted, TokenRefusal> {
        if token.len() > MAX_TOKEN_LEN {
            return Err(TokenRefusal::TooLong);
        }
        let mark = self.key.mark(&[&generation.to_be_bytes(), token.as_bytes()]);
        if let Some(accepted) = self.lock().get(&mark)
            && now < accepted.expires.saturating_add(LEEWAY)
        {
            return Ok(accepted.clone());
        }
        let claims = verify()?;
        let accepted = Accepted::from(&claims);
        self.lock().insert(mark, accepted.clone());
        Ok(accepted)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BoundedMap<Mark, Accepted>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<&Claims> for Accepted {
    fn from(claims: &Claims) -> Self {
        Self { user: claims.user().map(Into::into), grants: Arc::new(claims.grants()), expires: claims.exp }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

    use super::{super::claims::Audience, *};

    #[test]
    fn a_token_is_checked_once_until_it_expires_or_the_keys_change() {
        let tokens = AcceptedTokens::new();
        let checks = std::cell::Cell::new(0);
        let find = |generation, now| {
            let verify = || {
                checks.set(checks.get() + 1);
                let aud = Audience::One("r".to_owned());
                let (iss, sub, jti) = ("i".to_owned(), "alice".to_owned(), String::new());
                if now > 1100 {
                    Err(TokenRefusal::Expired(1))
                } else {
                    Ok(Claims { iss, sub, aud, exp: 1000, nbf: None, iat: None, jti, access: vec![] })
                }
            };
            tokens.find(generation, "a.b.c", now, verify).map(|accepted| accepted.user).ok().flatten()
        };
        for (generation, now, expected_checks, holds) in [
            (0, 900, 1, true),
            (0, 1000, 1, true),
            (0, 1059, 1, true),
            (1, 900, 2, true),
            (0, 1101, 3, false),
            (0, 1101, 4, false),
        ] {
            assert_eq!(find(generation, now).is_some(), holds, "{generation} {now}");
            assert_eq!(checks.get(), expected_checks, "{generation} {now}");
        }
    }
}
