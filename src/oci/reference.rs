//! The reference of a manifest: a tag or a digest.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::digest::{Digest, InvalidDigest};

/// A tag: a letter, digit or `_`, then up to 127 letters, digits, `.`, `_` or `-` ([distribution-spec, pulling
/// manifests]).
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
    /// ([distribution-spec, referrers tag schema]): `<algorithm>-<hex>`, the value cut to the 64 digits the schema
    /// gives.
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

/// The name of a manifest within a repository.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;
    use crate::oci::Algorithm;

    #[test]
    fn e6_a_tag_has_at_most_128_bytes() {
        assert!("a".repeat(128).parse::<Tag>().is_ok());
        assert!("a".repeat(129).parse::<Tag>().is_err());
        assert!(format!("a{}", "é".repeat(64)).parse::<Tag>().is_err());
    }

    #[test]
    fn e7_only_the_grammar_is_a_tag() {
        for good in ["a", "A", "0", "_", "latest", "3.10", "v1.0-rc_2", "_-.", "a..b"] {
            assert_eq!(good.parse::<Tag>().unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", "-", ".a", "-a", "a/b", "a:b", "a b", "a\n", "a\0", "a+b", "a@b", "ａ", "é", "a%2eb"]
        {
            assert!(bad.parse::<Tag>().is_err(), "{bad:?}");
            assert!(serde_json::from_value::<Tag>(bad.into()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn f7_tags_that_look_like_signatures_are_tags() {
        for tag in ["sha256-x.sig", "sha256-.att", "sha256-", "sha256-..sig", "sha512-x", "sha256-x.sig.sig"] {
            assert_eq!(tag.parse::<Reference>(), Ok(Reference::Tag(tag.parse().unwrap())), "{tag}");
        }
    }

    #[test]
    fn the_tag_of_referrers_is_the_schemas() {
        let hex = "0123456789abcdef".repeat(8);
        for (subject, tag) in [
            (format!("sha256:{}", &hex[..64]), format!("sha256-{}", &hex[..64])),
            (format!("sha512:{hex}"), format!("sha512-{}", &hex[..64])),
        ] {
            assert_eq!(Tag::of_referrers(&subject.parse().unwrap()), tag.parse().unwrap());
        }
    }

    #[test]
    fn e2_what_has_a_colon_is_a_digest_or_nothing() {
        let digest = Digest::of(Algorithm::Sha256, b"x");
        assert_eq!(digest.to_string().parse(), Ok(Reference::Digest(digest)));
        for (text, error) in [
            ("sha256:..", InvalidReference::Digest(InvalidDigest::Value)),
            ("md5:x", InvalidReference::Digest(InvalidDigest::Algorithm)),
            ("sha256:", InvalidReference::Digest(InvalidDigest::Value)),
            (":", InvalidReference::Digest(InvalidDigest::Algorithm)),
            ("..", InvalidReference::Tag(InvalidTag)),
            ("", InvalidReference::Tag(InvalidTag)),
        ] {
            assert_eq!(text.parse::<Reference>(), Err(error), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn e7_any_text_is_a_tag_only_as_the_grammar_has_it(text in prop_oneof![".*", "[a.-_é:/]{0,6}", "[a-zA-Z0-9._-]{120,135}"]) {
            let words = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
            let mut chars = text.chars();
            let is_tag = chars.next().is_some_and(|first| words.contains(first))
                && chars.all(|other| words.contains(other) || ".-".contains(other))
                && text.chars().count() <= 128;
            let parsed = text.parse::<Tag>();
            prop_assert_eq!(parsed.is_ok(), is_tag);
            if let Ok(tag) = parsed {
                prop_assert_eq!(tag.to_string(), text);
            }
        }

        #[test]
        fn any_text_is_a_reference_only_if_it_says_the_same_again(text in prop_oneof![".*", "[a-z:.]{0,9}", "sha256:[0-9a-f]{64}"]) {
            if let Ok(reference) = text.parse::<Reference>() {
                prop_assert_eq!(reference.to_string(), text.clone());
                prop_assert_eq!(matches!(reference, Reference::Digest(_)), text.contains(':'));
            }
        }
    }
}
