//! Content by its digest: what a collection must leave alone, and whether bytes are what their digest says.

mod integrity;
mod pins;
mod verified;

pub use self::verified::CacheCounts;
pub(super) use self::{
    integrity::DamagedContents,
    pins::{Fingerprints, Pins, Run, Taken},
    verified::{VerifiedManifest, VerifiedManifests},
};
