//! `[limits]`, `[catalog]`, `[tags]`: how much is too much.

use std::time::Duration;

use super::values::Values;
use super::{Kind, Setting};

/// How much is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `limits.connections`: connections at a time.
    pub connections: usize,
    /// `limits.uploads`: requests at a time that send a body.
    pub uploads: usize,
    /// `limits.uploads_per_client`: of these, those of one user or, without one, of one address.
    pub uploads_per_client: usize,
    /// `limits.upload_bytes`: bytes of one upload session; `None` for no limit.
    pub upload_bytes: Option<u64>,
    /// `limits.body_idle`: how long a body may pause.
    pub body_idle: Duration,
    /// `catalog.maxentries`: names in one answer of the catalog.
    pub catalog_entries: usize,
    /// `tags.maxtags`: tags in one answer of a tag list.
    pub tags: usize,
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new("limits.connections", Kind::Count, "4096", "Connections at a time."),
    Setting::new("limits.uploads", Kind::Count, "256", "Requests at a time that send a body; more get 429."),
    Setting::new(
        "limits.uploads_per_client",
        Kind::Count,
        "32",
        "Of these, those of one user or, without a user, of one address.",
    ),
    Setting::new("limits.upload_bytes", Kind::Size, "0", "The largest blob; 0 for no limit."),
    Setting::new("limits.body_idle", Kind::Duration, "30s", "How long the body of a request may pause."),
    Setting::new("catalog.maxentries", Kind::Count, "1000", "The most repositories in one answer of the catalog."),
    Setting::new("tags.maxtags", Kind::Count, "1000", "The most tags in one answer of a tag list."),
];

pub(super) fn read(values: &mut Values) -> Limits {
    let limits = Limits {
        connections: at_least_one(values, "limits.connections"),
        uploads: at_least_one(values, "limits.uploads"),
        uploads_per_client: at_least_one(values, "limits.uploads_per_client"),
        upload_bytes: Some(values.size("limits.upload_bytes")).filter(|bytes| *bytes > 0),
        body_idle: values.duration("limits.body_idle"),
        catalog_entries: at_least_one(values, "catalog.maxentries"),
        tags: at_least_one(values, "tags.maxtags"),
    };
    if limits.body_idle.is_zero() {
        let place = values.source("limits.body_idle");
        values.bad::<()>("limits.body_idle", place, "it must be longer than nothing");
    }
    limits
}

fn at_least_one(values: &mut Values, key: &'static str) -> usize {
    let count = values.count(key);
    if count > 0 {
        return count;
    }
    let place = values.source(key);
    values.bad(key, place, "it must be 1 or more")
}
