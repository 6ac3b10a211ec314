//! A cache of manifests that were read lately and have their digests.
//!
//! A cached manifest is compared, byte for byte, with what was read from the store. So each answer comes from the
//! store, and is neither hashed nor parsed again.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use quick_cache::{Weighter, sync::Cache};

use crate::oci::{Digest, Manifest, MediaType};

/// How many bytes of manifests are kept.
const BYTES: u64 = 8 * 1024 * 1024;

/// How many manifests that are, about.
const MANIFESTS: usize = 4096;

/// A manifest whose bytes are what its digest says.
#[derive(Clone, Debug)]
pub(in crate::registry) struct VerifiedManifest {
    pub(in crate::registry) bytes: Bytes,
    /// Its type, if the body names it; else that is a matter of the repository.
    pub(in crate::registry) media_type: Option<MediaType>,
}

#[derive(Debug)]
pub(in crate::registry) struct VerifiedManifests {
    cache: Cache<Digest, VerifiedManifest, Weight>,
    requests: AtomicU64,
    hits: AtomicU64,
}

/// How often something was looked for in a cache.
#[derive(Clone, Copy, Debug)]
pub struct CacheCounts {
    /// How often in all.
    pub requests: u64,
    /// How often it was there.
    pub hits: u64,
}

#[derive(Clone, Debug)]
struct Weight;

impl Weighter<Digest, VerifiedManifest> for Weight {
    fn weight(&self, _: &Digest, manifest: &VerifiedManifest) -> u64 {
        // The cost of an entry beside its bytes.
        manifest.bytes.len() as u64 + 512
    }
}

impl Default for VerifiedManifests {
    fn default() -> Self {
        let cache = Cache::with_weighter(MANIFESTS, BYTES, Weight);
        Self { cache, requests: AtomicU64::new(0), hits: AtomicU64::new(0) }
    }
}

impl VerifiedManifests {
    /// How often manifests were verified, and how often without hashing them.
    pub(in crate::registry) fn counts(&self) -> CacheCounts {
        // Never more hits than requests.
        let hits = self.hits.load(Relaxed);
        CacheCounts { requests: self.requests.load(Relaxed).max(hits), hits }
    }

    /// The content that was read from the store under `digest`, if it has that digest.
    pub(in crate::registry) fn verify(&self, digest: &Digest, read: Bytes) -> Option<VerifiedManifest> {
        self.requests.fetch_add(1, Relaxed);
        if let Some(known) = self.cache.get(digest)
            && known.bytes == read
        {
            self.hits.fetch_add(1, Relaxed);
            return Some(known);
        }
        if Digest::of(digest.algorithm(), &read) != *digest {
            return None;
        }
        let parsed = Manifest::parse(&read, None).ok().filter(|manifest| manifest.names_its_type);
        let manifest = VerifiedManifest { bytes: read, media_type: parsed.map(|manifest| manifest.media_type) };
        self.cache.insert(digest.clone(), manifest.clone());
        Some(manifest)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;
    use crate::oci::Algorithm;

    #[test]
    fn other_bytes_are_never_taken_for_those_that_were_verified() {
        let manifests = VerifiedManifests::default();
        let good = Bytes::from_static(br#"{"schemaVersion":2,"mediaType":"application/vnd.test.thing+json"}"#);
        let digest = Digest::of(Algorithm::Sha256, &good);
        for _ in 0..2 {
            let verified = manifests.verify(&digest, good.clone()).unwrap();
            assert_eq!(verified.bytes, good);
            assert_eq!(verified.media_type.unwrap().as_str(), "application/vnd.test.thing+json");
            assert!(manifests.verify(&digest, Bytes::from_static(b"{}")).is_none());
            assert!(manifests.verify(&digest, good.slice(1..)).is_none());
        }
        let untyped = Bytes::from_static(b"{}");
        assert!(manifests.verify(&Digest::of(Algorithm::Sha256, &untyped), untyped).unwrap().media_type.is_none());
    }
}
