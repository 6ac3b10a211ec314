//! Archives of `docker save` and `podman save` without an OCI layout: a configuration and uncompressed layers, from
//! which the manifest is made.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Content, Extent, Files, Manifest, Naming, Problem};
use crate::{
    oci::{Algorithm, Digest, MediaType, RepositoryName},
    registry::Registry,
};

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";

/// An entry of `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// The part of a configuration that names the layers.
#[derive(Deserialize)]
struct Config {
    rootfs: RootFilesystem,
}

#[derive(Deserialize)]
struct RootFilesystem {
    diff_ids: Vec<Digest>,
}

/// The images of an archive. The layers are compared with the configuration.
pub(super) fn read(files: &Files, naming: &Naming) -> Result<BTreeMap<RepositoryName, Content>, Problem> {
    let bytes = files.find("manifest.json")?.read("manifest.json", Registry::MANIFEST_LIMIT)?;
    let images: Vec<Image> = serde_json::from_slice(&bytes).map_err(|error| Problem::Json("manifest.json", error))?;
    let mut repositories = BTreeMap::<RepositoryName, Content>::new();
    for image in &images {
        let (manifest, blobs) = convert(files, image)?;
        let names = image.repo_tags.iter().flatten().map(|name| Some(name.as_str()));
        let names: Vec<_> = if names.clone().next().is_none() { vec![None] } else { names.collect() };
        for name in names {
            let (repository, tag) = naming.place(name)?;
            let content = repositories.entry(repository).or_default();
            content.blobs.extend(blobs.iter().cloned());
            let (bytes, media_type) = (manifest.bytes.clone(), manifest.media_type.clone());
            content.add(Manifest {
                digest: manifest.digest.clone(),
                media_type,
                bytes,
                tags: vec![tag],
                is_child: false,
            });
        }
    }
    if repositories.is_empty() { Err(Problem::Empty) } else { Ok(repositories) }
}

/// The manifest of an image, and its blobs.
fn convert(files: &Files, image: &Image) -> Result<(Manifest, Vec<(Digest, Extent)>), Problem> {
    let config = files.find(&image.config)?;
    let bytes = config.read(&image.config, Registry::MANIFEST_LIMIT)?;
    let Config { rootfs } =
        serde_json::from_slice(&bytes).map_err(|error| Problem::Json("the configuration", error))?;
    let mut blobs = vec![(Digest::of(Algorithm::Sha256, &bytes), config)];
    for name in &image.layers {
        let layer = files.find(name)?;
        blobs.push((layer.digest(Algorithm::Sha256)?, layer));
    }
    if !blobs[1..].iter().map(|(digest, _)| digest).eq(&rootfs.diff_ids) {
        return Err(Problem::Layers(image.config.clone()));
    }
    let descriptor = |(digest, extent): &(Digest, Extent), media_type: &str| -> Value {
        json!({ "mediaType": media_type, "size": extent.len, "digest": digest })
    };
    let layers: Vec<_> = blobs[1..].iter().map(|blob| descriptor(blob, LAYER)).collect();
    let config = descriptor(&blobs[0], CONFIG);
    let body = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers });
    let bytes = body.to_string().into_bytes();
    let digest = Digest::of(Algorithm::Sha256, &bytes);
    let media_type: MediaType = MANIFEST.parse().unwrap_or_else(|_| MediaType::oci_manifest());
    Ok((Manifest { digest, media_type, bytes: bytes.into(), tags: Vec::new(), is_child: false }, blobs))
}
