#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::FutureExt as _;
use serde_json::json;
use tokio::sync::mpsc;

use super::*;
use crate::{
    oci::{Algorithm, Preconditions, Reference},
    registry::{Body, Collection, Extensions, Gc, ManifestPush, Overwrite, Rules, body, layout},
    storage::{Condition, Storage},
};

/// Notes each event in words, looks whether its change is in the store, and has an outbox.
#[derive(Debug)]
struct Recorder {
    storage: Storage,
    heard: Mutex<Vec<String>>,
    sources: Mutex<Vec<Option<Source>>>,
}

impl Recorder {
    fn is_there(&self, key: &Key) -> bool {
        // A store in memory answers at once.
        self.storage.stat(key).now_or_never().unwrap().unwrap().is_some()
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }

    fn records(&self) -> Vec<String> {
        let children = self.storage.children(&Key::new("outbox")).now_or_never().unwrap().unwrap();
        children.into_iter().map(|child| child.name).collect()
    }
}

/// An event in a few words, the link that it is about, and whether that is there after it.
fn words(event: &RepositoryEvent<'_>) -> (String, Option<(Key, bool)>) {
    let name = event.repository;
    let revision = |digest: &Digest| layout::link(&layout::revision(name, digest));
    let layer = |digest: &Digest| layout::link(&layout::layer(name, digest));
    let tags = |tags: &[Tag]| tags.iter().fold(String::new(), |text, tag| text + " " + tag.as_str());
    match event.action {
        Action::ManifestPushed(of) => (format!("push manifest{}", tags(of.tags)), Some((revision(of.digest), true))),
        Action::ManifestFetched(of) => (format!("fetch manifest{}", tags(of.tags)), Some((revision(of.digest), true))),
        Action::ManifestPulled(of) => (format!("pull manifest{}", tags(of.tags)), None),
        Action::ManifestDeleted { digest, tags: of } => {
            (format!("delete manifest{}", tags(of)), Some((revision(digest), false)))
        }
        Action::TagDeleted(tag) => (format!("delete tag {tag}"), Some((layout::tag_current(name, tag), false))),
        Action::BlobPushed(of) => (format!("push blob of {}", of.size), Some((layer(of.digest), true))),
        Action::BlobFetched(of) => (format!("fetch blob of {}", of.size), Some((layer(of.digest), true))),
        Action::BlobPulled(of) => (format!("pull blob of {}", of.size), None),
        Action::BlobMounted { blob, from } => {
            (format!("mount blob of {} from {from}", blob.size), Some((layer(blob.digest), true)))
        }
        Action::BlobDeleted(digest) => ("delete blob".to_owned(), Some((layer(digest), false))),
        Action::UploadBegun(_) => ("begin upload".to_owned(), None),
        Action::UploadCancelled(_) => ("cancel upload".to_owned(), None),
    }
}

impl Listener for Recorder {
    fn happened(&self, event: &Event<'_>) {
        let text = match event {
            Event::Repository(event) => {
                let (text, change) = words(event);
                if let Some((link, is_there)) = change {
                    assert_eq!(self.is_there(&link), is_there, "{text}");
                    assert!(self.is_there(&record(&text)), "{text}");
                }
                self.sources.lock().unwrap().push(event.source.cloned());
                format!("{} {text}", event.repository)
            }
            Event::Collected(report) => format!("collected {} manifests", report.manifests),
            Event::Damaged(_) => "damage".to_owned(),
            Event::UploadExpired => "expired upload".to_owned(),
        };
        self.heard.lock().unwrap().push(text);
    }

    fn prepare(&self, event: &Event<'_>) -> Vec<Step> {
        let Event::Repository(event) = event else { return Vec::new() };
        let (text, change) = words(event);
        let (link, is_there) = change.unwrap();
        assert_ne!(self.is_there(&link), is_there, "before {text}");
        vec![Step::Put(record(&text), Bytes::new())]
    }
}

/// Where the record of a change is.
fn record(text: &str) -> Key {
    Key::new("outbox").then(text)
}

fn heard() -> (Storage, Registry, Arc<Recorder>) {
    let storage = Storage::memory();
    let recorder = Arc::new(Recorder { storage: storage.clone(), heard: Mutex::default(), sources: Mutex::default() });
    let rules = Rules { gc: Gc { interval: None, grace: Duration::ZERO, untagged: true }, ..Rules::default() };
    let extensions = Extensions { listeners: vec![recorder.clone()], ..Extensions::default() };
    (storage.clone(), Registry::extended(storage, rules, extensions), recorder)
}

fn digest(bytes: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, bytes)
}

async fn of(bytes: &'static [u8]) -> Body {
    let (sender, body) = body();
    sender.send(Bytes::from_static(bytes)).await;
    sender.end();
    body
}

fn manifest(tag: &str, more: &[&str]) -> ManifestPush {
    let config = json!({ "mediaType": "a/b", "digest": digest(b"hello"), "size": 5 });
    let body = json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": config, "layers": [] });
    ManifestPush {
        reference: Reference::Tag(tag.parse().unwrap()),
        tags: more.iter().map(|tag| tag.parse().unwrap()).collect(),
        content_type: None,
        bytes: serde_json::to_vec(&body).unwrap().into(),
        overwrite: Overwrite::Allowed,
        conditions: Preconditions::default(),
    }
}

fn repository(registry: &Registry, name: &str) -> Repository {
    let source = || Source { actor: Some("alice".to_owned()), ..Source::default() };
    registry.repository_for(name.parse().unwrap(), source)
}

#[tokio::test]
async fn each_change_and_each_pull_is_heard_once_when_it_is_durable() {
    let (_, registry, recorder) = heard();
    let (a, b) = (repository(&registry, "a"), repository(&registry, "b"));
    let blob = digest(b"hello");
    a.push_blob(&blob, of(b"hello").await).await.unwrap();
    let session = a.start_upload(Algorithm::Sha256).await.unwrap();
    a.cancel_upload(session).await.unwrap();
    assert!(b.mount(&blob, &a).await.unwrap());
    let pushed = a.put_manifest(manifest("v1", &["v2", "v3"])).await.unwrap();
    a.head_manifest(&Reference::Tag("v1".parse().unwrap())).await.unwrap();
    a.manifest(&Reference::Digest(pushed.digest.clone())).await.unwrap();
    a.stat_blob(&blob).await.unwrap();
    a.open_blob(&blob).await.unwrap();
    let heard = recorder.take();
    assert_eq!(
        heard,
        [
            "a push blob of 5",
            "a begin upload",
            "a cancel upload",
            "b mount blob of 5 from a",
            "a push manifest v1 v2 v3",
            "a pull manifest v1",
            "a pull manifest",
            "a pull blob of 5",
            "a pull blob of 5",
        ]
    );
    a.delete_tag(&"v2".parse().unwrap(), Preconditions::default()).await.unwrap();
    a.delete_manifest(&pushed.digest, Preconditions::default()).await.unwrap();
    b.delete_blob(&blob, Preconditions::default()).await.unwrap();
    assert_eq!(recorder.take(), ["a delete tag v2", "a delete manifest v1 v3", "b delete blob"]);
    let sources = recorder.sources.lock().unwrap();
    assert!(sources.iter().all(|source| source.as_ref().unwrap().actor.as_deref() == Some("alice")));
}

#[tokio::test]
async fn nothing_is_heard_or_recorded_of_what_failed() {
    let (storage, registry, recorder) = heard();
    let a = repository(&registry, "a");
    let blob = digest(b"hello");
    a.push_blob(&digest(b"other"), of(b"hello").await).await.unwrap_err();
    a.put_manifest(manifest("v1", &[])).await.unwrap_err();
    a.delete_blob(&blob, Preconditions::default()).await.unwrap_err();
    a.delete_tag(&"v1".parse().unwrap(), Preconditions::default()).await.unwrap_err();
    a.delete_manifest(&blob, Preconditions::default()).await.unwrap_err();
    a.open_blob(&blob).await.unwrap_err();
    a.head_manifest(&Reference::Tag("v1".parse().unwrap())).await.unwrap_err();
    assert!(!a.mount(&blob, &repository(&registry, "b")).await.unwrap());

    a.push_blob(&blob, of(b"hello").await).await.unwrap();
    let before = recorder.records();
    // An object in the place of a prefix makes the commit fail after its first steps.
    storage.put(&layout::revisions(a.name()).then("sha256"), Bytes::new(), Condition::Any).await.unwrap();
    a.put_manifest(manifest("v1", &[])).await.unwrap_err();
    storage.put(&layout::repository(&"c".parse().unwrap()), Bytes::new(), Condition::Any).await.unwrap();
    repository(&registry, "c").mount(&blob, &a).await.unwrap_err();
    assert_eq!(recorder.records(), before);
    assert_eq!(recorder.take(), ["a push blob of 5"]);
}

#[tokio::test]
async fn a_delete_that_is_repeated_is_heard_once() {
    let (_, registry, recorder) = heard();
    let a = repository(&registry, "a");
    let blob = digest(b"hello");
    a.push_blob(&blob, of(b"hello").await).await.unwrap();
    recorder.take();
    a.delete_blob(&blob, Preconditions::default()).await.unwrap();
    a.delete_blob(&blob, Preconditions::default()).await.unwrap_err();
    assert_eq!(recorder.take(), ["a delete blob"]);
}

#[tokio::test]
async fn a_tag_that_another_registry_left_half_is_one_push_with_one_record() {
    let (storage, registry, recorder) = heard();
    let a = repository(&registry, "a");
    a.push_blob(&digest(b"hello"), of(b"hello").await).await.unwrap();
    recorder.take();
    let index = layout::tag_index(a.name(), &"v1".parse().unwrap(), &digest(b"old"));
    storage.put(&index, Bytes::from(digest(b"old").to_string()), Condition::Any).await.unwrap();
    a.put_manifest(manifest("v1", &[])).await.unwrap();
    assert_eq!(recorder.take(), ["a push manifest v1"]);
    assert_eq!(recorder.records(), ["push blob of 5", "push manifest v1"]);
}

#[tokio::test]
async fn what_wharf_does_by_itself_has_no_source() {
    let (storage, registry, recorder) = heard();
    let a = repository(&registry, "a");
    a.push_blob(&digest(b"hello"), of(b"hello").await).await.unwrap();
    a.put_manifest(manifest("v1", &[])).await.unwrap();
    a.delete_tag(&"v1".parse().unwrap(), Preconditions::default()).await.unwrap();
    recorder.take();
    recorder.sources.lock().unwrap().clear();
    let (events, mut unheard) = mpsc::channel(64);
    let collection = Collection { untagged: true, ..Collection::default() };
    registry.collect(collection, events).await.unwrap();
    unheard.close();
    assert_eq!(recorder.take(), ["a delete manifest", "collected 1 manifests"]);
    assert_eq!(*recorder.sources.lock().unwrap(), [None]);

    let lost = digest(b"lost");
    storage.put(&layout::data(&lost), Bytes::from_static(b"torn"), Condition::Any).await.unwrap();
    for _ in 0..2 {
        assert!(!registry.is_intact(&lost).await.unwrap());
    }
    assert_eq!(recorder.take(), ["damage"]);
}

#[test]
fn references_are_the_descriptors_that_can_be_read() {
    let child = json!({ "mediaType": "a/b", "digest": digest(b"x"), "size": 7 });
    let body = json!({ "config": child, "layers": [child, { "digest": "none" }], "manifests": [child] });
    let (digest, media_type) = (digest(b"m"), MediaType::oci_manifest());
    let mut bytes = Bytes::from(serde_json::to_vec(&body).unwrap());
    let target = ManifestTarget { digest: &digest, media_type: &media_type, bytes: &bytes, tags: &[] };
    let sizes: Vec<_> = target.references().into_iter().map(|reference| reference["size"].as_u64().unwrap()).collect();
    assert_eq!(sizes, [7, 7, 7]);
    bytes = Bytes::from_static(b"no JSON");
    let target = ManifestTarget { digest: &digest, media_type: &media_type, bytes: &bytes, tags: &[] };
    assert!(target.references().is_empty());
}
