//! The referrers tag schema, for a way back to registries that have no referrers ([distribution-spec, referrers tag
//! schema]).
//!
//! [distribution-spec, referrers tag schema]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{FsckError, Inspector, Phase};
use crate::{
    oci::{Digest, MediaType, Preconditions, Reference, RepositoryName, Tag},
    registry::{ManifestPush, Overwrite, RegistryError, Repository, index::TagIndex},
    storage::StorageError,
};

/// How many referrers are read at a time.
const PAGE: usize = 1000;

/// An image index that lists referrers. The entries of clients are kept as they are.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u8,
    // Clients may leave it out.
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    manifests: Vec<Value>,
}

/// The content of the tag of a subject's referrers.
enum Tagged {
    /// Nothing that can be read.
    Nothing,
    /// An image index: what it lists, by digest.
    Index(BTreeMap<Digest, Value>),
    /// Something that somebody put there for another reason.
    Other,
}

/// The result for the tag of a subject's referrers.
enum Written {
    Now,
    Before,
    /// The tag is somebody's for another reason, and was left alone.
    Taken,
}

impl Inspector {
    /// Tags, for each subject, an index of its referrers, with what such a tag lists already.
    pub(super) async fn write_referrers_tags(&mut self, names: &[RepositoryName]) -> Result<(), FsckError> {
        for (done, name) in names.iter().enumerate() {
            self.account.progress(Phase::Referrers, done, names.len());
            let repository = self.registry.repository(name.clone());
            for subject in repository.subjects().await? {
                self.go_on()?;
                match repository.tag_referrers(&subject).await {
                    Ok(Written::Now) => self.account.figures.referrers_tags += 1,
                    Ok(Written::Before) => {}
                    Ok(Written::Taken) => {
                        let what = "has referrers, and their tag is in use for something that is no image index";
                        self.account.problem(format!("{name}@{subject}"), what, "give that another tag").await;
                    }
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
    async fn tag_referrers(&self, subject: &Digest) -> Result<Written, RegistryError> {
        let Some(tag) = tag_of(subject) else { return Ok(Written::Before) };
        let before = self.resolve(&tag).await?;
        let listed = match self.tagged(&tag).await? {
            Tagged::Other => return Ok(Written::Taken),
            Tagged::Nothing => BTreeMap::new(),
            Tagged::Index(listed) => listed,
        };
        let mut manifests = BTreeMap::new();
        for (digest, descriptor) in &listed {
            if self.has_manifest(digest).await? {
                manifests.insert(digest.clone(), descriptor.clone());
            }
        }
        let mut last: Option<String> = None;
        loop {
            let page = self.list_referrers(subject, None, last.as_deref(), PAGE).await?;
            last = page.descriptors.last().map(|descriptor| descriptor.digest.to_string());
            for descriptor in page.descriptors {
                let said = || serde_json::json!(descriptor);
                manifests.entry(descriptor.digest.clone()).or_insert_with(said);
            }
            if !page.more {
                break;
            }
        }
        if listed.keys().eq(manifests.keys()) {
            return Ok(Written::Before);
        }
        let manifests = manifests.into_values().collect();
        let index = Index { schema_version: 2, media_type: MediaType::OCI_INDEX.to_owned(), manifests };
        let pushed = self.put_manifest(ManifestPush {
            reference: Reference::Tag(tag),
            tags: Vec::new(),
            content_type: None,
            bytes: serde_json::to_vec(&index).unwrap_or_default().into(),
            overwrite: Overwrite::Allowed,
            conditions: Preconditions::default(),
        });
        let digest = pushed.await?.digest;
        if let Some(before) = before.filter(|before| *before != digest) {
            self.remove_untagged_index(before).await?;
        }
        Ok(Written::Now)
    }

    /// Takes away the index that was under the tag, as clients do, unless it has another tag.
    async fn remove_untagged_index(&self, digest: Digest) -> Result<(), RegistryError> {
        let this = self.clone();
        self.locks()
            .own(async move {
                drop(this.with::<TagIndex>().await?);
                let mut state = this.locks().exclusive(&this.name).await;
                if this.know::<TagIndex>(&mut state).await?.naming(&digest).next().is_some() {
                    return Ok(());
                }
                let removed = this.remove_manifest(&mut state, &digest).await;
                this.settle(&mut state, removed).await
            })
            .await
    }

    /// The content of a tag.
    async fn tagged(&self, tag: &Tag) -> Result<Tagged, StorageError> {
        let Some(digest) = self.resolve(tag).await? else { return Ok(Tagged::Nothing) };
        let Some(bytes) = self.manifest_bytes(&digest).await? else { return Ok(Tagged::Nothing) };
        if self.media_type_of(&digest, &bytes).await?.as_str() != MediaType::OCI_INDEX {
            return Ok(Tagged::Other);
        }
        let Ok(index) = serde_json::from_slice::<Index>(&bytes) else { return Ok(Tagged::Other) };
        let by_digest = |entry: Value| Some((entry["digest"].as_str()?.parse().ok()?, entry));
        let listed: Option<BTreeMap<_, _>> = index.manifests.into_iter().map(by_digest).collect();
        Ok(listed.map_or(Tagged::Other, Tagged::Index))
    }
}

/// The tag under which the referrers of a subject are listed: its digest, cut to what a tag may have.
fn tag_of(subject: &Digest) -> Option<Tag> {
    let hex = subject.hex();
    format!("{}-{}", subject.algorithm(), &hex[..hex.len().min(64)]).parse().ok()
}
