//! OCI image layouts ([image-spec, image layout]).
//!
//! [image-spec, image layout]: https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Content, Files, Manifest, Naming, Problem};
use crate::{
    oci::{self, Descriptor, Digest, MediaType, RepositoryName, Tag},
    registry::Registry,
};

/// The most levels of indexes.
const MAX_DEPTH: usize = 8;

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

/// The images of a layout, each checked by its digests.
pub(super) fn read(files: &Files, naming: &Naming) -> Result<BTreeMap<RepositoryName, Content>, Problem> {
    let bytes = files.find("index.json")?.read("index.json", Registry::MANIFEST_LIMIT)?;
    let index: Index = serde_json::from_slice(&bytes).map_err(|error| Problem::Json("index.json", error))?;
    let is_alone = index.manifests.len() == 1;
    let mut repositories = BTreeMap::<RepositoryName, Content>::new();
    for descriptor in &index.manifests {
        let name = ["io.containerd.image.name", "org.opencontainers.image.ref.name"]
            .iter()
            .find_map(|key| descriptor.annotations.get(*key));
        // Of several, those without a name are referrers of others.
        let (repository, tag) = match name {
            None if !is_alone => (naming.unnamed()?, None),
            name => naming.place(name.map(String::as_str)).map(|(repository, tag)| (repository, Some(tag)))?,
        };
        let content = repositories.entry(repository).or_default();
        add_manifest(files, content, &descriptor.digest, &descriptor.media_type, tag, MAX_DEPTH)?;
    }
    if repositories.is_empty() { Err(Problem::Empty) } else { Ok(repositories) }
}

/// Adds a manifest, after everything that it refers to.
fn add_manifest(
    files: &Files,
    content: &mut Content,
    digest: &Digest,
    media_type: &MediaType,
    tag: Option<Tag>,
    depth: usize,
) -> Result<(), Problem> {
    let name = entry_name(digest);
    let bytes = files.find(&name)?.read(&name, Registry::MANIFEST_LIMIT)?;
    if Digest::of(digest.algorithm(), &bytes) != *digest {
        return Err(Problem::Digest(digest.clone()));
    }
    let parsed = oci::Manifest::parse(&bytes, Some(media_type));
    let parsed = parsed.map_err(|error| Problem::Manifest(digest.clone(), error))?;
    for blob in &parsed.blobs {
        add_blob(files, content, &blob.digest, blob.required)?;
    }
    for child in &parsed.children {
        if child.media_type.is_manifest() {
            let depth = depth.checked_sub(1).ok_or(Problem::Nested)?;
            add_manifest(files, content, &child.digest, &child.media_type, None, depth)?;
        } else {
            add_blob(files, content, &child.digest, true)?;
        }
    }
    let tags = tag.into_iter().collect();
    let is_child = depth < MAX_DEPTH;
    content.add(Manifest { digest: digest.clone(), media_type: parsed.media_type, bytes, tags, is_child });
    Ok(())
}

fn add_blob(files: &Files, content: &mut Content, digest: &Digest, is_required: bool) -> Result<(), Problem> {
    if content.blobs.contains_key(digest) {
        return Ok(());
    }
    let extent = match files.find(&entry_name(digest)) {
        Err(Problem::Missing(_)) if !is_required => return Ok(()),
        found => found?,
    };
    if extent.digest(digest.algorithm())? != *digest {
        return Err(Problem::Digest(digest.clone()));
    }
    content.blobs.insert(digest.clone(), extent);
    Ok(())
}

fn entry_name(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}
