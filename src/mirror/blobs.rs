//! Blobs of an upstream: each is fetched once, by a task of its own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt as _;
use tokio::{
    sync::watch,
    time::{self, Instant},
};

use super::{Source, remote::Wanted, remote_error::RemoteError, space::Room};
use crate::{
    client::{ClientError, Method, Response, StatusCode, header},
    oci::Digest,
    registry::{BlobWriter, FetchedBlob, RegistryError, Repository, UpstreamError},
};

/// So many bytes are gathered before they are written, if they come at once.
const WRITTEN_AT_ONCE: usize = 1024 * 1024;

/// So many bytes are waited for: storage writes fewer only with the next ones.
const WAITED_FOR: usize = 128 * 1024;

/// How often a fetch goes on after a break that followed no bytes.
const ATTEMPTS: u32 = 6;

/// The pause before a fetch goes on. It doubles with each break that followed no bytes.
const PAUSE: Duration = Duration::from_millis(100);

/// In this time at least [`WAITED_FOR`] bytes have to come; else the connection counts as broken.
const SLOWEST: Duration = Duration::from_secs(60);

/// The fetches that are under way.
#[derive(Debug, Default)]
pub(super) struct Downloads(Mutex<HashMap<Digest, Arc<Download>>>);

/// What a fetch tells those who want the blob: `None` until it has begun. It is closed when the fetch has ended.
type Began = Option<Result<FetchedBlob, RemoteError>>;

/// A fetch that is under way.
#[derive(Debug)]
struct Download {
    began: watch::Receiver<Began>,
    /// The other repositories that want the blob, until it is stored.
    others: Mutex<Option<Vec<Repository>>>,
}

impl Downloads {
    fn all(&self) -> MutexGuard<'_, HashMap<Digest, Arc<Download>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a fetch off the list, so that the next request begins another.
    fn end(&self, digest: &Digest, download: &Arc<Download>) {
        let mut all = self.all();
        if all.get(digest).is_some_and(|other| Arc::ptr_eq(other, download)) {
            all.remove(digest);
        }
    }
}

impl Download {
    fn others(&self) -> MutexGuard<'_, Option<Vec<Repository>>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the blob linked in another repository, too; `false` if the fetch has ended.
    fn join(&self, repository: &Repository) -> bool {
        let mut others = self.others();
        let Some(others) = others.as_mut() else { return false };
        others.push(repository.clone());
        true
    }
}

/// A fetch on the list, as long as its task lives. It comes off the list also if the task panics, or if its runtime
/// ends: else the list would keep the registry, and so the store, for ever.
struct Listed {
    source: Arc<Source>,
    digest: Digest,
    download: Arc<Download>,
}

impl Drop for Listed {
    fn drop(&mut self) {
        drop(self.download.others().take());
        self.source.downloads.end(&self.digest, &self.download);
    }
}

/// A fetch as its task has it.
struct Fetch {
    source: Arc<Source>,
    repository: Repository,
    name: String,
    digest: Digest,
    /// The size that a manifest of the repository says, if one names the blob.
    size: Option<u64>,
    /// Room for it in the store; `None`: there is none, or it was not asked for yet.
    room: Option<Room>,
}

impl Source {
    /// As [`crate::registry::Upstream::fetch_blob`]; `name` is the repository's name there.
    pub(super) async fn fetch_blob(
        self: &Arc<Self>,
        repository: &Repository,
        name: &str,
        digest: &Digest,
    ) -> Result<Option<FetchedBlob>, UpstreamError> {
        let size = repository.named_size(digest).await.map_err(|error| unusable(&error))?;
        // Bytes that came for another repository are this one's only if its upstream says so.
        let mut is_proven = size.is_some();
        loop {
            let is_stored = repository.has_bytes(digest).await.map_err(|error| unusable(&error))?;
            if !is_proven && (is_stored || self.downloads.all().contains_key(digest)) {
                if !self.has_blob(name, digest).await? {
                    return Ok(None);
                }
                is_proven = true;
            }
            if is_stored && is_proven {
                let linked = repository.link_stored_blob(digest).await.map_err(|error| unusable(&error))?;
                if let Some(len) = linked {
                    self.stored(repository.registry(), digest, len);
                    return Ok(None);
                }
            }
            let fetch = || Fetch {
                source: Arc::clone(self),
                repository: repository.clone(),
                name: name.to_owned(),
                digest: digest.clone(),
                size,
                room: None,
            };
            let (download, is_shared) = match self.download(repository, digest, is_proven, fetch) {
                Ok(download) => download,
                Err(None) => continue,
                Err(Some(mut ending)) => {
                    while ending.changed().await.is_ok() {}
                    continue;
                }
            };
            let mut began = download.began.clone();
            let Ok(began) = began.wait_for(Option::is_some).await else { return Err(UpstreamError::Unavailable) };
            return match began.clone() {
                Some(Ok(fetched)) => match fetched.claim(is_shared) {
                    Some(fetched) => Ok(Some(fetched)),
                    None => continue,
                },
                Some(Err(RemoteError::Absent)) => Ok(None),
                Some(Err(error)) => Err(error.into()),
                None => Err(UpstreamError::Unavailable),
            };
        }
    }

    /// The fetch of a blob, which begins now if it is not under way, and whether it was.
    ///
    /// # Errors
    /// What is known has to be looked at again: one has just begun; or, with its end to wait for, one is about to end.
    fn download(
        self: &Arc<Self>,
        repository: &Repository,
        digest: &Digest,
        is_proven: bool,
        fetch: impl FnOnce() -> Fetch,
    ) -> Result<(Arc<Download>, bool), Option<watch::Receiver<Began>>> {
        let mut all = self.downloads.all();
        if let Some(download) = all.get(digest) {
            if !is_proven {
                return Err(None);
            }
            if !download.join(repository) {
                return Err(Some(download.began.clone()));
            }
            self.counters.shared.fetch_add(1, Relaxed);
            return Ok((Arc::clone(download), true));
        }
        self.counters.blobs.missed();
        let (sender, began) = watch::channel(None);
        let download = Arc::new(Download { began, others: Mutex::new(Some(Vec::new())) });
        all.insert(digest.clone(), Arc::clone(&download));
        drop(all);
        let fetch = fetch();
        let (source, digest) = (Arc::clone(&fetch.source), fetch.digest.clone());
        let listed = Listed { source: Arc::clone(self), digest: fetch.digest.clone(), download: Arc::clone(&download) };
        tokio::spawn(async move {
            let ended = fetch.run(&sender, &listed.download).await;
            drop(listed);
            if let Err(error) = ended {
                if error != RemoteError::Paused {
                    tracing::warn!(upstream = source.remote.host(), %digest, %error, "a blob can't be fetched");
                }
                sender.send_if_modified(|began| {
                    let is_first = began.is_none();
                    began.get_or_insert(Err(error));
                    is_first
                });
            }
        });
        Ok((download, false))
    }

    /// Whether the upstream gives a byte of a blob of this repository.
    async fn has_blob(&self, name: &str, digest: &Digest) -> Result<bool, UpstreamError> {
        match self.remote.ask(&wanted(name, digest, Some("bytes=0-0".to_owned()))).await {
            Ok(_) => Ok(true),
            Err(RemoteError::Absent | RemoteError::Denied(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl Fetch {
    async fn run(mut self, began: &watch::Sender<Began>, download: &Arc<Download>) -> Result<(), RemoteError> {
        let response = self.source.remote.ask(&wanted(&self.name, &self.digest, None)).await?;
        let len = response.content_length().or(self.size);
        let len = len.ok_or_else(|| RemoteError::Answer("it does not say how long the blob is".to_owned()))?;
        if self.size.is_some_and(|size| size != len) {
            return Err(RemoteError::Answer(format!("the blob has {len} bytes, and its manifest says another number")));
        }
        self.room = self.source.make_room(&self.repository, len).await;
        let (mut writer, fetched) = if self.room.is_some() {
            self.repository.begin_blob(&self.digest, len).await.map_err(|error| unstorable(&error))?
        } else {
            // Nobody else can read it, so the next request fetches it anew.
            self.source.downloads.end(&self.digest, download);
            self.source.counters.relayed.fetch_add(1, Relaxed);
            Repository::relay_blob(&self.digest, len)
        };
        began.send_replace(Some(Ok(fetched)));
        if let Err(error) = self.receive(&mut writer, response, len).await {
            writer.give_up().await;
            return Err(error);
        }
        let others = download.others().take().unwrap_or_default();
        let others = others.into_iter().filter(|other| other.name() != self.repository.name()).collect();
        writer.finish(others).await.map_err(|error| unstorable(&error))?;
        if self.room.is_some() {
            self.source.stored(self.repository.registry(), &self.digest, len);
        }
        Ok(())
    }

    /// Receives the whole blob. After a break it goes on where it was.
    async fn receive(&self, writer: &mut BlobWriter, response: Response, len: u64) -> Result<(), RemoteError> {
        let mut response = Some((response, 0));
        let mut breaks = 0;
        while writer.offset() < len {
            let before = writer.offset();
            let problem = match response.take() {
                Some((response, skipped)) => self.receive_part(writer, response, skipped, len).await,
                None => match self.resume(writer.offset(), len).await {
                    Ok(resumed) => {
                        response = Some(resumed);
                        continue;
                    }
                    Err(error) => Err(error),
                },
            };
            let Err(error) = problem else { continue };
            if matches!(error, RemoteError::Answer(_) | RemoteError::Absent | RemoteError::Denied(_)) {
                return Err(error);
            }
            let is_silent = error == RemoteError::Client(ClientError::Timeout);
            breaks = match writer.offset() > before {
                true => 0,
                // Silence takes long each time.
                false if is_silent => breaks + ATTEMPTS / 2,
                false => breaks + 1,
            };
            if breaks >= ATTEMPTS {
                return Err(error);
            }
            tracing::info!(upstream = self.source.remote.host(), digest = %self.digest, offset = writer.offset(),
                %error, "a fetch broke off and goes on");
            time::sleep(PAUSE * 2_u32.pow(breaks)).await;
        }
        Ok(())
    }

    /// Receives what a response has of the blob, after `skipped` bytes of it.
    async fn receive_part(
        &self,
        writer: &mut BlobWriter,
        mut response: Response,
        mut skipped: u64,
        len: u64,
    ) -> Result<(), RemoteError> {
        loop {
            let gathered = gather(&mut response, &mut skipped).await;
            let (pieces, ended) = gathered;
            let bytes: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
            self.source.counters.blobs.fetched(bytes);
            if writer.offset() + bytes > len {
                return Err(RemoteError::Answer("the blob is longer than it said".to_owned()));
            }
            if bytes > 0 {
                writer.append(pieces).await.map_err(|error| unstorable(&error))?;
                if let Some(room) = &self.room {
                    room.written(bytes);
                }
            }
            match ended {
                Some(Ok(())) if writer.offset() < len => return Err(ClientError::Closed.into()),
                Some(Ok(())) => return Ok(()),
                Some(Err(error)) => return Err(error),
                None => {}
            }
        }
    }

    /// Asks for the rest of the blob; the response, and how many of its bytes are known already.
    async fn resume(&self, offset: u64, len: u64) -> Result<(Response, u64), RemoteError> {
        let range = (offset > 0).then(|| format!("bytes={offset}-"));
        let response = self.source.remote.ask(&wanted(&self.name, &self.digest, range)).await?;
        if response.status != StatusCode::PARTIAL_CONTENT {
            return Ok((response, offset));
        }
        let said = response.headers.get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
        let expected = [format!("bytes {offset}-{}/{len}", len - 1), format!("bytes {offset}-{}/*", len - 1)];
        if said.is_some_and(|said| expected.iter().any(|expected| said == expected)) {
            Ok((response, 0))
        } else {
            Err(RemoteError::Answer("it sends another part of the blob".to_owned()))
        }
    }
}

/// Waits for the next bytes of a body, and takes those that are there; and how it ended, if it did. The first
/// `skipped` bytes are dropped.
async fn gather(response: &mut Response, skipped: &mut u64) -> (Vec<Bytes>, Option<Result<(), RemoteError>>) {
    let (mut pieces, mut len, begin) = (Vec::new(), 0, Instant::now());
    while len < WRITTEN_AT_ONCE {
        let next = if len < WAITED_FOR {
            match time::timeout_at(begin + SLOWEST, response.chunk()).await {
                Ok(next) => next,
                Err(_) => return (pieces, Some(Err(ClientError::Timeout.into()))),
            }
        } else {
            match response.chunk().now_or_never() {
                Some(next) => next,
                None => break,
            }
        };
        match next {
            Ok(Some(mut piece)) => {
                let dropped = piece.len().min(usize::try_from(*skipped).unwrap_or(usize::MAX));
                *skipped -= dropped as u64;
                let piece = piece.split_off(dropped);
                len += piece.len();
                pieces.push(piece);
            }
            Ok(None) => return (pieces, Some(Ok(()))),
            Err(error) => return (pieces, Some(Err(error.into()))),
        }
    }
    (pieces, None)
}

fn wanted<'a>(name: &'a str, digest: &Digest, range: Option<String>) -> Wanted<'a> {
    Wanted { method: Method::GET, repository: name, path: format!("blobs/{digest}"), accept: "*/*", range }
}

fn unstorable(error: &RegistryError) -> RemoteError {
    RemoteError::Answer(format!("the blob can't be stored: {error}"))
}

fn unusable(error: &RegistryError) -> UpstreamError {
    tracing::error!(%error, "the store can't be read for what an upstream may have");
    UpstreamError::Unavailable
}
