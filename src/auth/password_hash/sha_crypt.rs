//! `$5$` and `$6$`: [SHA-crypt](https://www.akkadia.org/drepper/SHA-crypt.txt) with SHA-256 and SHA-512.

use sha_crypt::{PasswordVerifier, ShaCrypt as Verifier};

use super::InvalidHash;
use crate::auth::secret::Secret;

/// The fewest rounds that the format has.
pub(super) const MIN_ROUNDS: u32 = 1_000;
/// About as much work as bcrypt with its highest allowed cost.
pub(super) const MAX_ROUNDS: u32 = 1_000_000;
/// The rounds of a hash that does not say.
const DEFAULT_ROUNDS: u32 = 5_000;
/// How many rounds take as long as one round of bcrypt, roughly.
const ROUNDS_A_UNIT: u32 = 100;

/// A hash that was parsed once.
#[derive(Clone)]
pub(in crate::auth) struct ShaCrypt {
    text: Box<str>,
    rounds: u32,
}

impl ShaCrypt {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidHash> {
        const DAMAGED: InvalidHash = InvalidHash::Damaged("sha-crypt");
        let (rest, digest_len) = match text.strip_prefix("$5$") {
            Some(rest) => (rest, 43),
            None => (text.strip_prefix("$6$").ok_or(DAMAGED)?, 86),
        };
        let (rounds, rest) = match rest.strip_prefix("rounds=") {
            Some(rest) => rest.split_once('$').ok_or(DAMAGED)?,
            None => ("", rest),
        };
        let rounds = match rounds {
            "" => DEFAULT_ROUNDS,
            text => text.parse().map_err(|_| DAMAGED)?,
        };
        if !(MIN_ROUNDS..=MAX_ROUNDS).contains(&rounds) {
            return Err(InvalidHash::Rounds(rounds));
        }
        let (salt, digest) = rest.split_once('$').ok_or(DAMAGED)?;
        let is_crypt64 = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"./".contains(&byte));
        let fits =
            (1..=16).contains(&salt.len()) && is_crypt64(salt) && digest.len() == digest_len && is_crypt64(digest);
        if fits { Ok(Self { text: text.into(), rounds }) } else { Err(DAMAGED) }
    }

    pub(super) fn work(&self) -> u64 {
        u64::from(self.rounds / ROUNDS_A_UNIT)
    }

    pub(super) fn verify(&self, password: &Secret) -> bool {
        Verifier::default().verify_password(password.reveal(), &*self.text).is_ok()
    }
}
