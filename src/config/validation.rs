//! `[validation]`: what a manifest must be to be taken.

use super::values::Values;
use super::{Kind, Setting};

/// What a manifest must be to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validation {
    /// `validation.manifests.missing`.
    pub missing: Missing,
    /// `validation.manifests.sizes`.
    pub sizes: Sizes,
}

/// What becomes of a manifest whose blobs or children are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It is refused, `MANIFEST_BLOB_UNKNOWN`.
    Refuse,
    /// It is taken.
    Allow,
}

/// What becomes of a manifest that says other sizes than its blobs or children have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// It is taken, and the log tells of it.
    Warn,
    /// It is refused, `MANIFEST_INVALID`.
    Refuse,
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        "validation.manifests.missing",
        Kind::Choice(&["refuse", "allow"]),
        "refuse",
        "What becomes of a manifest whose blobs or children are not there; `allow` takes sparse images.",
    ),
    Setting::new(
        "validation.manifests.sizes",
        Kind::Choice(&["warn", "refuse"]),
        "warn",
        "What becomes of a manifest that says another size of a blob or child than it has; `warn` takes it and tells the log.",
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
    let sizes = match values.choice("validation.manifests.sizes").as_deref() {
        Some("refuse") => Sizes::Refuse,
        _ => Sizes::Warn,
    };
    Validation { missing, sizes }
}
