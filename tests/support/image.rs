//! Images made in memory, down to the tar of a layer.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};

pub(crate) const IMAGE_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const IMAGE_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const LAYER_TAR: &str = "application/vnd.oci.image.layer.v1.tar";
pub(crate) const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

pub(crate) fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

pub(crate) fn sha512(bytes: &[u8]) -> String {
    format!("sha512:{}", hex::encode(Sha512::digest(bytes)))
}

/// Bytes with their digest and media type.
#[derive(Clone)]
pub(crate) struct Blob {
    bytes: Vec<u8>,
    digest: String,
    media_type: &'static str,
}

impl Blob {
    pub(crate) fn new(bytes: Vec<u8>, media_type: &'static str) -> Self {
        Self { digest: sha256(&bytes), bytes, media_type }
    }

    /// `length` bytes that do not repeat and that no other `seed` has.
    pub(crate) fn noise(seed: u64, length: usize) -> Self {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let words = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        });
        Self::new(words.flatten().take(length).collect(), "application/octet-stream")
    }

    /// The same under its sha512 name.
    pub(crate) fn named_by_sha512(self) -> Self {
        Self { digest: sha512(&self.bytes), ..self }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }

    pub(crate) fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len()})
    }
}

/// A manifest as it is sent.
#[derive(Clone)]
pub(crate) struct Manifest(Blob);

impl Manifest {
    pub(crate) fn new(body: &Value, media_type: &'static str) -> Self {
        Self(Blob::new(serde_json::to_vec_pretty(body).unwrap(), media_type))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    pub(crate) fn digest(&self) -> &str {
        self.0.digest()
    }

    pub(crate) fn media_type(&self) -> &'static str {
        self.0.media_type
    }

    pub(crate) fn descriptor(&self) -> Value {
        self.0.descriptor()
    }
}

/// A config, layers and the manifest that names them.
#[derive(Clone)]
pub(crate) struct Image {
    config: Blob,
    layers: Vec<Blob>,
    manifest: Manifest,
    architecture: &'static str,
}

impl Image {
    /// One that a container engine can unpack: each layer has one file of noise, `seed` tells images apart.
    pub(crate) fn new(seed: u64, architecture: &'static str) -> Self {
        let files = [seed, seed + 1_000_000].map(|seed| (format!("file-{seed}"), Blob::noise(seed, 20_000)));
        let tars = files.map(|(name, blob)| tar(&[(&name, blob.bytes())]));
        let diff_ids: Vec<_> = tars.iter().map(|tar| sha256(tar)).collect();
        let layers = tars.map(|tar| Blob::new(tar, LAYER_TAR));
        Self::assemble(layers.to_vec(), &diff_ids, architecture)
    }

    /// The same with compressed layers, which clients leave as they are.
    pub(crate) fn gzipped(seed: u64, architecture: &'static str) -> Self {
        let plain = Self::new(seed, architecture);
        let diff_ids: Vec<_> = plain.layers.iter().map(|layer| layer.digest.clone()).collect();
        let layers = plain.layers.iter().map(|layer| Blob::new(gzip(&layer.bytes), LAYER_GZIP));
        Self::assemble(layers.collect(), &diff_ids, architecture)
    }

    fn assemble(layers: Vec<Blob>, diff_ids: &[String], architecture: &'static str) -> Self {
        let config = json!({
            "architecture": architecture, "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let config = Blob::new(config.to_string().into_bytes(), IMAGE_CONFIG);
        let body = json!({
            "schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": config.descriptor(),
            "layers": layers.iter().map(Blob::descriptor).collect::<Vec<_>>(),
        });
        Self { config, layers, manifest: Manifest::new(&body, IMAGE_MANIFEST), architecture }
    }

    pub(crate) fn blobs(&self) -> impl Iterator<Item = &Blob> {
        self.layers.iter().chain([&self.config])
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Writes an OCI layout directory with this image under `tag`.
    pub(crate) fn write_layout(&self, directory: &Path, tag: &str) {
        write_layout(directory, self.blobs().chain([&self.manifest.0]), self.manifest.descriptor(), tag);
    }
}

/// Images for several platforms under one index.
#[derive(Clone)]
pub(crate) struct Index {
    images: Vec<Image>,
    manifest: Manifest,
}

impl Index {
    pub(crate) fn new(images: Vec<Image>) -> Self {
        let children = images.iter().map(|image| {
            let mut descriptor = image.manifest.descriptor();
            descriptor["platform"] = json!({"os": "linux", "architecture": image.architecture});
            descriptor
        });
        let children: Vec<_> = children.collect();
        let body = json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": children});
        Self { manifest: Manifest::new(&body, IMAGE_INDEX), images }
    }

    /// For amd64 and arm64, with compressed layers.
    pub(crate) fn two_platforms(seed: u64) -> Self {
        Self::new(vec![Image::gzipped(seed, "amd64"), Image::gzipped(seed + 1, "arm64")])
    }

    pub(crate) fn images(&self) -> &[Image] {
        &self.images
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(crate) fn write_layout(&self, directory: &Path, tag: &str) {
        let images = self.images.iter().flat_map(|image| image.blobs().chain([&image.manifest.0]));
        write_layout(directory, images.chain([&self.manifest.0]), self.manifest.descriptor(), tag);
    }
}

fn write_layout<'a>(directory: &Path, blobs: impl Iterator<Item = &'a Blob>, mut root: Value, tag: &str) {
    let blobs_directory = directory.join("blobs/sha256");
    fs::create_dir_all(&blobs_directory).unwrap();
    for blob in blobs {
        fs::write(blobs_directory.join(blob.digest().trim_start_matches("sha256:")), blob.bytes()).unwrap();
    }
    root["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
    fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    fs::write(directory.join("index.json"), json!({"schemaVersion": 2, "manifests": [root]}).to_string()).unwrap();
}

/// A tar archive of plain files, in the ustar format.
pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, bytes) in files {
        let mut header = [0_u8; 512];
        let mut field = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
        field(0, name);
        field(100, "0000644\0");
        field(108, "0000000\0");
        field(116, "0000000\0");
        field(124, &format!("{:011o}\0", bytes.len()));
        field(136, "00000000000\0");
        field(148, "        ");
        field(156, "0");
        field(257, "ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        archive.extend_from_slice(&header);
        archive.extend_from_slice(bytes);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new("gzip").arg("-nc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    // On a thread of its own, so that neither pipe can fill up while nobody reads.
    let writer = std::thread::spawn(move || input.write_all(&bytes).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output.stdout
}
