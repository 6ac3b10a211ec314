//! What a manifest is asked for by: a tag or a digest.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::digest::{Digest, InvalidDigest};

/// A tag: a letter, digit or `_`, then up to 127 letters, digits, `.`, `_` or `-` ([distribution-spec, pulling manifests]).
///
/// [distribution-spec, pulling manifests]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(Arc<str>);

/// A text is not a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tag is a letter, digit or '_' and then up to 127 letters, digits, '.', '_' or '-'")]
pub struct InvalidTag;

impl Tag {
    /// The longest tag, in bytes.
    pub const MAX_LEN: usize = 128;

    /// The tag's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag under which clients of registries without a referrers API keep the referrers of `subject`
    /// ([distribution-spec, referrers tag schema]): `<algorithm>-<hex>`, the value cut to the 64 digits the schema gives.
    ///
    /// [distribution-spec, referrers tag schema]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
    #[must_use]
    pub fn of_referrers(subject: &Digest) -> Self {
        let hex = &subject.hex()[..64];
        Self(format!("{}-{hex}", subject.algorithm()).into())
    }
}

impl FromStr for Tag {
    type Err = InvalidTag;

    fn from_str(text: &str) -> Result<Self, InvalidTag> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let starts_well = text.bytes().next().is_some_and(is_word);
        let goes_on_well = text.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-');
        if starts_well && goes_on_well && text.len() <= Self::MAX_LEN { Ok(Self(text.into())) } else { Err(InvalidTag) }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl std::borrow::Borrow<str> for Tag {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Tag {
    type Error = InvalidTag;

    fn try_from(text: String) -> Result<Self, InvalidTag> {
        text.parse()
    }
}

impl From<Tag> for String {
    fn from(tag: Tag) -> Self {
        tag.0.as_ref().to_owned()
    }
}

/// What names a manifest within a repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reference {
    /// By a tag, which may move.
    Tag(Tag),
    /// By its digest, which is for ever.
    Digest(Digest),
}

/// A text is neither a tag nor a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReference {
    /// It has a colon, so it should be a digest.
    #[error(transparent)]
    Digest(#[from] InvalidDigest),
    /// It has none, so it should be a tag.
    #[error(transparent)]
    Tag(#[from] InvalidTag),
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        if text.contains(':') { Ok(Self::Digest(text.parse()?)) } else { Ok(Self::Tag(text.parse()?)) }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}
