//! Digests: the name of content is its hash.

use std::{fmt, ops::Deref, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512, digest::common::hazmat::SerializableState};

/// A registered digest algorithm ([image-spec, descriptor]).
///
/// [image-spec, descriptor]: https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#registered-algorithms
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Algorithm {
    /// SHA-256, what every client uses unless told otherwise.
    #[default]
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// Every algorithm that is served, in byte order of the name.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// The name as it stands before the colon of a digest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// How many hexadecimal digits a digest of this algorithm has.
    #[must_use]
    pub const fn hex_len(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text).ok_or(InvalidDigest::Algorithm)
    }
}

/// The hash of some content, `<algorithm>:<lower-case hex>`.
///
/// There is no way to make one but to parse it or to hash something, so a `Digest` is always safe as a part of a key.
///
/// ```
/// use wharf::oci::Digest;
/// let empty = Digest::of(Default::default(), b"");
/// assert_eq!(empty.to_string().parse::<Digest>(), Ok(empty));
/// assert!("sha256:../../etc".parse::<Digest>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(Value);

/// The hash itself, and not its digits: an index of many tags or blobs keeps as many of them in memory. The order is
/// that of the digests' texts.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Value {
    Sha256([u8; 32]),
    // Rare, and twice as long as the others need be.
    Sha512(Box<[u8; 64]>),
}

/// The value of a digest in lower-case hexadecimal.
#[derive(Clone, Copy)]
pub struct Hex {
    digits: [u8; 128],
    len: usize,
}

/// Why a text is not a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDigest {
    /// No colon between an algorithm and its value.
    #[error("a digest is <algorithm>:<hex>")]
    Form,
    /// The algorithm is none that is served.
    #[error("the digest's algorithm is neither sha256 nor sha512")]
    Algorithm,
    /// The value is of another length, or not lower-case hexadecimal.
    #[error("the digest's value is not lower-case hexadecimal of its algorithm's length")]
    Value,
}

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    /// The algorithm, before the colon.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Value::Sha256(_) => Algorithm::Sha256,
            Value::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// The value, after the colon.
    #[must_use]
    pub fn hex(&self) -> Hex {
        const TABLE: &[u8; 16] = b"0123456789abcdef";
        let value: &[u8] = match &self.0 {
            Value::Sha256(value) => value,
            Value::Sha512(value) => &value[..],
        };
        let mut digits = [b'0'; 128];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(value) {
            pair[0] = TABLE[usize::from(byte >> 4)];
            pair[1] = TABLE[usize::from(byte & 15)];
        }
        Hex { digits, len: 2 * value.len() }
    }

    /// `None` if the value has not the length of the algorithm's.
    fn of_value(algorithm: Algorithm, value: &[u8]) -> Option<Self> {
        Some(Self(match algorithm {
            Algorithm::Sha256 => Value::Sha256(value.try_into().ok()?),
            Algorithm::Sha512 => Value::Sha512(Box::new(value.try_into().ok()?)),
        }))
    }

    /// Whether this names the content of no bytes at all.
    #[must_use]
    pub fn is_of_nothing(&self) -> bool {
        *self == Self::of(self.algorithm(), b"")
    }
}

impl Deref for Hex {
    type Target = str;

    fn deref(&self) -> &str {
        // It is made of digits, so there always is a text.
        std::str::from_utf8(&self.digits[..self.len]).unwrap_or_default()
    }
}

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.algorithm().as_str())?;
        f.write_str(":")?;
        f.write_str(&self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let (algorithm, hex) = text.split_once(':').ok_or(InvalidDigest::Form)?;
        let algorithm: Algorithm = algorithm.parse()?;
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if hex.len() != algorithm.hex_len() || !hex.bytes().all(is_hex) {
            return Err(InvalidDigest::Value);
        }
        let mut value = [0; 64];
        let value = &mut value[..hex.len() / 2];
        hex::decode_to_slice(hex, value).map_err(|_| InvalidDigest::Value)?;
        Self::of_value(algorithm, value).ok_or(InvalidDigest::Value)
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// A hash under way. Its state can be saved, and taken up again by another process.
#[derive(Clone)]
pub enum Hasher {
    /// Makes a [`Algorithm::Sha256`] digest.
    Sha256(Sha256),
    /// Makes a [`Algorithm::Sha512`] digest.
    Sha512(Sha512),
}

impl Hasher {
    /// A hash of nothing yet.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    /// Which algorithm this hashes with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Hashes `bytes` after all that came before.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
        }
    }

    /// The digest of all that was hashed.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(match self {
            Self::Sha256(hash) => Value::Sha256(hash.finalize().into()),
            Self::Sha512(hash) => Value::Sha512(Box::new(hash.finalize().into())),
        })
    }

    /// The state, to go on from later with [`Hasher::restore`].
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        match self {
            Self::Sha256(hash) => hash.serialize().to_vec(),
            Self::Sha512(hash) => hash.serialize().to_vec(),
        }
    }

    /// Goes on from what [`Hasher::save`] gave; `None` if that is no state of this algorithm.
    ///
    /// A state that was damaged in between may still be taken, and then gives a wrong digest: check it against what was
    /// hashed.
    #[must_use]
    pub fn restore(algorithm: Algorithm, state: &[u8]) -> Option<Self> {
        if !counts_plausibly(algorithm, state) {
            return None;
        }
        match algorithm {
            Algorithm::Sha256 => Sha256::deserialize(&state.try_into().ok()?).ok().map(Self::Sha256),
            Algorithm::Sha512 => Sha512::deserialize(&state.try_into().ok()?).ok().map(Self::Sha512),
        }
    }
}

/// Whether the number of blocks in a saved state is one that any content can have. With a larger one the hash would
/// overflow when it ends.
fn counts_plausibly(algorithm: Algorithm, state: &[u8]) -> bool {
    // The count is a little-endian number that follows the intermediate hash.
    let (start, width) = match algorithm {
        Algorithm::Sha256 => (32, 8),
        Algorithm::Sha512 => (64, 16),
    };
    // The hash counts bits in 64 bits, and a block of sha256 has 2^9 of them: 55 bits of blocks are too many, and 48
    // are 16 PiB.
    state.get(start..start + width).is_some_and(|count| count[6..].iter().all(|byte| *byte == 0))
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hasher({})", self.algorithm())
    }
}

#[cfg(test)]
mod tests;
