//! The sections of registry:2 and registry:3 that wharf has no part for, so that each can be answered in plain words.

use super::{Kind, Setting};

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new("version", Kind::Anything, "", "").with(super::Status::Honoured),
    Setting::ignored("health.storagedriver", "/healthz looks at the store whenever it is asked"),
    Setting::refused("health.file", "/healthz speaks of this registry only"),
    Setting::refused("health.http", "/healthz speaks of this registry only"),
    Setting::refused("health.tcp", "/healthz speaks of this registry only"),
    Setting::ignored("compatibility", "schema 1 manifests that are stored are served, new ones are not taken"),
    Setting::ignored("redis", "wharf remembers what it needs in its own memory"),
    Setting::ignored("reporting", "wharf reports to nobody"),
    Setting::not_yet("notifications", "leave it out; nobody would be told of pushes"),
    Setting::not_yet("proxy", "leave it out; wharf does not fetch from other registries"),
    Setting::refused("middleware", "wharf has no plug-ins; leave it out"),
    Setting::refused("policy", "wharf takes every class of repository; leave it out"),
];
