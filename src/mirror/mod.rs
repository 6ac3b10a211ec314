//! Pull-through: upstream registries, from which repositories of this registry are filled.
//!
//! [`Mirror`] implements [`Upstream`]. It maps names (`names`), speaks to each upstream (`remote`, `tokens`,
//! `challenge`, `breaker`), fetches manifests (`manifests`), blobs (`blobs`) and lists (`lists`), and counts
//! (`counters`). It stores nothing itself: the [`Repository`] that it is given verifies and stores.
//!
//! - A tag is asked for by one HEAD, shared by all who want it, and not again while it is fresh.
//! - A blob is fetched once, by a task of its own. Its readers follow what is written.
//! - If an upstream fails, what is stored is served. A breaker keeps requests from waiting for an upstream that is down.
//! - Manifests that nobody uses go after a while (`eviction`). Before the store holds more than it may, the longest
//!   unused go, with their blobs (`space`).
//! - A blob whose bytes another repository has is given out only if a manifest of this repository names it, or the
//!   upstream gives a byte of it.

mod blobs;
mod breaker;
mod challenge;
mod counters;
mod credentials;
mod eviction;
mod lists;
mod manifests;
mod names;
mod network;
mod remote;
mod remote_error;
mod settings;
mod space;
mod tokens;

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture};

use self::{
    blobs::Downloads,
    eviction::Uses,
    manifests::Manifests,
    names::Names,
    remote::Remote,
    space::{Space, Unwritten},
};
pub use self::{
    counters::{Counters, Requests},
    credentials::Credentials,
    settings::{Place, Settings},
};
use crate::{
    client::ClientError,
    oci::{Digest, Reference, RepositoryName, Tag},
    registry::{
        Anonymous, Answer, FetchedBlob, Filling, Page, ReferrersPage, Repository, Upstream, UpstreamError,
        events::{Action, Event, Listener},
    },
};

/// The upstreams of a registry.
#[derive(Debug)]
pub struct Mirror {
    names: Arc<Names>,
    uses: Arc<Uses>,
    sources: Vec<Arc<Source>>,
}

/// One upstream, and what is known of its content.
#[derive(Debug)]
struct Source {
    /// Its place among the upstreams.
    at: usize,
    names: Arc<Names>,
    uses: Arc<Uses>,
    remote: Arc<Remote>,
    anonymous: Anonymous,
    is_offline: bool,
    ttl: Option<Duration>,
    manifests: Manifests,
    downloads: Downloads,
    space: Space,
    counters: Arc<Counters>,
}

impl Mirror {
    /// A mirror of `upstreams`. `own` are the values of `ns` that mean this registry itself. It opens no connection
    /// before the first request.
    ///
    /// # Errors
    /// [`ClientError::Options`]: an option of a client can't be used.
    pub fn new(upstreams: Vec<Settings>, own: Vec<String>) -> Result<Arc<Self>, ClientError> {
        let (names, uses) = (Arc::new(Names::new(&upstreams, own)), Arc::<Uses>::default());
        let unwritten = Arc::<Unwritten>::default();
        let source = |(at, settings): (usize, Settings)| {
            let space = Space::new(settings.max_bytes, Arc::clone(&unwritten));
            Source::new(at, settings, &names, &uses, space).map(Arc::new)
        };
        let sources = upstreams.into_iter().enumerate().map(source).collect::<Result<_, _>>()?;
        Ok(Arc::new(Self { names, uses, sources }))
    }

    /// The host of each upstream, and what was counted of it.
    pub fn counters(&self) -> impl Iterator<Item = (&str, &Counters)> {
        self.sources.iter().map(|source| (source.remote.host(), &*source.counters))
    }

    /// The host of each upstream, and whether it is asked: after a failure it is not, for a while.
    pub fn states(&self) -> impl Iterator<Item = (&str, bool)> {
        self.sources.iter().map(|source| (source.remote.host(), !source.is_offline && !source.remote.is_down()))
    }

    /// Asks each upstream once, for the base of the API; its host, and what it says.
    pub async fn check(&self) -> Vec<(&str, Result<&'static str, String>)> {
        let mut answers = Vec::new();
        for source in &self.sources {
            let answer = source.remote.check().await.map_err(|error| error.to_string());
            answers.push((source.remote.host(), answer));
        }
        answers
    }

    /// The upstream that fills a repository, and the name that it has there.
    fn source<'a>(&self, name: &'a RepositoryName) -> Option<(&Arc<Source>, &'a str)> {
        let (at, name_there) = self.names.target(name)?;
        Some((&self.sources[at], name_there))
    }

    /// The same, if that upstream is asked for this repository.
    fn asked<'a>(&self, name: &'a RepositoryName) -> Option<(&Arc<Source>, &'a str)> {
        let (at, name_there) = self.names.target(name)?;
        let source = &self.sources[at];
        (!source.is_offline && self.names.may_fetch(at, name_there)).then_some((source, name_there))
    }
}

impl Source {
    fn new(
        at: usize,
        settings: Settings,
        names: &Arc<Names>,
        uses: &Arc<Uses>,
        space: Space,
    ) -> Result<Self, ClientError> {
        let counters = Arc::new(Counters::default());
        Ok(Self {
            at,
            names: Arc::clone(names),
            uses: Arc::clone(uses),
            anonymous: settings.anonymous,
            is_offline: settings.is_offline,
            ttl: settings.ttl,
            manifests: Manifests::new(settings.fresh),
            downloads: Downloads::default(),
            space,
            remote: Arc::new(Remote::new(settings, Arc::clone(&counters))?),
            counters,
        })
    }

    /// Whether it fills a repository.
    fn fills(&self, name: &RepositoryName) -> bool {
        self.names.target(name).is_some_and(|(target, _)| target == self.at)
    }
}

impl Upstream for Mirror {
    fn repository_name(&self, name: &RepositoryName, namespace: Option<&str>) -> Option<RepositoryName> {
        self.names.meant(name, namespace)
    }

    fn filling(&self, name: &RepositoryName) -> Option<Filling<'_>> {
        let (source, _) = self.source(name)?;
        Some(Filling { host: source.remote.host(), anonymous: source.anonymous })
    }

    fn fetch_manifest<'a>(
        &'a self,
        repository: &'a Repository,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<Answer, UpstreamError>> {
        async move {
            let Some((source, name)) = self.asked(repository.name()) else { return Ok(Answer::NotAsked) };
            source.fetch_manifest(repository, name, reference).await
        }
        .boxed()
    }

    fn forget_manifest(&self, name: &RepositoryName, reference: &Reference) {
        if let Some((source, _)) = self.source(name) {
            source.manifests.forget(name, reference);
        }
    }

    fn fetch_blob<'a>(
        &'a self,
        repository: &'a Repository,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Option<FetchedBlob>, UpstreamError>> {
        async move {
            let Some((source, name)) = self.asked(repository.name()) else { return Ok(None) };
            source.fetch_blob(repository, name, digest).await
        }
        .boxed()
    }

    fn tags<'a>(
        &'a self,
        repository: &'a Repository,
        last: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Option<Page<Tag>>> {
        async move {
            let (source, name) = self.asked(repository.name())?;
            source.tags(name, last, limit).await
        }
        .boxed()
    }

    fn referrers<'a>(
        &'a self,
        repository: &'a Repository,
        subject: &'a Digest,
        artifact_type: Option<&'a str>,
        last: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Option<ReferrersPage>> {
        async move {
            let (source, name) = self.asked(repository.name())?;
            source.referrers(name, subject, artifact_type, last, limit).await
        }
        .boxed()
    }
}

/// It counts what clients pull.
impl Listener for Mirror {
    fn happened(&self, event: &Event<'_>) {
        let Event::Repository(event) = event else { return };
        let Some((source, _)) = self.source(event.repository) else { return };
        match event.action {
            Action::ManifestPulled(manifest) => {
                source.counters.manifests.pulled(manifest.bytes.len() as u64);
                self.uses.add(event.repository, manifest.digest);
            }
            Action::BlobPulled(blob) => source.counters.blobs.pulled(blob.size),
            _ => {}
        }
    }

    fn needs_source(&self) -> bool {
        false
    }
}
