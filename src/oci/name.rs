//! Repository names.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// The name of a repository ([distribution-spec, pulling manifests]): components of lower-case letters and digits,
/// parted within by `.`, `_`, `__` or dashes, and from each other by `/`; 255 bytes at most.
///
/// No component starts or ends with a separator, so none is `.`, `..` or begins with `_`: a name is always safe as a
/// part of a key, and never meets a directory of the store's own.
///
/// [distribution-spec, pulling manifests]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests
///
/// ```
/// use wharf::oci::RepositoryName;
/// assert!("team/app__x".parse::<RepositoryName>().is_ok());
/// assert!("team/../app".parse::<RepositoryName>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryName(Arc<str>);

/// Why a text is not a repository name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing, or more than 255 bytes.
    #[error("a repository name has 1 to 255 characters")]
    Length,
    /// A component that the grammar does not allow.
    #[error(
        "a repository name is made of components of lower-case letters and digits, parted by '/', and within by one '.', one or two '_', or dashes"
    )]
    Grammar,
}

impl RepositoryName {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 255;

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts between the slashes; there is at least one.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl FromStr for RepositoryName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text.is_empty() || text.len() > Self::MAX_LEN {
            return Err(InvalidName::Length);
        }
        if text.split('/').all(is_component) { Ok(Self(text.into())) } else { Err(InvalidName::Grammar) }
    }
}

/// Runs of letters and digits, with one separator between each two.
fn is_component(text: &str) -> bool {
    let is_word = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let separators = text.as_bytes().split(is_word).filter(|run| !run.is_empty());
    let edges = (text.as_bytes().first(), text.as_bytes().last());
    matches!(edges, (Some(first), Some(last)) if is_word(first) && is_word(last))
        && separators.into_iter().all(|run| matches!(run, b"." | b"_" | b"__") || run.iter().all(|byte| *byte == b'-'))
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl std::borrow::Borrow<str> for RepositoryName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RepositoryName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<RepositoryName> for String {
    fn from(name: RepositoryName) -> Self {
        name.0.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn e6_a_name_has_at_most_255_bytes() {
        for (name, is_name) in [
            ("a".repeat(255), true),
            ("a".repeat(256), false),
            (format!("{}/{}", "a".repeat(127), "b".repeat(127)), true),
            (format!("{}/{}", "a".repeat(127), "b".repeat(128)), false),
            ("a/".repeat(127) + "a", true),
            ("a/".repeat(128) + "a", false),
            (String::new(), false),
        ] {
            let parsed = name.parse::<RepositoryName>();
            assert_eq!(parsed.is_ok(), is_name, "{name}");
            assert!(is_name || parsed == Err(InvalidName::Length), "{name}");
        }
    }

    #[test]
    fn e7_only_the_grammar_is_a_name() {
        for good in [
            "a",
            "0",
            "a/b",
            "a.b",
            "a_b",
            "a__b",
            "a-b",
            "a--b",
            "a-----b",
            "a.b_c__d-e/f",
            "v2",
            "x/manifests/y",
            "x/tags",
        ] {
            assert_eq!(good.parse::<RepositoryName>().unwrap().as_str(), good);
        }
        let bad = [
            "A",
            "aB",
            "ａ",
            "ä",
            "a..b",
            "a___b",
            "a._b",
            "a.-b",
            "a-_b",
            "-a",
            "a-",
            ".a",
            "a.",
            "_a",
            "a_",
            "a/.b",
            "a/-b",
            "a/b_",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            "a/./b",
            "_catalog",
            "a/_uploads",
            "a b",
            " a",
            "a\n",
            "a\0",
            "a\\b",
            "a:b",
            "a%2fb",
            "ſ",
        ];
        for bad in bad {
            assert_eq!(bad.parse::<RepositoryName>(), Err(InvalidName::Grammar), "{bad:?}");
            assert!(serde_json::from_value::<RepositoryName>(bad.into()).is_err(), "{bad:?}");
        }
    }

    /// The specification's expression for a name, walked byte by byte: a machine with one state for each place in it.
    fn is_name(text: &str) -> bool {
        #[derive(Clone, Copy, PartialEq)]
        enum At {
            Start,
            Word,
            Dot,
            Underscore,
            TwoUnderscores,
            Dashes,
        }
        let mut at = At::Start;
        for byte in text.bytes() {
            at = match (at, byte) {
                (_, b'a'..=b'z' | b'0'..=b'9') => At::Word,
                (At::Word, b'/') => At::Start,
                (At::Word, b'.') => At::Dot,
                (At::Word, b'_') => At::Underscore,
                (At::Underscore, b'_') => At::TwoUnderscores,
                (At::Word | At::Dashes, b'-') => At::Dashes,
                _ => return false,
            };
        }
        at == At::Word && text.len() <= 255
    }

    proptest! {
        #[test]
        fn e7_any_text_is_a_name_only_as_the_grammar_has_it(text in prop_oneof![".*", "[ab0._/-]{0,12}", "[a-z0-9]{120,130}/[a-z]{120,130}"]) {
            let parsed = text.parse::<RepositoryName>();
            prop_assert_eq!(parsed.is_ok(), is_name(&text));
            if let Ok(name) = parsed {
                prop_assert_eq!(name.to_string(), text.clone());
                prop_assert_eq!(name.components().collect::<Vec<_>>().join("/"), text);
            }
        }

        #[test]
        fn a_name_survives_its_json(text in "[a-z0-9]{1,9}((\\.|_|__|-+)[a-z0-9]{1,5}){0,3}(/[a-z0-9]{1,9}){0,4}") {
            let name: RepositoryName = text.parse().unwrap();
            let json = serde_json::to_string(&name).unwrap();
            prop_assert_eq!(serde_json::from_str::<RepositoryName>(&json).unwrap(), name);
        }
    }
}
