//! Secrets that can't be printed or compared by accident, and marks by which they are found in maps.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// A password or a token. It has no `PartialEq` and no `Display`, and its `Debug` does not show it.
#[derive(Clone)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// A secret that a client sent or an operator typed.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into().into_boxed_slice())
    }

    /// The bytes, for the function that hashes them.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }

    /// Whether both are equal, in a time that does not depend on where they differ.
    #[must_use]
    pub fn same_as(&self, other: &[u8]) -> bool {
        self.0.ct_eq(other).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The keyed hash of a secret. It can be computed or inverted only with the key, so marks may be compared like numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Mark([u8; 32]);

/// The key of a process's marks. It is random and never stored.
#[derive(Clone)]
pub(super) struct MarkKey(Hmac<Sha256>);

impl MarkKey {
    pub(super) fn random() -> Self {
        Self::new(&rand::random::<[u8; 32]>())
    }

    /// The mark of these fields. The length of each field is hashed before it, so that different lists of fields have
    /// different marks.
    pub(super) fn mark(&self, fields: &[&[u8]]) -> Mark {
        let mut mac = self.0.clone();
        for field in fields {
            mac.update(&(field.len() as u64).to_be_bytes());
            mac.update(field);
        }
        Mark(mac.finalize().into_bytes().into())
    }

    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    fn new(key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes a key of any length"))
    }
}

/// The hexadecimal HMAC-SHA256 of length-prefixed `fields` under `key`, for files.
pub(super) fn keyed_fingerprint(key: &[u8], fields: &[&[u8]]) -> String {
    hex::encode(MarkKey::new(key).mark(fields).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b15_a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    }

    #[test]
    fn b15_secrets_compare_only_through_subtle() {
        assert!(Secret::new("a").same_as(b"a"));
        assert!(!Secret::new("a").same_as(b"b"));
        assert!(!Secret::new("a").same_as(b"aa"));
        let source = include_str!("secret.rs");
        let definition = source.split("pub struct Secret").next().unwrap_or_default();
        assert!(definition.trim_end().ends_with("#[derive(Clone)]"));
    }

    #[test]
    fn b19_fields_do_not_run_into_each_other() {
        let key = MarkKey::random();
        assert!(key.mark(&[b"ab", b"c"]) != key.mark(&[b"a", b"bc"]));
        assert!(key.mark(&[b"a"]) != key.mark(&[b"a", b""]));
        assert!(key.mark(&[b"a"]) == key.mark(&[b"a"]));
        assert!(key.mark(&[b"a"]) != MarkKey::random().mark(&[b"a"]));
    }
}
