//! `[storage]`: where the bytes are kept, and how carefully.

use std::path::PathBuf;
use std::time::Duration;

use super::values::Values;
use super::{ConfigError, Kind, Setting, Source};

/// Where the bytes are kept, and how carefully.
#[derive(Clone, Debug)]
pub struct Storage {
    /// Which store.
    pub store: Store,
    /// `storage.durability`: whether a 201 waits for the disk.
    pub durability: Durability,
    /// `storage.min_free`: bytes that must stay free on the disk; uploads are refused below; 0 for no floor.
    pub min_free: u64,
    /// `storage.delete.enabled`.
    pub delete: bool,
    /// `storage.maintenance.readonly.enabled`.
    pub read_only: bool,
    /// `storage.maintenance.uploadpurging`; `None` when it is off.
    pub upload_purging: Option<UploadPurging>,
    /// `storage.gc`.
    pub gc: Gc,
    /// `storage.verify_reads`.
    pub verify_reads: bool,
}

/// What becomes of content that nothing refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gc {
    /// How often it is collected; `None`: only when that is asked for.
    pub interval: Option<Duration>,
    /// How old it must be.
    pub grace: Duration,
    /// Whether manifests without a tag go as well.
    pub untagged: bool,
}

/// Which store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// Files below a directory, in registry:2's layout.
    Filesystem {
        /// `storage.filesystem.rootdirectory`.
        root: PathBuf,
    },
    /// Memory; gone when wharf stops.
    Memory,
}

/// Whether an acknowledged write survives a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It does.
    Full,
    /// It survives the end of the process only.
    None,
}

/// When unfinished uploads are thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadPurging {
    /// So long after their last byte.
    pub age: Duration,
    /// So often it is looked.
    pub interval: Duration,
    /// Only say which ones would go.
    pub dry_run: bool,
}

const DRIVER: &str = "wharf keeps its store on a filesystem (or, for tests, in memory); use storage.filesystem";

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        "storage",
        Kind::Choice(&["filesystem", "inmemory"]),
        "filesystem",
        "Which store, where both tables are there or none: `REGISTRY_STORAGE=inmemory`. In a file the table alone says it.",
    ),
    Setting::new(
        "storage.filesystem.rootdirectory",
        Kind::Path,
        "./data",
        "The directory of the store, in the layout of registry:2.",
    )
    .yaml_default("/var/lib/registry"),
    Setting::ignored("storage.filesystem.maxthreads", "no more files are open at a time than there are requests"),
    Setting::new("storage.inmemory", Kind::Mark, "", "Keep everything in memory, until wharf stops; for tests."),
    Setting::new(
        "storage.durability",
        Kind::Choice(&["full", "none"]),
        "full",
        "`full`: what was acknowledged survives a power cut. `none`: faster, for registries that may be lost.",
    ),
    Setting::new(
        "storage.min_free",
        Kind::Size,
        "0",
        "Uploads are refused when less is free on the disk; 0 for no floor.",
    ),
    Setting::new(
        "storage.verify_reads",
        Kind::Flag,
        "false",
        "Whether a blob that is read whole is hashed as it goes out, so that damage ends in a broken transfer; costs the time of hashing.",
    ),
    Setting::new("storage.delete.enabled", Kind::Flag, "true", "Whether manifests, tags and blobs may be deleted."),
    Setting::new(
        "storage.maintenance.uploadpurging.enabled",
        Kind::Flag,
        "true",
        "Whether unfinished uploads are thrown away in time.",
    ),
    Setting::new("storage.maintenance.uploadpurging.age", Kind::Duration, "24h", "How long after their last byte."),
    Setting::new(
        "storage.maintenance.uploadpurging.interval",
        Kind::Duration,
        "1h",
        "How often it is looked for them.",
    ),
    Setting::new("storage.maintenance.uploadpurging.dryrun", Kind::Flag, "false", "Only log which ones would go."),
    Setting::new(
        "storage.maintenance.readonly.enabled",
        Kind::Flag,
        "false",
        "Serve what is there and take nothing new.",
    ),
    Setting::new(
        "storage.gc.interval",
        Kind::Duration,
        "24h",
        "How often what nothing refers to is collected, while serving; 0: only by `wharf gc`.",
    ),
    Setting::new(
        "storage.gc.grace",
        Kind::Duration,
        "24h",
        "How old it must be, and for how long a client may rely on what it was told; nothing is collected for as long after a start.",
    ),
    Setting::new(
        "storage.gc.untagged",
        Kind::Flag,
        "false",
        "Whether manifests without a tag go as well, but for children of an index and referrers that stay with it.",
    ),
    Setting::ignored("storage.cache", "wharf remembers what it needs in its own memory"),
    Setting::ignored("storage.redirect", "blobs on a filesystem are sent by wharf itself"),
    Setting::ignored("storage.tag", "tags are looked up without a limit of their own"),
    Setting::not_yet("storage.s3", DRIVER),
    Setting::not_yet("storage.s3aws", DRIVER),
    Setting::refused("storage.azure", DRIVER),
    Setting::refused("storage.gcs", DRIVER),
    Setting::refused("storage.oss", DRIVER),
    Setting::refused("storage.swift", DRIVER),
];

pub(super) fn read(values: &mut Values) -> Storage {
    Storage {
        store: store(values),
        durability: match values.choice("storage.durability").as_deref() {
            Some("none") => Durability::None,
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

fn store(values: &mut Values) -> Store {
    let root = values.path("storage.filesystem.rootdirectory").unwrap_or_default();
    let named = |values: &Values, table: &str| values.tables.get(table).cloned();
    let filesystem = named(values, "storage.filesystem").or_else(|| {
        Some(values.source("storage.filesystem.rootdirectory")).filter(|source| *source != Source::Default)
    });
    let memory = values.is_set("storage.inmemory").then(|| values.source("storage.inmemory"));
    if values.is_set("storage") {
        let place = values.source("storage");
        if values.choice("storage").as_deref() == Some("inmemory") {
            values.settle("storage.inmemory", "", place);
            return Store::Memory;
        }
        values.set.remove("storage.inmemory");
        return Store::Filesystem { root };
    }
    match (filesystem, memory) {
        (Some(filesystem), Some(memory)) => {
            let problem = format!(
                "both storage.inmemory and storage.filesystem ({filesystem}) are set; leave one out, or choose with \
                 REGISTRY_STORAGE"
            );
            values.errors.push(ConfigError::Conflict { place: memory, problem });
            Store::Memory
        }
        (None, Some(_)) => Store::Memory,
        (_, None) => Store::Filesystem { root },
    }
}

/// Shorter than this, a client may be told that content is there, and push what refers to it only after it has gone.
const SHORT: Duration = Duration::from_secs(60 * 60);

fn gc(values: &mut Values) -> Gc {
    let interval = values.duration("storage.gc.interval");
    let grace = values.duration("storage.gc.grace");
    if grace < SHORT {
        let text = "storage.gc.grace is shorter than an hour: a slow push may find that what it relied on is gone, and has to begin again";
        values.notices.push(super::Notice { place: values.source("storage.gc.grace"), text: text.to_owned() });
    }
    Gc {
        interval: Some(interval).filter(|interval| !interval.is_zero()),
        grace,
        untagged: values.flag("storage.gc.untagged"),
    }
}

fn upload_purging(values: &mut Values) -> Option<UploadPurging> {
    let enabled = values.flag("storage.maintenance.uploadpurging.enabled");
    let purging = UploadPurging {
        age: values.duration("storage.maintenance.uploadpurging.age"),
        interval: values.duration("storage.maintenance.uploadpurging.interval"),
        dry_run: values.flag("storage.maintenance.uploadpurging.dryrun"),
    };
    if purging.interval.is_zero() {
        let place = values.source("storage.maintenance.uploadpurging.interval");
        values.bad::<()>("storage.maintenance.uploadpurging.interval", place, "it must be longer than nothing");
    }
    enabled.then_some(purging)
}
