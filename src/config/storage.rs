//! `[storage]`: the store and its durability.

use std::path::PathBuf;
use std::time::Duration;

use super::values::Values;
use super::{ConfigError, Kind, Setting, s3};
use crate::{
    registry::{Gc, UploadExpiry},
    storage::{Durability, S3Settings},
};

/// The store and its durability.
#[derive(Clone, Debug)]
pub struct Storage {
    /// The kind of the store.
    pub store: Store,
    /// `storage.durability`: whether a 201 is sent only after the data is on the disk.
    pub durability: Durability,
    /// `storage.min_free`: the free space of the disk in bytes below which uploads are refused; 0: no limit.
    pub min_free: u64,
    /// `storage.memory_limit`: the most bytes of a store in memory; `None`: no limit.
    pub memory_limit: Option<u64>,
    /// `storage.delete.enabled`.
    pub delete: bool,
    /// `storage.maintenance.readonly.enabled`.
    pub read_only: bool,
    /// `storage.maintenance.uploadpurging`; `None` if it is off.
    pub upload_purging: Option<UploadExpiry>,
    /// `storage.gc`.
    pub gc: Gc,
    /// `storage.verify_reads`.
    pub verify_reads: bool,
}

/// The kind of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// Files below a directory, in registry:2's layout.
    Filesystem {
        /// `storage.filesystem.rootdirectory`.
        root: PathBuf,
    },
    /// Memory; the content is lost when wharf stops.
    Memory,
    /// A bucket, in registry:2's layout.
    S3(Box<S3Settings>),
}

const DRIVER: &str = "the store of wharf is a filesystem or an S3 bucket; use storage.filesystem or storage.s3";

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        "storage",
        Kind::Choice(&["filesystem", "inmemory", "s3"]),
        "filesystem",
        "The kind of the store, if several tables or none exist: `REGISTRY_STORAGE=s3`. In a file, the table alone is enough.",
    ),
    Setting::new(
        "storage.filesystem.rootdirectory",
        Kind::Path,
        "./data",
        "The directory of the store, in the layout of registry:2.",
    )
    .yaml_default("/var/lib/registry"),
    Setting::ignored("storage.filesystem.maxthreads", "the number of requests limits the number of open files"),
    Setting::new("storage.inmemory", Kind::EmptyTable, "", "Keep everything in memory until wharf stops; for tests."),
    Setting::new(
        "storage.memory_limit",
        Kind::Size,
        "0",
        "The most bytes that `storage.inmemory` holds; more is refused with 507. 0: no limit.",
    ),
    Setting::new(
        "storage.durability",
        Kind::Choice(&["full", "none"]),
        "full",
        "`full`: acknowledged writes survive a power cut. `none`: faster, for registries whose content may be lost.",
    ),
    Setting::new(
        "storage.min_free",
        Kind::Size,
        "0",
        "Uploads are refused if less space is free on the disk; 0 for no limit.",
    ),
    Setting::new(
        "storage.verify_reads",
        Kind::Flag,
        "false",
        "Whether a blob that is read whole is hashed while it is sent, so that the transfer of a damaged blob fails. Hashing takes time.",
    ),
    Setting::new("storage.delete.enabled", Kind::Flag, "true", "Whether manifests, tags and blobs may be deleted."),
    Setting::new(
        "storage.maintenance.uploadpurging.enabled",
        Kind::Flag,
        "true",
        "Whether old unfinished uploads are removed.",
    ),
    Setting::new("storage.maintenance.uploadpurging.age", Kind::Duration, "24h", "The time after their last byte."),
    Setting::new(
        "storage.maintenance.uploadpurging.interval",
        Kind::Duration,
        "1h",
        "How often expired uploads are removed.",
    ),
    Setting::new(
        "storage.maintenance.uploadpurging.dryrun",
        Kind::Flag,
        "false",
        "Only log which ones would be removed.",
    ),
    Setting::new(
        "storage.maintenance.readonly.enabled",
        Kind::Flag,
        "false",
        "Serve the existing content and refuse changes.",
    ),
    Setting::new(
        "storage.gc.interval",
        Kind::Duration,
        "24h",
        "How often the server removes content that nothing refers to; 0: only by `wharf gc`.",
    ),
    Setting::new(
        "storage.gc.grace",
        Kind::Duration,
        "24h",
        "The age at which unused content may be removed. For this time a client may rely on an answer. After a restart of the machine, old content waits for this time.",
    ),
    Setting::new(
        "storage.gc.untagged",
        Kind::Flag,
        "false",
        "Whether untagged manifests are removed as well, except for children of a kept index and referrers of a kept manifest.",
    ),
    Setting::ignored("storage.cache", "wharf has its own cache in memory"),
    Setting::ignored("storage.redirect", "wharf sends blobs itself"),
    Setting::ignored("storage.tag", "the lookup of tags has no limit of its own"),
    Setting::refused("storage.azure", DRIVER),
    Setting::refused("storage.gcs", DRIVER),
    Setting::refused("storage.oss", DRIVER),
    Setting::refused("storage.swift", DRIVER),
];

pub(super) fn read(values: &mut Values) -> Storage {
    let store = store(values);
    Storage {
        memory_limit: memory_limit(values, &store),
        store,
        durability: match values.choice("storage.durability") {
            "none" => Durability::None,
            _ => Durability::Full,
        },
        min_free: values.size("storage.min_free"),
        delete: values.flag("storage.delete.enabled"),
        read_only: values.flag("storage.maintenance.readonly.enabled"),
        upload_purging: upload_purging(values),
        gc: gc(values),
        verify_reads: values.flag("storage.verify_reads"),
    }
}

fn memory_limit(values: &mut Values, store: &Store) -> Option<u64> {
    let limit = values.size("storage.memory_limit");
    if limit > 0 && *store != Store::Memory {
        let text = "storage.memory_limit has no effect: the store is not in memory".to_owned();
        values.notices.push(super::Notice { place: values.source("storage.memory_limit"), text });
    }
    Some(limit).filter(|limit| *limit > 0)
}

fn store(values: &mut Values) -> Store {
    let root = values.path("storage.filesystem.rootdirectory").unwrap_or_default();
    let named = ["storage.filesystem", "storage.inmemory", s3::TABLE].map(|table| (table, values.place_of(table)));
    if values.is_set("storage") {
        let place = values.source("storage");
        let kind = values.choice("storage");
        if kind == "inmemory" {
            values.set_effective("storage.inmemory", "", place);
            return Store::Memory;
        }
        values.set.remove("storage.inmemory");
        if kind == "s3" {
            return Store::S3(Box::new(s3::read(values)));
        }
        values.set.retain(|key, _| !key.starts_with(s3::TABLE));
        return Store::Filesystem { root };
    }
    let mut found = named.into_iter().filter_map(|(table, place)| Some((table, place?)));
    let first = found.next();
    if let (Some((one, place)), Some((other, second))) = (&first, found.next()) {
        let problem = format!("both {other} and {one} ({place}) are set; remove one, or choose with REGISTRY_STORAGE");
        values.errors.push(ConfigError::Conflict { place: second, problem });
        return Store::Memory;
    }
    match first {
        Some(("storage.inmemory", _)) => Store::Memory,
        Some((s3::TABLE, _)) => Store::S3(Box::new(s3::read(values))),
        _ => Store::Filesystem { root },
    }
}

/// With a shorter grace, content may be removed between the existence check of a push and the push of its manifest.
const SHORT: Duration = Duration::from_secs(60 * 60);

fn gc(values: &mut Values) -> Gc {
    let interval = values.duration("storage.gc.interval");
    let grace = values.duration("storage.gc.grace");
    if grace < SHORT {
        let text = "storage.gc.grace is shorter than an hour: content that a slow push relies on may be removed, and the push must start again";
        values.notices.push(super::Notice { place: values.source("storage.gc.grace"), text: text.to_owned() });
    }
    Gc {
        interval: Some(interval).filter(|interval| !interval.is_zero()),
        grace,
        untagged: values.flag("storage.gc.untagged"),
    }
}

fn upload_purging(values: &mut Values) -> Option<UploadExpiry> {
    let enabled = values.flag("storage.maintenance.uploadpurging.enabled");
    let purging = UploadExpiry {
        age: values.duration("storage.maintenance.uploadpurging.age"),
        interval: values.duration("storage.maintenance.uploadpurging.interval"),
        dry_run: values.flag("storage.maintenance.uploadpurging.dryrun"),
    };
    if purging.interval.is_zero() {
        values.refuse::<()>("storage.maintenance.uploadpurging.interval", "it must be longer than 0");
    }
    enabled.then_some(purging)
}
