//! `$apr1$`: Apache's variant of BSD's MD5 crypt, with a thousand rounds of MD5.

use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

use super::InvalidHash;
use crate::auth::secret::Secret;

/// The work of a check, in rounds of bcrypt.
pub(super) const WORK: u64 = 6;

const MAGIC: &str = "$apr1$";
const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A salt of one to eight characters and the 22 characters of the digest.
#[derive(Clone)]
pub(in crate::auth) struct Apr1 {
    salt: Box<str>,
    digest: Box<str>,
}

impl Apr1 {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidHash> {
        let parts = text.strip_prefix(MAGIC).and_then(|rest| rest.split_once('$'));
        let is_crypt64 = |text: &str| text.bytes().all(|byte| ALPHABET.contains(&byte));
        match parts {
            Some((salt, digest))
                if (1..=8).contains(&salt.len()) && is_crypt64(salt) && digest.len() == 22 && is_crypt64(digest) =>
            {
                Ok(Self { salt: salt.into(), digest: digest.into() })
            }
            _ => Err(InvalidHash::Damaged(MAGIC)),
        }
    }

    pub(super) fn verify(&self, password: &Secret) -> bool {
        let computed = encode(&digest(password.reveal(), self.salt.as_bytes()));
        computed.as_bytes().ct_eq(self.digest.as_bytes()).into()
    }
}

#[cfg(test)]
pub(super) fn hash(password: &Secret, salt: &str) -> String {
    format!("{MAGIC}{salt}${}", encode(&digest(password.reveal(), salt.as_bytes())))
}

fn digest(password: &[u8], salt: &[u8]) -> [u8; 16] {
    let inner: [u8; 16] = Md5::new().chain_update(password).chain_update(salt).chain_update(password).finalize().into();
    let mut outer = Md5::new().chain_update(password).chain_update(MAGIC).chain_update(salt);
    let mut left = password.len();
    while left > 0 {
        let take = left.min(inner.len());
        outer.update(&inner[..take]);
        left -= take;
    }
    let mut bits = password.len();
    while bits > 0 {
        let first = password.first().copied().unwrap_or_default();
        outer.update([if bits & 1 == 1 { 0 } else { first }]);
        bits >>= 1;
    }
    (0..1000).fold(outer.finalize().into(), |previous, round| stretch(round, &previous, password, salt))
}

fn stretch(round: u32, previous: &[u8; 16], password: &[u8], salt: &[u8]) -> [u8; 16] {
    let (first, last): (&[u8], &[u8]) = if round % 2 == 1 { (password, previous) } else { (previous, password) };
    let mut hasher = Md5::new().chain_update(first);
    if !round.is_multiple_of(3) {
        hasher.update(salt);
    }
    if !round.is_multiple_of(7) {
        hasher.update(password);
    }
    hasher.chain_update(last).finalize().into()
}

/// Each three bytes, taken from across the digest, make four characters, the lowest six bits first.
fn encode(digest: &[u8; 16]) -> String {
    const TRIPLES: [[usize; 3]; 5] = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]];
    let characters = |mut value: u32, count: usize| {
        (0..count)
            .map(|_| {
                let character = ALPHABET[(value & 63) as usize];
                value >>= 6;
                char::from(character)
            })
            .collect::<String>()
    };
    let triple = |[high, middle, low]: [usize; 3]| {
        u32::from(digest[high]) << 16 | u32::from(digest[middle]) << 8 | u32::from(digest[low])
    };
    let mut text: String = TRIPLES.into_iter().map(|indices| characters(triple(indices), 4)).collect();
    text.push_str(&characters(u32::from(digest[11]), 2));
    text
}
