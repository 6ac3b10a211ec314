//! `{SHA}`: SHA-1 of the password, without a salt.

use base64::{Engine, engine::general_purpose::STANDARD};
use sha1::{Digest, Sha1 as Hasher};
use subtle::ConstantTimeEq;

use super::InvalidHash;
use crate::auth::secret::Secret;

/// The 20 bytes of SHA-1.
#[derive(Clone)]
pub(in crate::auth) struct Sha1([u8; 20]);

impl Sha1 {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidHash> {
        let decoded = text.strip_prefix("{SHA}").and_then(|encoded| STANDARD.decode(encoded).ok());
        let digest = decoded.and_then(|bytes| bytes.try_into().ok());
        digest.map(Self).ok_or(InvalidHash::Damaged("{SHA}"))
    }

    pub(super) fn verify(&self, password: &Secret) -> bool {
        Hasher::digest(password.reveal()).as_slice().ct_eq(&self.0).into()
    }
}
