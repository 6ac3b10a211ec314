#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::json;

use super::*;
use crate::{
    oci::{Algorithm, MediaType, Preconditions},
    registry::{
        Extensions, ManifestPush, Overwrite, Registry, RegistryError, Rules,
        events::{Action, Event, Listener},
    },
    storage::{Step, Storage},
};

const BLOB: &[u8] = b"hello";

/// A registry with one image under each tag, and what it was asked for.
#[derive(Debug, Default)]
struct Hub {
    asked: Mutex<Vec<String>>,
    is_down: AtomicBool,
}

/// Hears of everything: `prepared` before it happens, and its name after that.
#[derive(Debug, Default)]
struct Ears(Mutex<Vec<&'static str>>);

fn name_of(event: &Event<'_>) -> &'static str {
    let Event::Repository(event) = event else { return "other" };
    match event.action {
        Action::ManifestPulled(_) | Action::BlobPulled(_) => "pulled",
        Action::ManifestFetched(_) => "manifest fetched",
        Action::BlobFetched(_) => "blob fetched",
        _ => "other",
    }
}

impl Listener for Ears {
    fn happened(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(name_of(event));
    }

    fn prepare(&self, event: &Event<'_>) -> Vec<Step> {
        assert_ne!(name_of(event), "other");
        self.0.lock().unwrap().push("prepared");
        Vec::new()
    }
}

fn blob() -> Digest {
    Digest::of(Algorithm::Sha256, BLOB)
}

fn image() -> Bytes {
    let config = json!({ "mediaType": "a/b", "digest": blob(), "size": BLOB.len() });
    let body = json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": config, "layers": [] });
    serde_json::to_vec(&body).unwrap().into()
}

impl Upstream for Hub {
    fn repository_name(&self, name: &RepositoryName, namespace: Option<&str>) -> Option<RepositoryName> {
        namespace.is_none().then(|| name.clone())
    }

    fn filling(&self, name: &RepositoryName) -> Option<Filling<'_>> {
        let is_filled = name.as_str() != "own";
        is_filled.then_some(Filling { host: "hub.test", anonymous: Anonymous::Fetch })
    }

    fn fetch_manifest<'a>(
        &'a self,
        repository: &'a Repository,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<Answer, UpstreamError>> {
        async move {
            if self.is_down.load(SeqCst) {
                return Err(UpstreamError::Limited { retry_after: Some(7) });
            }
            self.asked.lock().unwrap().push(format!("manifest {reference}"));
            if reference.to_string() == "none" {
                return Ok(Answer::Absent);
            }
            if repository.manifest(reference).await.is_ok() {
                return Ok(Answer::Stored);
            }
            let push = ManifestPush {
                reference: reference.clone(),
                tags: Vec::new(),
                content_type: None,
                bytes: image(),
                overwrite: Overwrite::Allowed,
                conditions: Preconditions::default(),
            };
            let put = repository.put_manifest(push).await;
            Ok(if put.is_ok() { Answer::Stored } else { Answer::Absent })
        }
        .boxed()
    }

    fn forget_manifest(&self, _: &RepositoryName, _: &Reference) {}

    fn fetch_blob<'a>(
        &'a self,
        repository: &'a Repository,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Option<FetchedBlob>, UpstreamError>> {
        async move {
            if self.is_down.load(SeqCst) {
                return Err(UpstreamError::Limited { retry_after: Some(7) });
            }
            self.asked.lock().unwrap().push(format!("blob {digest}"));
            let (mut writer, fetched) = repository.begin_blob(digest, BLOB.len() as u64).await.unwrap();
            writer.append(vec![Bytes::from_static(BLOB)]).await.unwrap();
            // Of any other digest these bytes are refused.
            drop(writer.finish(Vec::new()).await);
            Ok((*digest == blob()).then_some(fetched))
        }
        .boxed()
    }

    fn tags<'a>(&'a self, _: &'a Repository, _: Option<&'a str>, limit: usize) -> BoxFuture<'a, Option<Page<Tag>>> {
        let tags = ["v1", "v2"].map(|tag| tag.parse().unwrap());
        let page = (!self.is_down.load(SeqCst)).then(|| Page::of(tags.into_iter(), limit));
        async move { page }.boxed()
    }

    fn referrers<'a>(
        &'a self,
        _: &'a Repository,
        _: &'a Digest,
        _: Option<&'a str>,
        _: Option<&'a str>,
        _: usize,
    ) -> BoxFuture<'a, Option<ReferrersPage>> {
        let page = (!self.is_down.load(SeqCst)).then(|| ReferrersPage { more: true, ..ReferrersPage::default() });
        async move { page }.boxed()
    }
}

fn cache() -> (Arc<Hub>, Arc<Ears>, Repository) {
    let (hub, ears) = (Arc::new(Hub::default()), Arc::new(Ears::default()));
    let extensions = Extensions { listeners: vec![ears.clone()], upstream: Some(hub.clone()), ..Extensions::default() };
    let registry = Registry::extended(Storage::memory(), Rules::default(), extensions);
    (hub, ears, registry.repository("a".parse().unwrap()))
}

fn tag(text: &str) -> Reference {
    Reference::Tag(text.parse().unwrap())
}

#[tokio::test]
async fn what_is_missing_is_fetched_once_and_a_tag_is_asked_for_at_each_pull() {
    let (hub, ears, repository) = cache();
    let digest = Digest::of(Algorithm::Sha256, &image());
    for _ in 0..2 {
        let manifest = repository.manifest(&tag("v1")).await.unwrap();
        assert_eq!((manifest.digest, manifest.bytes), (digest.clone(), image()));
        repository.manifest(&Reference::Digest(digest.clone())).await.unwrap();
        let opened = repository.open_blob(&blob()).await.unwrap();
        let len = opened.len();
        let pieces: Vec<_> = opened.into_stream(0..len).map(Result::unwrap).collect().await;
        assert_eq!(pieces.concat(), BLOB);
        repository.stat_blob(&blob()).await.unwrap();
    }
    let asked = std::mem::take(&mut *hub.asked.lock().unwrap());
    assert_eq!(asked, ["manifest v1".to_owned(), format!("blob {}", blob()), "manifest v1".to_owned()]);
    let heard = std::mem::take(&mut *ears.0.lock().unwrap());
    let first = ["prepared", "manifest fetched", "pulled", "pulled", "prepared", "blob fetched", "pulled", "pulled"];
    assert_eq!(heard, [&first[..], &["pulled"; 4]].concat(), "each fetch is heard once, when it is stored");
}

#[tokio::test]
async fn a_manifest_is_fetched_by_its_digest() {
    let (hub, _, repository) = cache();
    let digest = Reference::Digest(Digest::of(Algorithm::Sha256, &image()));
    assert_eq!(repository.head_manifest(&digest).await.unwrap().bytes, image());
    assert_eq!(hub.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_the_upstream_does_not_have_is_unknown_and_a_lie_is_not_stored() {
    let (_, _, repository) = cache();
    let other = Digest::of(Algorithm::Sha256, b"other");
    assert!(matches!(repository.manifest(&tag("none")).await, Err(RegistryError::ManifestUnknown(_))));
    assert!(matches!(repository.open_blob(&other).await, Err(RegistryError::BlobUnknown(_))));
    let lie = Reference::Digest(other);
    assert!(matches!(repository.manifest(&lie).await, Err(RegistryError::ManifestUnknown(_))));
}

#[tokio::test]
async fn an_upstream_that_is_down_serves_what_is_stored() {
    let (hub, _, repository) = cache();
    repository.manifest(&tag("v1")).await.unwrap();
    assert_eq!(repository.list_tags(None, 10).await.unwrap().entries.len(), 2);
    assert!(repository.list_referrers(&blob(), None, None, 10).await.unwrap().more);
    hub.is_down.store(true, SeqCst);
    repository.manifest(&tag("v1")).await.unwrap();
    assert_eq!(repository.list_tags(None, 10).await.unwrap().entries, ["v1".parse().unwrap()]);
    assert!(!repository.list_referrers(&blob(), None, None, 10).await.unwrap().more);
    for error in [repository.manifest(&tag("v2")).await.unwrap_err(), repository.stat_blob(&blob()).await.unwrap_err()]
    {
        assert!(matches!(error, RegistryError::Upstream(UpstreamError::Limited { retry_after: Some(7) })), "{error}");
    }
}

#[tokio::test]
async fn nothing_is_pushed_to_a_repository_that_is_filled() {
    let (_, _, repository) = cache();
    let refused = repository.start_upload(Algorithm::Sha256).await;
    assert!(matches!(refused, Err(RegistryError::FilledByUpstream { host }) if host == "hub.test"));
    assert!(matches!(repository.mount(&blob(), &repository).await, Err(RegistryError::FilledByUpstream { .. })));
    let own = repository.registry.repository("own".parse().unwrap());
    own.start_upload(Algorithm::Sha256).await.unwrap();
    assert!(matches!(own.open_blob(&blob()).await, Err(RegistryError::BlobUnknown(_))));
    let stored_only = repository.without_fetching();
    assert!(matches!(stored_only.open_blob(&blob()).await, Err(RegistryError::BlobUnknown(_))));
}
