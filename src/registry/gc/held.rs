//! The content that repositories of an upstream hold, and which of it has been unused for the longest time.

use std::{
    collections::{HashMap, HashSet},
    time::SystemTime,
};

use crate::{
    oci::{Digest, RepositoryName},
    registry::{Registry, Repository, layout, repository_walk::AT_A_TIME},
    storage::{Key, StorageError},
};

/// The content of some repositories.
#[derive(Debug, Default)]
pub(super) struct Held {
    holders: Vec<Holder>,
    sizes: HashMap<Digest, u64>,
}

/// A manifest of a repository with the content that the repository has because of it; or a blob that no manifest of
/// its repository names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) repository: RepositoryName,
    /// The manifest.
    pub(super) manifest: Option<Digest>,
    /// When the manifest was used last.
    pub(super) used: SystemTime,
    /// The date of its link.
    pub(super) dated: SystemTime,
    /// The blobs of the repository.
    pub(super) blobs: Vec<Digest>,
}

/// What is to be removed, the longest unused first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// The manifests, each with the blobs that nothing else in its repository names.
    pub(super) holders: Vec<Holder>,
    /// The content that none of the repositories has afterwards, and its size.
    pub(super) contents: Vec<(Digest, u64)>,
}

impl Held {
    /// How many bytes it has. Content of several repositories counts once.
    pub(super) fn bytes(&self) -> u64 {
        self.sizes.values().sum()
    }

    pub(super) fn contents(&self) -> impl Iterator<Item = &Digest> {
        self.sizes.keys()
    }

    /// Adds what a repository holds. `last_use` is when a manifest was used, if that is known better than by the date of
    /// its link.
    ///
    /// # Errors
    /// The error of the store.
    pub(super) async fn read(
        &mut self,
        repository: &Repository,
        last_use: impl Fn(&Digest) -> Option<SystemTime>,
    ) -> Result<(), StorageError> {
        let (name, registry) = (&repository.name, &repository.registry);
        let manifests = registry.dated(repository, layout::revisions(name), layout::revision).await?;
        let layers = registry.dated(repository, layout::layers(name), layout::layer).await?;
        let layers: HashSet<Digest> = layers.into_iter().map(|(digest, _)| digest).collect();
        let mut unnamed = layers.clone();
        for (digest, dated) in &manifests {
            // A manifest that can't be read names nothing: what it refers to is fetched again when it is.
            let references = repository.ties(digest).await?.unwrap_or_default().references;
            let blobs: HashSet<Digest> = references.into_iter().filter(|digest| layers.contains(digest)).collect();
            for blob in &blobs {
                unnamed.remove(blob);
            }
            self.holders.push(Holder {
                repository: name.clone(),
                manifest: Some(digest.clone()),
                used: last_use(digest).unwrap_or(*dated),
                dated: *dated,
                blobs: blobs.into_iter().collect(),
            });
        }
        self.holders.extend(unnamed.into_iter().map(|blob| Holder {
            repository: name.clone(),
            manifest: None,
            used: SystemTime::UNIX_EPOCH,
            dated: SystemTime::UNIX_EPOCH,
            blobs: vec![blob],
        }));
        let contents = layers.into_iter().chain(manifests.into_iter().map(|(digest, _)| digest));
        let contents: Vec<Digest> = contents.filter(|digest| !self.sizes.contains_key(digest)).collect();
        for contents in contents.chunks(AT_A_TIME) {
            let data: Vec<Key> = contents.iter().map(layout::data).collect();
            for (digest, stat) in contents.iter().zip(registry.storage().stat_all(&data).await) {
                self.sizes.extend(stat?.map(|stat| (digest.clone(), stat.len)));
            }
        }
        Ok(())
    }

    /// What has to go so that at most `bound` bytes stay. Nothing that `is_busy` goes, so more may stay.
    pub(super) fn plan(mut self, bound: u64, is_busy: impl Fn(&Digest) -> bool) -> Plan {
        let mut left = self.bytes();
        self.holders.sort_by_key(|holder| holder.used);
        // How many holders have each content; and each blob in its repository.
        let (mut users, mut users_in) = (HashMap::new(), HashMap::new());
        for holder in &self.holders {
            for digest in holder.contents() {
                *users.entry(digest.clone()).or_insert(0_usize) += 1;
                *users_in.entry((holder.repository.clone(), digest.clone())).or_insert(0_usize) += 1;
            }
        }
        let mut plan = Plan::default();
        for mut holder in self.holders {
            if left <= bound {
                break;
            }
            if holder.manifest.as_ref().is_some_and(&is_busy) {
                continue;
            }
            for digest in holder.contents() {
                if is_last(&mut users, digest)
                    && !is_busy(digest)
                    && let Some(size) = self.sizes.get(digest)
                {
                    left -= size;
                    plan.contents.push((digest.clone(), *size));
                }
            }
            let repository = holder.repository.clone();
            // A busy blob stays in its repository: a base that clients read at all times keeps no image that has it.
            holder.blobs.retain(|blob| is_last(&mut users_in, &(repository.clone(), blob.clone())) && !is_busy(blob));
            plan.holders.push(holder);
        }
        plan
    }
}

impl Holder {
    fn contents(&self) -> impl Iterator<Item = &Digest> {
        self.manifest.iter().chain(&self.blobs)
    }
}

/// Counts one user less; whether that was the last.
fn is_last<K: Eq + std::hash::Hash>(users: &mut HashMap<K, usize>, of: &K) -> bool {
    let Some(users) = users.get_mut(of) else { return false };
    *users -= 1;
    *users == 0
}

impl Registry {
    /// The digests under `prefix` whose links are there, and the dates of these.
    async fn dated(
        &self,
        repository: &Repository,
        prefix: Key,
        tree: impl Fn(&RepositoryName, &Digest) -> Key,
    ) -> Result<Vec<(Digest, SystemTime)>, StorageError> {
        let mut dated = Vec::new();
        for digests in repository.linked_below(&prefix).await?.chunks(AT_A_TIME) {
            let links: Vec<Key> = digests.iter().map(|digest| layout::link(&tree(&repository.name, digest))).collect();
            for (digest, stat) in digests.iter().zip(self.storage().stat_all(&links).await) {
                dated.extend(stat?.map(|stat| (digest.clone(), stat.modified)));
            }
        }
        Ok(dated)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use std::time::Duration;

    use super::*;
    use crate::oci::Algorithm;

    fn digest(name: &str) -> Digest {
        Digest::of(Algorithm::Sha256, name.as_bytes())
    }

    fn holder(repository: &str, manifest: Option<&str>, used: u64, blobs: &[&str]) -> Holder {
        Holder {
            repository: repository.parse().unwrap(),
            manifest: manifest.map(digest),
            used: SystemTime::UNIX_EPOCH + Duration::from_secs(used),
            dated: SystemTime::UNIX_EPOCH,
            blobs: blobs.iter().map(|blob| digest(blob)).collect(),
        }
    }

    /// Three images of two repositories with a layer in common, and a blob that no manifest names.
    fn held() -> Held {
        let holders = vec![
            holder("b", Some("third"), 3, &["c", "base"]),
            holder("a", Some("first"), 1, &["a", "base"]),
            holder("a", Some("second"), 2, &["b", "base"]),
            holder("b", None, 0, &["unnamed"]),
        ];
        let sizes = ["first", "second", "third", "a", "b", "c", "base", "unnamed"].map(|name| (digest(name), 10));
        Held { holders, sizes: sizes.into_iter().collect() }
    }

    #[test]
    fn the_longest_unused_goes_and_shared_blobs_stay() {
        let rows: [(u64, &[&str], usize); 6] = [
            (80, &[], 0),
            (79, &["unnamed"], 1),
            (69, &["unnamed", "first", "a"], 2),
            (49, &["unnamed", "first", "a", "second", "b"], 3),
            (1, &["unnamed", "first", "a", "second", "b", "third", "c", "base"], 4),
            (0, &["unnamed", "first", "a", "second", "b", "third", "c", "base"], 4),
        ];
        for (bound, contents, holders) in rows {
            let plan = held().plan(bound, |_| false);
            let expected: Vec<_> = contents.iter().map(|name| (digest(name), 10)).collect();
            assert_eq!((&plan.contents, plan.holders.len()), (&expected, holders), "{bound}");
        }
        let plan = held().plan(49, |_| false);
        assert_eq!(plan.holders[1].blobs, [digest("a")], "the second image of the repository names the base, too");
        assert_eq!(plan.holders[2].blobs, [digest("b"), digest("base")], "the base leaves this repository only");
    }

    #[test]
    fn what_is_busy_stays() {
        let plan = held().plan(0, |digest| [self::digest("first"), self::digest("base")].contains(digest));
        let gone: Vec<_> = plan.contents.iter().map(|(digest, _)| digest.clone()).collect();
        assert_eq!(gone, ["unnamed", "second", "b", "third", "c"].map(digest));
        let blobs: Vec<_> = plan.holders.iter().map(|holder| holder.blobs.clone()).collect();
        let expected = [vec!["unnamed"], vec!["b"], vec!["c"]];
        assert_eq!(blobs, expected.map(|blobs| blobs.into_iter().map(digest).collect::<Vec<_>>()));
    }
}
