//! `[limits]`, `[catalog]`, `[tags]`: the limits.

use std::time::Duration;

use super::values::Values;
use super::{Kind, Setting};

/// The limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `limits.connections`: simultaneous connections.
    pub connections: usize,
    /// `limits.connections_per_address`: simultaneous connections from one address.
    pub connections_per_address: usize,
    /// `limits.uploads`: simultaneous requests with a body.
    pub uploads: usize,
    /// `limits.uploads_per_client`: the same for one user or, without a user, one address.
    pub uploads_per_client: usize,
    /// `limits.upload_bytes`: bytes of one upload session; `None`: no limit.
    pub upload_bytes: Option<u64>,
    /// `limits.unfinished_uploads`: unfinished uploads of one repository.
    pub unfinished_uploads: usize,
    /// `limits.target_bytes`: bytes of a request's path and query.
    pub target_bytes: usize,
    /// `limits.head_bytes`: bytes of the fields in a request's head.
    pub head_bytes: usize,
    /// `limits.head_fields`: fields in a request's head.
    pub head_fields: usize,
    /// `limits.body_idle`: the longest pause in a body.
    pub body_idle: Duration,
    /// `limits.body_rate`: the lowest average rate of a body in bytes per second.
    pub body_rate: u64,
    /// `limits.body_window`: the time over which the rate is averaged.
    pub body_window: Duration,
    /// `catalog.maxentries`: names in one page of the catalog.
    pub catalog_entries: usize,
    /// `tags.maxtags`: tags in one page of a tag list.
    pub tags: usize,
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new("limits.connections", Kind::Count, "4096", "Simultaneous connections."),
    Setting::new(
        "limits.connections_per_address",
        Kind::Count,
        "256",
        "Simultaneous connections from one address (one /64 for IPv6); more get 429.",
    ),
    Setting::new("limits.uploads", Kind::Count, "256", "Simultaneous requests with a body; more get 429."),
    Setting::new(
        "limits.uploads_per_client",
        Kind::Count,
        "32",
        "The same for one user or, without a user, one address.",
    ),
    Setting::new("limits.upload_bytes", Kind::Size, "0", "The largest blob; 0 for no limit."),
    Setting::new(
        "limits.unfinished_uploads",
        Kind::Count,
        "1000",
        "Unfinished uploads of one repository; more get 429 until some end or are purged.",
    ),
    Setting::new("limits.target_bytes", Kind::Size, "4KiB", "The longest path and query of a request; 60 KiB at most."),
    Setting::new(
        "limits.head_bytes",
        Kind::Size,
        "64KiB",
        "The names and values of all fields in the head of a request, `Authorization` and `Range` among them; 120 KiB at most.",
    ),
    Setting::new("limits.head_fields", Kind::Count, "64", "The fields in the head of a request; 96 at most."),
    Setting::new("limits.body_idle", Kind::Duration, "30s", "The longest pause in the body of a request."),
    Setting::new(
        "limits.body_rate",
        Kind::Size,
        "1KiB",
        "The lowest rate of a body in bytes per second, averaged over `body_window`; 0 for no limit.",
    ),
    Setting::new("limits.body_window", Kind::Duration, "60s", "The time over which `body_rate` is averaged."),
    Setting::new("catalog.maxentries", Kind::Count, "1000", "The most repositories in one page of the catalog."),
    Setting::new("tags.maxtags", Kind::Count, "1000", "The most tags in one page of a tag list."),
];

pub(super) fn read(values: &mut Values) -> Limits {
    let limits = Limits {
        connections: at_least_one(values, "limits.connections"),
        connections_per_address: at_least_one(values, "limits.connections_per_address"),
        uploads: at_least_one(values, "limits.uploads"),
        uploads_per_client: at_least_one(values, "limits.uploads_per_client"),
        upload_bytes: Some(values.size("limits.upload_bytes")).filter(|bytes| *bytes > 0),
        unfinished_uploads: at_least_one(values, "limits.unfinished_uploads"),
        target_bytes: within(values, "limits.target_bytes", 60 * 1024),
        head_bytes: within(values, "limits.head_bytes", 120 * 1024),
        head_fields: at_least_one(values, "limits.head_fields"),
        body_idle: values.duration("limits.body_idle"),
        body_rate: values.size("limits.body_rate"),
        body_window: values.duration("limits.body_window"),
        catalog_entries: at_least_one(values, "catalog.maxentries"),
        tags: at_least_one(values, "tags.maxtags"),
    };
    if limits.head_fields > FIELDS {
        values.refuse::<()>("limits.head_fields", "the server takes no more than 96");
    }
    for (key, time) in [("limits.body_idle", limits.body_idle), ("limits.body_window", limits.body_window)] {
        if time.is_zero() {
            values.refuse::<()>(key, "it must be longer than 0");
        }
    }
    limits
}

/// The most fields that the server's parser takes.
const FIELDS: usize = 96;

/// A size that the server's parser can take.
fn within(values: &mut Values, key: &'static str, most: u64) -> usize {
    let size = values.size(key);
    if size == 0 || size > most {
        let place = values.source(key);
        let text = format!("it must be 1 byte or more, and {} KiB at most", most / 1024);
        values.bad::<()>(key, place, &text);
    }
    usize::try_from(size).unwrap_or(usize::MAX)
}

fn at_least_one(values: &mut Values, key: &'static str) -> usize {
    let count = values.count(key);
    if count > 0 {
        return count;
    }
    values.refuse(key, "it must be 1 or more")
}
