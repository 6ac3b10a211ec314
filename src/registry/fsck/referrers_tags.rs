//! The referrers tag schema, for a way back to registries that have no referrers ([distribution-spec, referrers tag schema]).
//!
//! [distribution-spec, referrers tag schema]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{FsckError, Inspector, Phase};
use crate::{
    oci::{Descriptor, Digest, MediaType, Reference, RepositoryName, Tag},
    registry::{ManifestPush, Overwrite, RegistryError, Repository},
    storage::StorageError,
};

/// How many referrers are read at a time.
const PAGE: usize = 1000;

/// An image index, as far as one has to be merged.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u8,
    media_type: String,
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

impl Inspector {
    /// Tags, for each subject, an index of its referrers, with what such a tag lists already.
    pub(super) async fn write_referrers_tags(&mut self, names: &[RepositoryName]) -> Result<(), FsckError> {
        for (done, name) in names.iter().enumerate() {
            self.account.progress(Phase::Referrers, done, names.len()).await;
            let repository = self.registry.repository(name.clone());
            for subject in repository.subjects().await? {
                self.go_on()?;
                match repository.tag_referrers(&subject).await {
                    Ok(true) => self.account.figures.referrers_tags += 1,
                    Ok(false) => {}
                    Err(RegistryError::Storage(error)) => return Err(error.into()),
                    Err(error) => {
                        let what = format!("has referrers that can't be listed under a tag: {error}");
                        self.account.problem(format!("{name}@{subject}"), what, "delete some of them").await;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Repository {
    /// Writes the tag of one subject, unless it says all of it already.
    async fn tag_referrers(&self, subject: &Digest) -> Result<bool, RegistryError> {
        let Some(tag) = tag_of(subject) else { return Ok(false) };
        let before = self.resolve(&tag).await?;
        let listed = self.listed_under(&tag).await?;
        let mut manifests: BTreeMap<Digest, Descriptor> = BTreeMap::new();
        for descriptor in &listed {
            if self.has_manifest(&descriptor.digest).await? {
                manifests.insert(descriptor.digest.clone(), descriptor.clone());
            }
        }
        let mut last = None;
        loop {
            let page = self.list_referrers(subject, None, last.as_ref(), PAGE).await?;
            last = page.descriptors.last().map(|descriptor| descriptor.digest.clone());
            manifests.extend(page.descriptors.into_iter().map(|descriptor| (descriptor.digest.clone(), descriptor)));
            if !page.more {
                break;
            }
        }
        if listed.len() == manifests.len() && listed.iter().all(|descriptor| manifests.contains_key(&descriptor.digest))
        {
            return Ok(false);
        }
        let manifests = manifests.into_values().collect();
        let index = Index { schema_version: 2, media_type: MediaType::OCI_INDEX.to_owned(), manifests };
        let pushed = self.put_manifest(ManifestPush {
            reference: Reference::Tag(tag),
            tags: Vec::new(),
            content_type: None,
            bytes: serde_json::to_vec(&index).unwrap_or_default().into(),
            overwrite: Overwrite::Allowed,
        });
        let digest = pushed.await?.digest;
        if let Some(before) = before.filter(|before| *before != digest) {
            self.remove_untagged_index(before).await?;
        }
        Ok(true)
    }

    /// Takes away the index that was under the tag, as clients do, unless it has another tag.
    async fn remove_untagged_index(&self, digest: Digest) -> Result<(), RegistryError> {
        let this = self.clone();
        self.coordinator()
            .own(async move {
                let mut state = this.coordinator().exclusive(&this.name).await;
                if this.tag_index(&mut state).await?.values().any(|target| *target == digest) {
                    return Ok(());
                }
                let removed = this.remove_manifest(&mut state, &digest).await;
                this.settle(&mut state, removed).await
            })
            .await
    }

    /// What an index under this tag lists; nothing, if there is none that can be read.
    async fn listed_under(&self, tag: &Tag) -> Result<Vec<Descriptor>, StorageError> {
        let Some(digest) = self.resolve(tag).await? else { return Ok(Vec::new()) };
        let Some(bytes) = self.manifest_bytes(&digest).await? else { return Ok(Vec::new()) };
        Ok(serde_json::from_slice::<Index>(&bytes).map(|index| index.manifests).unwrap_or_default())
    }
}

/// The tag under which the referrers of a subject are listed: its digest, cut to what a tag may have.
fn tag_of(subject: &Digest) -> Option<Tag> {
    let hex = subject.hex();
    format!("{}-{}", subject.algorithm(), &hex[..hex.len().min(64)]).parse().ok()
}
