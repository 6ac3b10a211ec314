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
