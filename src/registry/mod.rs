//! The operations of a registry and its rules. This module knows neither HTTP nor paths on a disk.

mod blobs;
mod body_channel;
mod browse;
mod completeness;
mod content;
mod error;
pub mod events;
mod eviction;
mod fetched_blob;
mod fetching;
mod fsck;
mod gc;
mod grace_after_boot;
mod image_name;
mod index;
mod layout;
mod links;
mod locks;
mod manifest_references;
mod manifests;
mod out_of_reach;
mod outbox;
mod periodic;
mod progress;
mod referrers;
mod repository_records;
mod repository_walk;
mod retention;
mod session_id;
mod shared_manifests;
mod tags;
mod unexplained_content;
mod upload_expiry;
mod upload_sessions;
mod uploads;
mod upstream;

use std::{
    sync::{Arc, Mutex, Weak},
    time::{Duration, SystemTime},
};

use tokio::{
    sync::{Mutex as AsyncMutex, OnceCell},
    time::Instant,
};

pub use blobs::{Blob, BlobRegion, BlobStat};
pub use body_channel::{Body, BodySender, body};
pub use browse::{LastCollection, ListedTag, TagSummary};
pub use content::CacheCounts;
pub use error::{BodyError, RegistryError, UpstreamError};
pub use fetched_blob::{BlobWriter, FetchedBlob};
pub use fetching::FetchedImage;
pub use fsck::{Event as FsckEvent, Finding, FsckError, FsckReport, Inspection, Outcome, Phase as FsckPhase};
pub use gc::{
    Collection, CollectionError, Event as CollectionEvent, Eviction, Phase as CollectionPhase, Removal, Removed,
    Report as CollectionReport,
};
pub use image_name::ImageName;
pub use index::{Page, ReferrersPage};
pub use manifests::{ManifestPush, Overwrite, PushedManifest, StoredManifest};
pub use outbox::{OutboxRecord, Outcome as ChangeOutcome};
pub use progress::Progress;
pub use retention::{
    RemovedTag, Retention, RetentionError, RetentionEvent, RetentionReport, RetentionRule, RetentionRun,
};
pub use session_id::{InvalidSessionId, SessionId};
pub use uploads::{Chunk, UploadStatus};
pub use upstream::{Anonymous, Answer, CacheStatus, Filling, Upstream};

// Parts of its answers, errors and traits: the modules above name them from here.
pub use crate::storage::{FreeSpace, Key, Stat, Step, StorageError};

use self::{
    content::{DamagedContents, VerifiedManifests},
    events::{Listener, Source},
    index::Catalog,
    locks::Locks,
    upload_sessions::Sessions,
};
use crate::{oci::RepositoryName, storage::Storage};

/// The operator's settings.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Whether tags, manifests and blobs may be deleted.
    pub delete: bool,
    /// Whether a manifest may refer to content that is not in its repository.
    pub missing: Missing,
    /// Whether a manifest may be wrong about the sizes of content that is in its repository.
    pub sizes: Sizes,
    /// How many bytes an upload may have at most; `None`: as many as the store takes.
    pub upload_limit: Option<u64>,
    /// How many uploads of one repository may be begun and not ended.
    pub unfinished_limit: usize,
    /// When uploads that were not ended are removed; `None`: never.
    pub upload_expiry: Option<UploadExpiry>,
    /// When content without references is removed.
    pub gc: Gc,
    /// How much of a blob is compared with its digest when it is read.
    pub verify: Verify,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            delete: true,
            missing: Missing::Refuse,
            sizes: Sizes::Warn,
            upload_limit: None,
            unfinished_limit: 1000,
            upload_expiry: Some(UploadExpiry::default()),
            gc: Gc::default(),
            verify: Verify::default(),
        }
    }
}

/// How much of a blob is compared with its digest when it is read. A manifest always is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// Nothing: clients compare it, and so does a check of the whole store.
    #[default]
    Nothing,
    /// All of it, if all of it is read.
    Whole,
}

/// How a manifest is treated whose blobs or children are not in its repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// It is refused.
    #[default]
    Refuse,
    /// It is stored: a sparse index, or an image whose layers come later.
    Allow,
}

/// How a manifest is treated that gives a wrong size for content of its repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sizes {
    /// It is stored, as registry:2 does, with a warning in the log. The content has its digest.
    #[default]
    Warn,
    /// It is refused.
    Refuse,
}

/// When an upload that was not ended is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadExpiry {
    /// For how long no byte came.
    pub age: Duration,
    /// How often expired uploads are removed.
    pub interval: Duration,
    /// Whether they are only reported.
    pub dry_run: bool,
}

impl Default for UploadExpiry {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(60 * 60);
        Self { age: 24 * HOUR, interval: HOUR, dry_run: false }
    }
}

/// When content without references is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gc {
    /// How often a collection begins by itself; `None`: never.
    pub interval: Option<Duration>,
    /// How old content must be to be collected, and for how long a client may rely on what it was told.
    pub grace: Duration,
    /// Whether manifests without a tag go as well in the collections that begin by themselves.
    pub untagged: bool,
}

impl Default for Gc {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self { interval: Some(DAY), grace: DAY, untagged: false }
    }
}

/// The parts of a registry beside its store and its rules. By default there are none.
#[derive(Debug, Default)]
pub struct Extensions {
    /// They get the events.
    pub listeners: Vec<Arc<dyn Listener>>,
    /// It may have what is missing.
    pub upstream: Option<Arc<dyn Upstream>>,
    /// It removes tags after a time.
    pub retention: Option<Arc<Retention>>,
}

/// A registry over a store. Cheap to clone: all clones are the same registry.
#[derive(Clone, Debug)]
pub struct Registry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    storage: Storage,
    rules: Rules,
    extensions: Extensions,
    locks: Locks,
    sessions: Sessions,
    catalog: Catalog,
    beginning: Beginning,
    /// When in this run of the system the store was served first.
    first_served: OnceCell<Duration>,
    damaged: DamagedContents,
    verified: VerifiedManifests,
    last_collection: Mutex<Option<LastCollection>>,
    /// Held by a run of retention.
    retaining: AsyncMutex<()>,
    /// Held by an eviction by size, for which a collection waits.
    evicting: AsyncMutex<()>,
    /// It goes last, so that its end says that all of the above has gone.
    alive: Arc<()>,
}

/// When a registry began to serve: by the clock of file dates, and by a monotonic clock.
#[derive(Clone, Copy, Debug)]
struct Beginning {
    date: SystemTime,
    /// `None`: it has no clients.
    serving: Option<Instant>,
}

impl Registry {
    /// The largest manifest, in bytes ([distribution-spec, pushing manifests] wants 4 MB at least).
    ///
    /// [distribution-spec, pushing manifests]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests
    pub const MANIFEST_LIMIT: u64 = 4 * 1024 * 1024;

    /// Serves `storage` by `rules`. Commits run on the runtime that this is called in; the list of repositories is read
    /// there, in the background.
    #[must_use]
    pub fn new(storage: Storage, rules: Rules) -> Self {
        Self::extended(storage, rules, Extensions::default())
    }

    /// [`Registry::new`], with listeners or an upstream.
    #[must_use]
    pub fn extended(storage: Storage, rules: Rules, extensions: Extensions) -> Self {
        let registry = Self::over(storage, rules, extensions, Some(Instant::now()));
        tokio::spawn(index::load(registry.clone()));
        if !registry.is_read_only() {
            if let Some(expiry) = rules.upload_expiry {
                tokio::spawn(upload_expiry::run(Arc::downgrade(&registry.0), expiry.interval));
            }
            if registry.storage().is_shared() {
                return registry;
            }
            if let Some(interval) = rules.gc.interval {
                tokio::spawn(gc::run(Arc::downgrade(&registry.0), interval));
            }
            let retention = registry.0.extensions.retention.as_ref();
            if retention.is_some_and(|retention| retention.needs_pulls()) {
                tokio::spawn(retention::keep_pulls(Arc::downgrade(&registry.0)));
            } else {
                tokio::spawn(retention::forget_pulls(registry.clone()));
            }
            if let Some(interval) = retention.and_then(|retention| retention.interval()) {
                tokio::spawn(retention::run(Arc::downgrade(&registry.0), interval));
            }
        }
        registry
    }

    /// A registry without clients and background tasks, for work on a store that no server has open.
    #[must_use]
    pub fn at_rest(storage: Storage, rules: Rules, extensions: Extensions) -> Self {
        Self::over(storage, rules, extensions, None)
    }

    fn over(storage: Storage, rules: Rules, extensions: Extensions, serving: Option<Instant>) -> Self {
        Self(Arc::new(Inner {
            locks: Locks::new(storage.clone(), rules.gc.grace),
            storage,
            rules,
            extensions,
            sessions: Sessions::default(),
            catalog: Catalog::default(),
            damaged: DamagedContents::default(),
            verified: VerifiedManifests::default(),
            first_served: OnceCell::new(),
            last_collection: Mutex::default(),
            retaining: AsyncMutex::default(),
            evicting: AsyncMutex::default(),
            alive: Arc::default(),
            beginning: Beginning { date: SystemTime::now(), serving },
        }))
    }

    /// A repository, which need not exist yet.
    #[must_use]
    pub fn repository(&self, name: RepositoryName) -> Repository {
        Repository { registry: self.clone(), name, source: None, is_filled: false, is_fetching: true }
    }

    /// [`Registry::repository`], for a request. Its events carry the source, which is made only if a listener needs it.
    #[must_use]
    pub fn repository_for(&self, name: RepositoryName, source: impl FnOnce() -> Source) -> Repository {
        let is_needed = self.0.extensions.listeners.iter().any(|listener| listener.needs_source());
        let source = is_needed.then(|| Arc::new(source()));
        Repository { source, ..self.repository(name) }
    }

    /// Whether the store was not writable from the start, so that only reads are served.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.0.storage.is_read_only()
    }

    /// Whether the store takes writes at this moment.
    ///
    /// # Errors
    /// The error of a write.
    pub async fn probe(&self) -> Result<(), StorageError> {
        self.0.storage.probe().await
    }

    /// Whether the store can be read at this moment.
    ///
    /// # Errors
    /// The error of a read.
    pub async fn probe_reads(&self) -> Result<(), StorageError> {
        let listed = self.0.storage.children_of(&[layout::repositories()], 1).await;
        listed.into_iter().collect::<Result<Vec<_>, _>>().map(drop)
    }

    /// The kind of the store, as registry:2 names it: `filesystem`, `inmemory`.
    #[must_use]
    pub fn storage_driver(&self) -> &'static str {
        self.0.storage.driver()
    }

    /// What removes tags after a time, if there is something.
    #[must_use]
    pub fn retention(&self) -> Option<&Arc<Retention>> {
        self.0.extensions.retention.as_ref()
    }

    /// How often manifests were looked for in the cache of those that have their digests.
    #[must_use]
    pub fn cache_counts(&self) -> CacheCounts {
        self.0.verified.counts()
    }

    /// How many upload sessions this process has worked on that have not ended.
    #[must_use]
    pub fn open_uploads(&self) -> usize {
        self.0.sessions.count()
    }

    /// The free space of the store, where that has a meaning.
    ///
    /// # Errors
    /// The error of the system call.
    pub async fn free_space(&self) -> Result<Option<FreeSpace>, StorageError> {
        self.0.storage.free_space().await
    }

    /// Waits until every commit and every delete has ended, and notes what is only in memory.
    pub async fn finish(&self) {
        self.0.locks.finish().await;
        if let Some(retention) = self.0.extensions.retention.as_ref().filter(|_| !self.is_read_only())
            && let Err(error) = retention.close_pulls(self).await
        {
            tracing::error!(%error, "when tags were pulled can't be recorded");
        }
        self.close().await;
    }

    /// Ends the use of the store by work at rest: see [`Storage::close`].
    pub async fn close(&self) {
        if let Err(error) = self.0.storage.close().await {
            tracing::warn!(%error, "the lease of the bucket can't be ended: it counts for 20 minutes");
        }
    }

    /// A reference to this registry that does not keep it open.
    #[must_use]
    pub fn downgrade(&self) -> WeakRegistry {
        WeakRegistry(Arc::downgrade(&self.0.alive))
    }

    fn storage(&self) -> &Storage {
        &self.0.storage
    }
}

/// A reference to a registry that does not keep it, and the lock of its store, open.
#[derive(Clone, Debug)]
pub struct WeakRegistry(Weak<()>);

impl WeakRegistry {
    /// Whether the registry was dropped, and its store is closed.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}

/// One repository of a registry, and its operations.
#[derive(Clone, Debug)]
pub struct Repository {
    registry: Registry,
    name: RepositoryName,
    /// The source in its events.
    source: Option<Arc<Source>>,
    /// Whether the upstream uses it to store what it fetched.
    is_filled: bool,
    /// Whether the upstream is asked for what is missing.
    is_fetching: bool,
}

impl Repository {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &RepositoryName {
        &self.name
    }

    /// The registry that it is of.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    fn storage(&self) -> &Storage {
        self.registry.storage()
    }

    fn locks(&self) -> &Locks {
        &self.registry.0.locks
    }

    fn rules(&self) -> Rules {
        self.registry.0.rules
    }

    fn refuse_if_deletes_are_off(&self) -> Result<(), RegistryError> {
        if self.rules().delete { Ok(()) } else { Err(RegistryError::DeleteDisabled) }
    }
}
