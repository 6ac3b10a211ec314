//! The verbs on the nouns, and the rules of a registry. Knows neither HTTP nor paths on a disk.

mod blobs;
mod body;
mod boot;
mod census;
mod content;
mod coordinator;
mod error;
pub mod events;
mod expiry;
mod fsck;
mod gc;
mod index;
mod layout;
mod links;
mod manifests;
mod origin;
mod progress;
mod record;
mod references;
mod referrers;
mod session_id;
mod sessions;
mod tags;
mod uploads;
mod upstream;
mod walk;

use std::{
    sync::{Arc, Weak},
    time::{Duration, SystemTime},
};

use tokio::{sync::OnceCell, time::Instant};

pub use blobs::{Blob, BlobDelivery};
pub use body::{Body, BodySender, body};
pub use error::{BodyError, RegistryError};
pub use fsck::{Diagnosis, Event as FsckEvent, Finding, FsckError, Inspection, Outcome, Phase as FsckPhase};
pub use gc::{
    Collection, CollectionError, Event as CollectionEvent, Phase as CollectionPhase, Removal, Removed,
    Report as CollectionReport,
};
pub use index::{Page, ReferrersPage};
pub use manifests::{ManifestPush, Overwrite, PushedManifest, StoredManifest};
pub use progress::Progress;
pub use session_id::{InvalidSessionId, SessionId};
pub use uploads::{Chunk, UploadStatus};
pub use upstream::{Upstream, UpstreamError, Wanted};

// What its answers and errors are made of: what stands above names them from here, and never the storage.
pub use crate::storage::{Key, Stat, Step, StorageError};

use self::{
    content::{Condemned, VerifiedManifests},
    coordinator::Coordinator,
    events::{Listener, Source},
    index::Catalog,
    sessions::Sessions,
};
use crate::{oci::RepositoryName, storage::Storage};

/// What the operator decides about the rules.
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
    /// What becomes of uploads that nobody ends.
    pub expiry: Expiry,
    /// What becomes of content that nothing refers to.
    pub gc: Gc,
    /// What of a blob is compared with its digest when it is read.
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
            expiry: Expiry::default(),
            gc: Gc::default(),
            verify: Verify::default(),
        }
    }
}

/// What of a blob is compared with its digest when it is read. A manifest is, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// Nothing: clients do that, and a check of the whole store.
    #[default]
    Nothing,
    /// All of it, if all of it is read.
    Whole,
}

/// What becomes of a manifest whose blobs or children are not in its repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// It is refused.
    #[default]
    Refuse,
    /// It is stored: a sparse index, or an image whose layers come later.
    Allow,
}

/// What becomes of a manifest that names content of its repository with a size which that does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sizes {
    /// It is stored, as registry:2 does, and the log tells of it. The content is what its digest says.
    #[default]
    Warn,
    /// It is refused.
    Refuse,
}

/// When an upload that nobody ends is thrown away.
#[derive(Clone, Copy, Debug)]
pub struct Expiry {
    /// Whether that is done at all.
    pub enabled: bool,
    /// How long ago its last byte must be.
    pub age: Duration,
    /// How often is looked.
    pub interval: Duration,
    /// Whether to say only what would be done.
    pub dry_run: bool,
}

impl Default for Expiry {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(60 * 60);
        Self { enabled: true, age: 24 * HOUR, interval: HOUR, dry_run: false }
    }
}

/// What becomes of content that nothing refers to.
#[derive(Clone, Copy, Debug)]
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

/// What a registry is given beside its store and its rules. By default there is nothing.
#[derive(Debug, Default)]
pub struct Extensions {
    /// They get the events.
    pub listeners: Vec<Arc<dyn Listener>>,
    /// It may have what is missing.
    pub upstream: Option<Arc<dyn Upstream>>,
}

/// A registry over a store. Cheap to clone: all clones are the same registry.
#[derive(Clone, Debug)]
pub struct Registry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    storage: Storage,
    rules: Rules,
    extensions: Extensions,
    coordinator: Coordinator,
    sessions: Sessions,
    catalog: Catalog,
    beginning: Beginning,
    /// When in this run of the system the store was served first.
    first_served: OnceCell<Duration>,
    condemned: Condemned,
    verified: VerifiedManifests,
}

/// When a registry began to serve, by the clock that files are dated with and by one that is never set.
#[derive(Clone, Copy, Debug)]
struct Beginning {
    date: SystemTime,
    /// `None`: it serves nobody, so nobody was told anything.
    serving: Option<Instant>,
}

impl Registry {
    /// The largest manifest, in bytes ([distribution-spec, pushing manifests] wants 4 MB at least).
    ///
    /// [distribution-spec, pushing manifests]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests
    pub const MANIFEST_LIMIT: u64 = 4 * 1024 * 1024;

    /// Serves `storage` by `rules`. Commits run on the runtime that this is called in; the list of repositories is read there, in the background.
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
            if rules.expiry.enabled {
                tokio::spawn(expiry::run(Arc::downgrade(&registry.0), rules.expiry.interval));
            }
            if let Some(interval) = rules.gc.interval {
                tokio::spawn(gc::run(Arc::downgrade(&registry.0), interval));
            }
        }
        registry
    }

    /// A registry that serves nobody, for work on a store that no server has. Nothing runs in its background, and nobody listens to it.
    #[must_use]
    pub fn at_rest(storage: Storage, rules: Rules) -> Self {
        Self::over(storage, rules, Extensions::default(), None)
    }

    fn over(storage: Storage, rules: Rules, extensions: Extensions, serving: Option<Instant>) -> Self {
        Self(Arc::new(Inner {
            storage,
            rules,
            extensions,
            coordinator: Coordinator::new(rules.gc.grace),
            sessions: Sessions::default(),
            catalog: Catalog::default(),
            condemned: Condemned::default(),
            verified: VerifiedManifests::default(),
            first_served: OnceCell::new(),
            beginning: Beginning { date: SystemTime::now(), serving },
        }))
    }

    /// One repository of it, whether there is such a one yet or not.
    #[must_use]
    pub fn repository(&self, name: RepositoryName) -> Repository {
        Repository { registry: self.clone(), name, source: None, is_filled: false }
    }

    /// [`Registry::repository`], for a request: the events of what is done with it say `source`, which is made only if somebody listens.
    #[must_use]
    pub fn repository_for(&self, name: RepositoryName, source: impl FnOnce() -> Source) -> Repository {
        let source = (!self.0.extensions.listeners.is_empty()).then(|| Arc::new(source()));
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
    /// What a write met.
    pub async fn probe(&self) -> Result<(), StorageError> {
        self.0.storage.probe().await
    }

    /// How many bytes the store has room for, where that has a meaning.
    ///
    /// # Errors
    /// What the question met.
    pub async fn free_space(&self) -> Result<Option<u64>, StorageError> {
        self.0.storage.free_space().await
    }

    /// Waits until every commit and every delete that was begun has ended.
    pub async fn finish(&self) {
        self.0.coordinator.finish().await;
    }

    /// A look at this registry that does not keep it.
    #[must_use]
    pub fn remains(&self) -> Remains {
        Remains(Arc::downgrade(&self.0))
    }

    fn storage(&self) -> &Storage {
        &self.0.storage
    }
}

/// Tells whether a registry, and with it the lock of its store, is still held by anybody.
#[derive(Clone, Debug)]
pub struct Remains(Weak<Inner>);

impl Remains {
    /// Whether nobody holds it any more.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}

/// One repository of a registry: a name, and all that can be done under it.
#[derive(Clone, Debug)]
pub struct Repository {
    registry: Registry,
    name: RepositoryName,
    /// What its events say of their cause.
    source: Option<Arc<Source>>,
    /// Whether this is the upstream's hold of it.
    is_filled: bool,
}

impl Repository {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &RepositoryName {
        &self.name
    }

    fn storage(&self) -> &Storage {
        self.registry.storage()
    }

    fn coordinator(&self) -> &Coordinator {
        &self.registry.0.coordinator
    }

    fn rules(&self) -> Rules {
        self.registry.0.rules
    }

    fn refuse_if_deletes_are_off(&self) -> Result<(), RegistryError> {
        if self.rules().delete { Ok(()) } else { Err(RegistryError::DeleteDisabled) }
    }
}
