//! `[validation]`: what a manifest must be to be taken.

use super::values::Values;
use super::{Kind, Setting};

/// What a manifest must be to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validation {
    /// `validation.manifests.missing`.
    pub missing: Missing,
}

/// What becomes of a manifest whose blobs or children are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It is refused, `MANIFEST_BLOB_UNKNOWN`.
    Refuse,
    /// It is taken.
    Allow,
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        "validation.manifests.missing",
        Kind::Choice(&["refuse", "allow"]),
        "refuse",
        "What becomes of a manifest whose blobs or children are not there; `allow` takes sparse images.",
    ),
    Setting::ignored("validation.enabled", "manifests are always checked"),
    Setting::ignored("validation.disabled", "manifests are always checked"),
    Setting::ignored(
        "validation.manifests.urls.allow",
        "layers that live elsewhere may have any URL, and wharf never follows one",
    ),
    Setting::refused(
        "validation.manifests.urls.deny",
        "wharf does not look at the URLs of layers, and never follows one",
    ),
    Setting::ignored(
        "validation.manifests.indexes",
        "validation.manifests.missing says whether children must be there",
    ),
];

pub(super) fn read(values: &mut Values) -> Validation {
    let missing = match values.choice("validation.manifests.missing").as_deref() {
        Some("allow") => Missing::Allow,
        _ => Missing::Refuse,
    };
    Validation { missing }
}
