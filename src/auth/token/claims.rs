//! The claims of a token. Types are strict: a claim of a wrong type does not count as an absent one.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Number;

use super::refusal::TokenRefusal;
use crate::{
    auth::principal::Grants,
    oci::{Action, ResourceKind, ScopeAction},
};

/// How far the clocks of the issuer and the registry may differ, in seconds.
pub(crate) const LEEWAY: u64 = 60;

/// The claims of an access token. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    /// The user; empty for anonymous.
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) sub: String,
    pub(crate) aud: Audience,
    pub(crate) exp: u64,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) nbf: Option<u64>,
    #[serde(default, deserialize_with = "present_or_null", skip_serializing_if = "Option::is_none")]
    pub(crate) iat: Option<u64>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) jti: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) access: Vec<AccessEntry>,
}

/// One entry of the `access` claim. It gives nothing where its type or its name is missing or null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccessEntry {
    #[serde(rename = "type", default, deserialize_with = "null_is_default")]
    pub(crate) kind: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) name: String,
    #[serde(default, deserialize_with = "without_nulls")]
    pub(crate) actions: Vec<String>,
}

/// One service or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Audience {
    One(String),
    Several(Vec<String>),
}

/// The claims that a token must have to be accepted.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) issuer: String,
    pub(crate) service: String,
    /// Whether `nbf` must be there. Tokens of wharf always have it.
    pub(crate) not_before: bool,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    since_1970(&Number::deserialize(deserializer)?).map(Some)
}

fn present_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Option::deserialize(deserializer)?.as_ref().map(since_1970).transpose()
}

/// A time before 1970 counts as 1970.
fn since_1970<E: de::Error>(seconds: &Number) -> Result<u64, E> {
    let before = || seconds.as_i64().map(|_| 0);
    seconds.as_u64().or_else(before).ok_or_else(|| E::custom("a time is a whole number of seconds"))
}

/// Issuers write `null` for what they leave empty; those that are written in Go, for an empty list.
fn null_is_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

fn without_nulls<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let actions: Vec<Option<String>> = null_is_default(deserializer)?;
    Ok(actions.into_iter().flatten().collect())
}

impl Claims {
    pub(super) fn parse(payload: &[u8]) -> Result<Self, TokenRefusal> {
        serde_json::from_slice(payload).map_err(|error| TokenRefusal::Claims(error.to_string()))
    }

    pub(super) fn check(&self, expected: &Expected, now: u64) -> Result<(), TokenRefusal> {
        if self.iss != expected.issuer {
            return Err(TokenRefusal::Issuer(self.iss.clone()));
        }
        if !self.aud.contains(&expected.service) {
            return Err(TokenRefusal::Audience);
        }
        if self.has_expired(now) {
            return Err(TokenRefusal::Expired(now - self.exp));
        }
        match self.nbf {
            Some(nbf) if nbf > now + LEEWAY => Err(TokenRefusal::NotYet(nbf - now)),
            None if expected.not_before => Err(TokenRefusal::Claims("missing field `nbf`".to_owned())),
            _ => Ok(()),
        }
    }

    pub(crate) fn has_expired(&self, now: u64) -> bool {
        now >= self.exp.saturating_add(LEEWAY)
    }

    /// The user; `None` for anonymous.
    pub(crate) fn user(&self) -> Option<&str> {
        Some(self.sub.as_str()).filter(|user| !user.is_empty())
    }

    /// The rights that the `access` claim gives. Only exact names and known types and actions count, `*` is every
    /// action, and entries add up. The `class` of an entry (`plugin`) changes nothing, as in registry:2.
    pub(crate) fn grants(&self) -> Grants {
        let mut grants = Grants::default();
        for entry in self.access.iter().filter(|entry| !entry.name.is_empty()) {
            let actions = entry.actions.iter().map(|action| ScopeAction::from(action.as_str()));
            match ResourceKind::from(entry.kind.as_str()) {
                ResourceKind::Repository => {
                    let known: BTreeSet<Action> = actions.flat_map(|action| expand(&action)).collect();
                    if !known.is_empty() {
                        grants.repositories.entry(entry.name.clone()).or_default().extend(known);
                    }
                }
                ResourceKind::Registry if entry.name == "catalog" => {
                    grants.catalog |= entry.actions.iter().any(|action| action == "*");
                }
                ResourceKind::Registry | ResourceKind::Other(_) => {}
            }
        }
        grants
    }
}

/// Claims from the fuzzer. Those that are accepted are for this issuer and service, and valid now.
#[cfg(any(test, fuzzing))]
pub(in crate::auth) fn fuzz(payload: &[u8]) {
    const NOW: u64 = 1_800_000_000;
    let Ok(claims) = Claims::parse(payload) else { return };
    let expected = Expected { issuer: "issuer".to_owned(), service: "service".to_owned(), not_before: true };
    if claims.check(&expected, NOW).is_ok() {
        assert!(claims.iss == "issuer" && claims.aud.contains("service") && claims.exp > NOW - 2 * LEEWAY);
    }
    let named: BTreeSet<_> = claims.access.iter().map(|entry| &entry.name).collect();
    assert!(claims.grants().repositories.keys().all(|name| named.contains(name)), "a right that is not in the token");
}

/// The actions that an action of a scope means.
pub(super) fn expand(action: &ScopeAction) -> Vec<Action> {
    match action {
        ScopeAction::Action(action) => vec![*action],
        ScopeAction::All => Action::ALL.into(),
        ScopeAction::Other(_) => vec![],
    }
}

impl Audience {
    fn contains(&self, service: &str) -> bool {
        match self {
            Self::One(one) => one == service,
            Self::Several(several) => several.iter().any(|one| one == service),
        }
    }
}
