//! `[validation]`: the requirements for a manifest.

use super::values::Values;
use super::{Kind, Setting};
use crate::registry::{Missing, Sizes};

/// The requirements for a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validation {
    /// `validation.manifests.missing`.
    pub missing: Missing,
    /// `validation.manifests.sizes`.
    pub sizes: Sizes,
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        "validation.manifests.missing",
        Kind::Choice(&["refuse", "allow"]),
        "refuse",
        "The handling of a manifest whose blobs or children are missing; `allow` accepts sparse images.",
    ),
    Setting::new(
        "validation.manifests.sizes",
        Kind::Choice(&["warn", "refuse"]),
        "warn",
        "The handling of a manifest with a wrong size of a blob or child; `warn` accepts it with a warning in the log.",
    ),
    Setting::ignored("validation.enabled", "manifests are always checked"),
    Setting::ignored("validation.disabled", "manifests are always checked"),
    Setting::ignored("validation.manifests.urls.allow", "foreign layers may have any URL; wharf does not follow URLs"),
    Setting::refused(
        "validation.manifests.urls.deny",
        "wharf does not check the URLs of foreign layers, and does not follow them",
    ),
    Setting::ignored("validation.manifests.indexes", "validation.manifests.missing says whether children must exist"),
];

pub(super) fn read(values: &mut Values) -> Validation {
    let missing = match values.choice("validation.manifests.missing") {
        "allow" => Missing::Allow,
        _ => Missing::Refuse,
    };
    let sizes = match values.choice("validation.manifests.sizes") {
        "refuse" => Sizes::Refuse,
        _ => Sizes::Warn,
    };
    Validation { missing, sizes }
}
