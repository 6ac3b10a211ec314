//! The sections of registry:2 and registry:3 that wharf does not have, each with the reason.

use super::{Kind, Setting};

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new("version", Kind::Anything, "", "").with(super::Status::Honoured),
    Setting::ignored("compatibility", "stored schema 1 manifests are served, new ones are refused"),
    Setting::ignored("redis", "wharf has its own cache in memory"),
    Setting::ignored("reporting", "wharf sends no reports"),
    Setting::refused("middleware", "wharf has no plug-ins; remove it"),
    Setting::refused("policy", "wharf accepts every class of repository; remove it"),
];
