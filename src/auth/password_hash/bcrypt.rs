//! bcrypt.

use bcrypt::{HashParts, Version};

use super::{InvalidHash, NoRandomness};
use crate::auth::secret::Secret;

/// The lowest cost that bcrypt has.
pub(super) const MIN_COST: u32 = 4;
/// Below this cost there is a warning.
pub(super) const GOOD_COST: u32 = 10;
/// Above this cost a check takes more than a second.
pub(super) const MAX_COST: u32 = 14;

/// A bcrypt hash. It was parsed once, so a check fails only because of the password.
#[derive(Clone)]
pub(in crate::auth) struct Bcrypt {
    text: Box<str>,
    cost: u32,
}

impl Bcrypt {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidHash> {
        let parts: HashParts = text.parse().map_err(|_| InvalidHash::Damaged("bcrypt"))?;
        match parts.get_cost() {
            ..MIN_COST => Err(InvalidHash::Damaged("bcrypt")),
            cost @ MIN_COST..=MAX_COST => Ok(Self { text: text.into(), cost }),
            cost => Err(InvalidHash::TooCostly(cost)),
        }
    }

    pub(super) fn cost(&self) -> u32 {
        self.cost
    }

    /// The caller has refused more than 72 bytes, which bcrypt would ignore.
    pub(super) fn verify(&self, password: &Secret) -> bool {
        !password.reveal().contains(&0) && bcrypt::verify(password.reveal(), &self.text).unwrap_or(false)
    }
}

pub(super) fn waste(cost: u32, password: &Secret) {
    let hash = bcrypt::hash_with_salt(password.reveal(), cost, [0; 16]);
    std::hint::black_box(hash.is_ok());
}

pub(super) fn hash(password: &Secret, cost: u32) -> Result<String, NoRandomness> {
    let parts =
        bcrypt::hash_with_result(password.reveal(), cost.clamp(MIN_COST, MAX_COST)).map_err(|_| NoRandomness)?;
    Ok(parts.format_for_version(Version::TwoY))
}
