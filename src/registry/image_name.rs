//! The name of an image: its repository, and its tag or digest.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::oci::{Reference, RepositoryName};

/// The name of an image, as `docker pull` takes it, without the registry: `team/app:1`, `team/app@sha256:…`. Without a
/// tag, `latest` is meant.
///
/// ```
/// use wharf::registry::ImageName;
/// let name: ImageName = "docker.io/library/alpine".parse().unwrap();
/// assert_eq!(name.to_string(), "docker.io/library/alpine:latest");
/// assert!("Team/app".parse::<ImageName>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageName {
    /// The repository.
    pub repository: RepositoryName,
    /// The tag or the digest.
    pub reference: Reference,
}

impl FromStr for ImageName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (repository, reference) = match (text.split_once('@'), text.rsplit_once(':')) {
            (Some(parts), _) => parts,
            (None, Some((repository, tag))) if !tag.contains('/') => (repository, tag),
            (None, _) => (text, "latest"),
        };
        Ok(Self {
            repository: repository.parse().map_err(|error| format!("{error}"))?,
            reference: reference.parse().map_err(|error| format!("{error}"))?,
        })
    }
}

impl TryFrom<String> for ImageName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ImageName> for String {
    fn from(name: ImageName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if matches!(self.reference, Reference::Tag(_)) { ':' } else { '@' };
        write!(f, "{}{separator}{}", self.repository, self.reference)
    }
}
