//! A walk over the repositories in the store.

use std::collections::HashSet;

use super::{Registry, layout};
use crate::{
    oci::RepositoryName,
    storage::{Key, StorageError},
};

/// How many things of a long list are asked of the store in one call: so many that the store is busy, and so few that
/// what is in hand takes little memory.
pub(super) const AT_A_TIME: usize = 1024;

/// The repositories in a store.
#[derive(Debug, Default)]
pub(super) struct FoundRepositories {
    /// Those with a name that can be asked for.
    pub(super) names: Vec<RepositoryName>,
    /// Directories that look like repositories under a name that no repository can have.
    pub(super) nameless: Vec<Key>,
    /// Files in the places of directories.
    pub(super) astray: Vec<Key>,
    /// Those of `names` that have no `_layers`.
    pub(super) without_layers: HashSet<RepositoryName>,
}

impl Registry {
    /// Everything that has a part of a repository under it, be it empty. `unlisted` decides what becomes of a prefix
    /// that can't be listed.
    ///
    /// # Errors
    /// Those of `unlisted`.
    pub(super) async fn find_repositories(
        &self,
        unlisted: impl Fn(StorageError) -> Result<(), StorageError>,
    ) -> Result<FoundRepositories, StorageError> {
        let mut found = FoundRepositories::default();
        // Paths below the prefix of all repositories, and not keys, which are longer: there may be very many at a time.
        let mut unread: Vec<Box<str>> = vec![Box::default()];
        while !unread.is_empty() {
            let paths = unread.split_off(unread.len().saturating_sub(AT_A_TIME));
            let prefixes: Vec<Key> = paths.iter().map(|path| prefix_of(path)).collect();
            let listed = self.storage().children_of(&prefixes, usize::MAX).await;
            for ((path, prefix), children) in paths.iter().zip(prefixes).zip(listed) {
                let children = match children {
                    Ok(children) => children,
                    Err(error) => {
                        unlisted(error)?;
                        continue;
                    }
                };
                let (mut is_repository, mut has_layers) = (false, false);
                for child in children {
                    if !child.is_prefix {
                        found.astray.push(prefix.join(&child.name));
                        continue;
                    }
                    has_layers |= child.name == "_layers";
                    // What begins with `_` is a part of a repository, and no name does.
                    if child.name.starts_with('_') {
                        is_repository = true;
                    } else if path.is_empty() {
                        unread.push(child.name.into());
                    } else {
                        unread.push(format!("{path}/{}", child.name).into());
                    }
                }
                match path.parse() {
                    Ok(name) if is_repository => {
                        if !has_layers {
                            found.without_layers.insert(RepositoryName::clone(&name));
                        }
                        found.names.push(name);
                    }
                    Err(_) if is_repository => found.nameless.push(prefix),
                    _ => {}
                }
            }
        }
        Ok(found)
    }
}

fn prefix_of(path: &str) -> Key {
    let components = path.split('/').filter(|component| !component.is_empty());
    components.fold(layout::repositories(), |prefix, component| prefix.join(component))
}
