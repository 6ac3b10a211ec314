//! Tokens that were accepted and are still valid, so that a token is verified once and not with each request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{
    claims::{Claims, LEEWAY},
    jws::MAX_TOKEN_LEN,
    refusal::TokenRefusal,
};
use crate::auth::{
    Refusal,
    access_rules::AccessRules,
    bounded_map::BoundedMap,
    principal::{Grants, Principal},
    secret::{Mark, MarkKey},
};

/// How many tokens are remembered.
const REMEMBERED: usize = 10_000;

/// Accepted tokens, by their marks.
pub(crate) struct AcceptedTokens {
    key: MarkKey,
    tokens: Mutex<BoundedMap<Mark, Accepted>>,
}

#[derive(Clone)]
struct Accepted {
    user: Option<Arc<str>>,
    grants: Arc<Grants>,
    /// Seconds since 1970.
    expires: u64,
}

impl AcceptedTokens {
    pub(crate) fn new() -> Self {
        Self { key: MarkKey::random(), tokens: Mutex::new(BoundedMap::new(REMEMBERED)) }
    }

    /// The holder of a token that was accepted before under the same `generation` of keys, or that `verify` accepts.
    pub(crate) fn principal(
        &self,
        generation: u64,
        token: &str,
        access: Option<Arc<AccessRules>>,
        now: u64,
        verify: impl FnOnce() -> Result<Claims, TokenRefusal>,
    ) -> Result<Principal, Refusal> {
        let accepted = self.find(generation, token, now, verify).map_err(|refusal| {
            // A refusal may quote the token, which may be long.
            tracing::info!("a token is refused: {:.200}", refusal.to_string());
            Refusal::InvalidToken
        })?;
        Ok(Principal::bearer(accepted.user, accepted.grants, access))
    }

    fn find(
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
        let (user, grants) = (claims.user().map(Into::into), Arc::new(claims.grants()));
        let accepted = Accepted { user, grants, expires: claims.exp };
        self.lock().insert(mark, accepted.clone());
        Ok(accepted)
    }

    fn lock(&self) -> MutexGuard<'_, BoundedMap<Mark, Accepted>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
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
