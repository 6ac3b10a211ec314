//! Content by its digest: what a collection must leave alone, and whether bytes are what their digest says.

mod integrity;
mod pins;
mod verified_cache;

pub use self::verified_cache::CacheCounts;
pub(super) use self::{
    integrity::DamagedContents,
    pins::{Fingerprints, Pin, Pins, Run, Taken},
    verified_cache::{VerifiedManifest, VerifiedManifests},
};
