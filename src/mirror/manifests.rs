//! Manifests of an upstream: tags that are looked at again, and what is missing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::Mutex as AsyncMutex, time::Instant};

use super::{
    Source,
    remote::{Remote, Wanted},
    remote_error::RemoteError,
};
use crate::{
    client::{Method, Response, header},
    oci::{Algorithm, Digest, MediaType, Preconditions, Reference, RepositoryName},
    registry::{Answer, ManifestPush, Overwrite, Registry, Repository, UpstreamError},
};

/// All types of manifests. An upstream chooses by them, and the answer is for all clients, so none is left out.
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// For how long it is remembered that something is not there.
const ABSENT: Duration = Duration::from_secs(30);

/// How many references are remembered. Those that nobody asks for at the moment are dropped when there are more.
const KEPT: usize = 50_000;

/// What is known of the manifests of an upstream.
#[derive(Debug)]
pub(super) struct Manifests {
    fresh: Duration,
    known: Mutex<HashMap<(RepositoryName, Reference), Arc<Known>>>,
}

/// What is known of one reference.
#[derive(Debug, Default)]
struct Known {
    /// Held by the one who asks the upstream.
    turn: Arc<AsyncMutex<()>>,
    last: Mutex<Option<(Instant, Answer)>>,
}

impl Manifests {
    pub(super) fn new(fresh: Duration) -> Self {
        Self { fresh, known: Mutex::default() }
    }

    /// Forgets what was said of a reference.
    pub(super) fn forget(&self, name: &RepositoryName, reference: &Reference) {
        self.known().remove(&(name.clone(), reference.clone()));
    }

    fn of(&self, name: &RepositoryName, reference: &Reference) -> Arc<Known> {
        let mut known = self.known();
        if known.len() >= KEPT {
            known.retain(|_, known| Arc::strong_count(known) > 1);
        }
        Arc::clone(known.entry((name.clone(), reference.clone())).or_default())
    }

    /// The last answer, if it still holds; `fetched`, if it was that the manifest was fetched then.
    fn fresh(&self, known: &Known, fetched: Answer) -> Option<Answer> {
        let (at, answer) = (*known.last())?;
        let lifetime = if answer == Answer::Absent { ABSENT } else { self.fresh };
        (at.elapsed() < lifetime).then_some(if answer == Answer::Fetched { fetched } else { answer })
    }

    fn known(&self) -> MutexGuard<'_, HashMap<(RepositoryName, Reference), Arc<Known>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn last(&self) -> MutexGuard<'_, Option<(Instant, Answer)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A manifest as an upstream sent it.
struct Received {
    content_type: Option<MediaType>,
    bytes: Bytes,
}

impl Source {
    /// As [`crate::registry::Upstream::fetch_manifest`]; `name` is the repository's name there.
    pub(super) async fn fetch_manifest(
        self: &Arc<Self>,
        repository: &Repository,
        name: &str,
        reference: &Reference,
    ) -> Result<Answer, UpstreamError> {
        let known = self.manifests.of(repository.name(), reference);
        if let Some(answer) = self.manifests.fresh(&known, Answer::Stored) {
            return Ok(answer);
        }
        let turn = Arc::clone(&known.turn).lock_owned().await;
        if let Some(answer) = self.manifests.fresh(&known, Answer::Shared) {
            return Ok(answer);
        }
        // A task of its own: clients that go away sooner than an upstream that hangs is given up would keep each other
        // waiting for it.
        let (this, repository, name, reference) =
            (Arc::clone(self), repository.clone(), name.to_owned(), reference.clone());
        let asked = tokio::spawn(async move {
            let answer = this.ask_for_manifest(&known, &repository, &name, &reference).await;
            drop(turn);
            answer
        });
        asked.await.unwrap_or(Err(UpstreamError::Unavailable))
    }

    async fn ask_for_manifest(
        self: &Arc<Self>,
        known: &Known,
        repository: &Repository,
        name: &str,
        reference: &Reference,
    ) -> Result<Answer, UpstreamError> {
        let answer = match reference {
            Reference::Tag(_) => self.fetch_tag(repository, name, reference).await,
            Reference::Digest(digest) => self.fetch_by_digest(repository, name, reference, digest).await,
        };
        let answer = match answer {
            Err(RemoteError::Absent) => Ok(Answer::Absent),
            other => other,
        };
        if let Err(error @ RemoteError::Content(_)) = &answer {
            tracing::warn!(upstream = self.remote.host(), repository = name, %error, "the upstream gives nothing");
        }
        match answer {
            Ok(answer) => *known.last() = Some((Instant::now(), answer)),
            Err(_) if repository.manifest(reference).await.is_ok() => {
                self.counters.stale.fetch_add(1, Relaxed);
            }
            Err(_) => {}
        }
        Ok(answer?)
    }

    /// Asks what a tag means now, and fetches that if it is not stored.
    async fn fetch_tag(
        self: &Arc<Self>,
        repository: &Repository,
        name: &str,
        tag: &Reference,
    ) -> Result<Answer, RemoteError> {
        let stored = repository.manifest(tag).await.ok().map(|stored| stored.digest);
        let head = Wanted { method: Method::HEAD, ..wanted(name, &tag.to_string()) };
        let digest = match self.remote.ask(&head).await {
            Ok(response) => digest_of(&response),
            // Some upstreams don't take HEAD, or take it from nobody.
            Err(RemoteError::Method | RemoteError::Denied(_)) => None,
            Err(error) => return Err(error),
        };
        let Some(digest) = digest else {
            self.counters.manifests.missed();
            let received = self.receive(name, &tag.to_string()).await?;
            return self.store(repository, tag, received).await;
        };
        if stored.as_ref() == Some(&digest) {
            return Ok(Answer::Stored);
        }
        self.counters.manifests.missed();
        let received = match repository.manifest(&Reference::Digest(digest.clone())).await {
            Ok(stored) => Received { content_type: Some(stored.media_type), bytes: stored.bytes },
            Err(_) => self.receive(name, &digest.to_string()).await?,
        };
        if Digest::of(digest.algorithm(), &received.bytes) != digest {
            return Err(RemoteError::Content(format!("the manifest {digest} has other bytes")));
        }
        self.store(repository, tag, received).await
    }

    async fn fetch_by_digest(
        self: &Arc<Self>,
        repository: &Repository,
        name: &str,
        reference: &Reference,
        digest: &Digest,
    ) -> Result<Answer, RemoteError> {
        self.counters.manifests.missed();
        let received = self.receive(name, &digest.to_string()).await?;
        self.store(repository, reference, received).await
    }

    async fn receive(&self, name: &str, reference: &str) -> Result<Received, RemoteError> {
        let mut response = self.remote.ask(&wanted(name, reference)).await?;
        let bytes = self.remote.body(&mut response, Registry::MANIFEST_LIMIT).await;
        let bytes = bytes.map_err(|error| RemoteError::Content(format!("the manifest breaks off: {error}")))?;
        self.counters.manifests.fetched(bytes.len() as u64);
        let said = digest_of(&response);
        if said.is_some_and(|said| Digest::of(said.algorithm(), &bytes) != said) {
            return Err(RemoteError::Content("the manifest is not what its digest says".to_owned()));
        }
        let content_type = response.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.and_then(|text| MediaType::from_content_type(text).ok());
        Ok(Received { content_type, bytes })
    }

    /// Stores a manifest under a tag or under its digest.
    async fn store(
        self: &Arc<Self>,
        repository: &Repository,
        reference: &Reference,
        received: Received,
    ) -> Result<Answer, RemoteError> {
        let len = received.bytes.len() as u64;
        // A manifest is stored if there is no room, too: nothing else can be pulled without it.
        let room = self.make_room(repository, len).await;
        let push = ManifestPush {
            reference: reference.clone(),
            tags: Vec::new(),
            // A type that is none of a manifest says less than the body does.
            content_type: received.content_type.filter(MediaType::is_manifest),
            bytes: received.bytes,
            overwrite: Overwrite::Allowed,
            conditions: Preconditions::default(),
        };
        match repository.put_manifest(push).await {
            Ok(stored) => {
                self.stored(repository.registry(), &stored.digest, len);
                drop(room);
                Ok(Answer::Fetched)
            }
            Err(error) => Err(RemoteError::Content(format!("the manifest {reference} can't be stored: {error}"))),
        }
    }
}

fn wanted<'a>(name: &'a str, reference: &str) -> Wanted<'a> {
    Wanted {
        method: Method::GET,
        repository: name,
        path: format!("manifests/{reference}"),
        accept: ACCEPT,
        range: None,
    }
}

/// The digest that a response names.
fn digest_of(response: &Response) -> Option<Digest> {
    response.headers.get("docker-content-digest")?.to_str().ok()?.parse().ok()
}

impl Remote {
    /// A manifest that need not be stored: an index of referrers.
    pub(super) async fn read_manifest(&self, name: &str, reference: &str) -> Result<Bytes, RemoteError> {
        let mut response = self.ask(&wanted(name, reference)).await?;
        Ok(self.body(&mut response, Registry::MANIFEST_LIMIT).await?)
    }
}

/// The tag under which a registry without the referrers API keeps the referrers of a manifest
/// ([distribution-spec, referrers tag schema]).
///
/// [distribution-spec, referrers tag schema]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
pub(super) fn referrers_tag(subject: &Digest) -> String {
    let algorithm: Algorithm = subject.algorithm();
    format!("{}-{}", algorithm.as_str(), subject.hex())
}
