//! The kinds of content that a repository has: each search stops at the first result.

use crate::{
    oci::{Algorithm, Digest, RepositoryName},
    registry::{Registry, Repository, layout, out_of_reach::absent_if_out_of_reach, repository_walk::AT_A_TIME},
    storage::{Child, Key, StorageError},
};

/// How many names are looked at before all are listed. The first is enough, unless another registry deleted here: it
/// leaves empty prefixes.
const FEW: usize = 4;

/// The kinds of content that a repository has. A repository with blobs alone is not listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::registry) enum Holds {
    Blobs,
    Manifests,
}

impl Repository {
    /// Whether there is such a repository, be it empty.
    pub(in crate::registry) async fn is_there(&self) -> Result<bool, StorageError> {
        let children = self.storage().children(&layout::repository(&self.name)).await?;
        Ok(children.iter().any(|child| matches!(child.name.as_str(), "_layers" | "_manifests")))
    }

    /// Whether a part of it is there.
    pub(in crate::registry) async fn has_part(&self, part: &str) -> Result<bool, StorageError> {
        let children = self.storage().children(&layout::repository(&self.name)).await?;
        Ok(children.iter().any(|child| child.is_prefix && child.name == part))
    }

    /// What stands in the place of a directory of links, or of a link, and can't be followed: a link that leads
    /// nowhere, as a rule.
    pub(in crate::registry) async fn astray(&self) -> Result<Vec<Key>, StorageError> {
        let mut astray = Vec::new();
        for prefix in [layout::revisions(&self.name), layout::layers(&self.name)] {
            for algorithm in self.storage().children(&prefix).await? {
                let below = prefix.join(&algorithm.name);
                if algorithm.is_prefix {
                    self.astray_below(&below, &mut astray).await?;
                } else if !self.registry.is_object(&below).await? {
                    astray.push(below);
                }
            }
        }
        Ok(astray)
    }

    async fn astray_below(&self, prefix: &Key, astray: &mut Vec<Key>) -> Result<(), StorageError> {
        let (directories, others): (Vec<_>, Vec<_>) =
            self.storage().children(prefix).await?.into_iter().partition(|child| child.is_prefix);
        for other in others {
            let key = prefix.join(&other.name);
            if !self.registry.is_object(&key).await? {
                astray.push(key);
            }
        }
        for children in directories.chunks(AT_A_TIME) {
            let links: Vec<_> = children.iter().map(|child| layout::link(&prefix.join(&child.name))).collect();
            for (link, stat) in links.iter().zip(self.storage().stat_all(&links).await) {
                // Others leave the directory when they remove the link.
                let is_unseen = stat.map_or_else(|error| error.leads_nowhere(), |stat| stat.is_none());
                let Some(above) = link.parent().filter(|_| is_unseen) else { continue };
                let is_seen = async || Ok::<_, StorageError>(!self.storage().children(&above).await?.is_empty());
                if is_seen().await? && !self.registry.is_object(link).await? && is_seen().await? {
                    astray.push(link.clone());
                }
            }
        }
        Ok(())
    }

    /// Whether the parts are there that other registries want of every repository.
    pub(in crate::registry) async fn is_whole(&self) -> Result<bool, StorageError> {
        let has = async |prefix, parts: &[&str]| {
            let children = self.storage().children(&prefix).await?;
            let has_part = |part: &&str| children.iter().any(|child| child.is_prefix && child.name == **part);
            Ok::<_, StorageError>(parts.iter().all(has_part))
        };
        Ok(has(layout::repository(&self.name), &["_layers", "_manifests"]).await?
            && has(layout::manifests(&self.name), &["revisions", "tags"]).await?)
    }

    /// Whether the repository holds a manifest or a tag.
    pub(in crate::registry) async fn holds(&self) -> Result<Option<Holds>, StorageError> {
        if self.any_link_below(&layout::revisions(&self.name)).await? || self.any_tag().await? {
            return Ok(Some(Holds::Manifests));
        }
        Ok(self.is_there().await?.then_some(Holds::Blobs))
    }

    /// Whether a link is left below `prefix`, which has an algorithm and then a digest under it.
    pub(in crate::registry) async fn any_link_below(&self, prefix: &Key) -> Result<bool, StorageError> {
        for limit in [FEW, usize::MAX] {
            for algorithm in Algorithm::ALL {
                let below = prefix.join(algorithm.as_str());
                let children = self.some_children(&below, limit).await?;
                for digest in digests(algorithm, children) {
                    if self.registry.is_object(&layout::link(&below.join(&digest.hex()))).await? {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }

    /// Whether there is any tag.
    async fn any_tag(&self) -> Result<bool, StorageError> {
        for limit in [FEW, usize::MAX] {
            let children = self.some_children(&layout::tags(&self.name), limit).await?;
            for tag in children.into_iter().filter_map(|child| child.name.parse().ok()) {
                if absent_if_out_of_reach(self.resolve(&tag).await)?.is_some() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    async fn some_children(&self, prefix: &Key, limit: usize) -> Result<Vec<Child>, StorageError> {
        let listed = self.storage().children_of(std::slice::from_ref(prefix), limit).await;
        Ok(listed.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }
}

impl Registry {
    /// What each of many repositories holds. One of which that can't be read is told of, and left out.
    pub(in crate::registry) async fn holdings(&self, names: Vec<RepositoryName>) -> Vec<(RepositoryName, Holds)> {
        let mut holdings = Vec::with_capacity(names.len());
        for names in names.chunks(AT_A_TIME) {
            let have_manifests = self.have_manifests(names).await;
            for (name, has_manifests) in names.iter().zip(have_manifests) {
                let holds = if has_manifests {
                    Ok(Some(Holds::Manifests))
                } else {
                    self.repository(name.clone()).holds().await
                };
                match holds {
                    Ok(Some(holds)) => holdings.push((name.clone(), holds)),
                    Ok(None) => {}
                    Err(error) => {
                        tracing::error!(%error, repository = %name, "what the repository holds can't be read");
                    }
                }
            }
        }
        holdings
    }

    /// Whether each of some repositories has a manifest, as far as a short look tells: if it says no, a longer one is
    /// needed.
    async fn have_manifests(&self, names: &[RepositoryName]) -> Vec<bool> {
        const USUAL: Algorithm = Algorithm::Sha256;
        let prefixes: Vec<Key> = names.iter().map(|name| layout::revisions(name).join(USUAL.as_str())).collect();
        let listed = self.storage().children_of(&prefixes, FEW).await;
        let (mut links, mut owners) = (Vec::new(), Vec::new());
        for (owner, children) in listed.into_iter().enumerate() {
            for digest in digests(USUAL, children.unwrap_or_default()) {
                links.push(layout::link(&prefixes[owner].join(&digest.hex())));
                owners.push(owner);
            }
        }
        let mut have = vec![false; names.len()];
        for (owner, stat) in owners.into_iter().zip(self.storage().stat_all(&links).await) {
            have[owner] |= matches!(stat, Ok(Some(_)));
        }
        have
    }
}

/// The names under the prefix of an algorithm that are digests.
pub(in crate::registry) fn digests(algorithm: Algorithm, children: Vec<Child>) -> impl Iterator<Item = Digest> {
    children.into_iter().filter_map(move |child| format!("{algorithm}:{}", child.name).parse().ok())
}
