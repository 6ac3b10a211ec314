//! The repository and the tag of an image, from its name in an archive.

use std::path::Path;

use super::Problem;
use crate::oci::{RepositoryName, Tag};

/// How images are named.
pub(super) struct Naming {
    /// The repository that the command line names.
    given: Option<RepositoryName>,
    /// The repository of an image without a name: the name of the file without its extension.
    default: String,
}

impl Naming {
    pub(super) fn new(path: &Path, given: Option<&str>) -> Result<Self, Problem> {
        let default = path.canonicalize()?.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { given: given.map(repository).transpose()?, default })
    }

    /// The place of an image called `name`: `HOST/REPOSITORY:TAG`, of which every part may be missing, or a tag alone.
    pub(super) fn place(&self, name: Option<&str>) -> Result<(RepositoryName, Tag), Problem> {
        let (path, tag) = split(name.unwrap_or_default());
        let name = match (&self.given, path) {
            (Some(given), _) => given.clone(),
            (None, Some(path)) => repository(path)?,
            (None, None) => repository(&self.default)?,
        };
        let tag = tag.unwrap_or("latest");
        Ok((name, tag.parse().map_err(|error| Problem::Tag(tag.to_owned(), error))?))
    }

    /// The repository of a manifest that gets no tag.
    pub(super) fn unnamed(&self) -> Result<RepositoryName, Problem> {
        Ok(self.place(None)?.0)
    }
}

fn repository(text: &str) -> Result<RepositoryName, Problem> {
    text.parse().map_err(|error| Problem::Repository(text.to_owned(), error))
}

/// The repository, without a registry's host, and the tag.
fn split(name: &str) -> (Option<&str>, Option<&str>) {
    let name = name.split('@').next().unwrap_or_default();
    let (path, tag) = match name.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ if name.contains('/') => (name, None),
        _ => return (None, Some(name).filter(|name| !name.is_empty())),
    };
    let path = match path.split_once('/') {
        Some(("docker.io", rest)) => rest.strip_prefix("library/").unwrap_or(rest),
        Some((host, rest)) if host == "localhost" || host.contains(['.', ':']) => rest,
        _ => path,
    };
    (Some(path), tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_images_are_split() {
        let table = [
            ("", None, None),
            ("3.19", None, Some("3.19")),
            ("alpine:3.19", Some("alpine"), Some("3.19")),
            ("team/app", Some("team/app"), None),
            ("docker.io/library/alpine:3.19", Some("alpine"), Some("3.19")),
            ("docker.io/team/app:1", Some("team/app"), Some("1")),
            ("localhost:5000/app:1", Some("app"), Some("1")),
            ("localhost/app", Some("app"), None),
            ("registry.example/team/app:1@sha256:00", Some("team/app"), Some("1")),
        ];
        for (name, path, tag) in table {
            assert_eq!(split(name), (path, tag), "{name}");
        }
    }
}
