//! A walk over the repositories in the store.

use super::{Registry, layout};
use crate::{
    oci::RepositoryName,
    storage::{Key, StorageError},
};

/// The repositories in a store.
#[derive(Debug, Default)]
pub(super) struct Census {
    /// Those with a name that can be asked for.
    pub(super) names: Vec<RepositoryName>,
    /// What looks like a repository under a name that is none.
    pub(super) nameless: Vec<Key>,
}

impl Registry {
    /// Everything that has a part of a repository under it, be it empty. `unlisted` decides what becomes of a prefix that can't be listed.
    ///
    /// # Errors
    /// Those of `unlisted`.
    pub(super) async fn census(
        &self,
        unlisted: impl Fn(StorageError) -> Result<(), StorageError>,
    ) -> Result<Census, StorageError> {
        let mut census = Census::default();
        let mut unread: Vec<(Key, String)> = vec![(layout::repositories(), String::new())];
        while let Some((prefix, path)) = unread.pop() {
            let children = match self.storage().children(&prefix).await {
                Ok(children) => children,
                Err(error) => {
                    unlisted(error)?;
                    continue;
                }
            };
            let mut is_repository = false;
            for child in children.into_iter().filter(|child| child.is_prefix) {
                // What begins with `_` is a part of a repository, and no name does.
                if child.name.starts_with('_') {
                    is_repository = true;
                } else {
                    let name = if path.is_empty() { child.name.clone() } else { format!("{path}/{}", child.name) };
                    unread.push((prefix.join(&child.name), name));
                }
            }
            match path.parse() {
                Ok(name) if is_repository => census.names.push(name),
                Err(_) if is_repository => census.nameless.push(prefix),
                _ => {}
            }
        }
        Ok(census)
    }
}
