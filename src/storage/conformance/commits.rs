//! Several writes of which each relies on those before it.

use bytes::Bytes;

use super::{
    super::{Step, Storage, StorageError, Verified},
    body, children, key, put, read,
};
use crate::oci::{Algorithm, Digest};

pub(super) async fn a_commit_does_all_its_steps(storage: &Storage) {
    let content = received(storage, "hello").await;
    storage.commit(steps(content)).await.unwrap();
    assert_eq!(read(storage, "blobs/x/data").await.as_deref(), Some("hello"));
    assert_eq!(read(storage, "r/_layers/x/link").await.as_deref(), Some("x"));
    assert_eq!(read(storage, "r/_tags/latest/current/link").await.as_deref(), Some("y"));
    assert!(children(storage, "wharf/uploads").await.is_empty());
    storage.commit(Vec::new()).await.unwrap();
}

pub(super) async fn a_commit_makes_prefixes(storage: &Storage) {
    storage.commit(steps(received(storage, "hello").await)).await.unwrap();
    assert_eq!(children(storage, "r").await, ["_layers/", "_manifests/", "_tags/"]);
}

pub(super) async fn a_commit_ends_at_what_fails(storage: &Storage) {
    put(storage, "r/_tags/latest/index", "in the way").await;
    let content = received(storage, "hello").await;
    let committed = storage.commit(steps(content)).await;
    assert!(matches!(committed, Err(StorageError::Exists)), "{committed:?}");
    assert_eq!(read(storage, "blobs/x/data").await.as_deref(), Some("hello"));
    assert_eq!(read(storage, "r/_layers/x/link").await.as_deref(), Some("x"), "what came before it stays");
    assert_eq!(read(storage, "last").await, None, "what comes after it is not done");
}

pub(super) async fn content_after_a_failed_step_is_gone(storage: &Storage) {
    put(storage, "taken", "x").await;
    let content = received(storage, "hello again").await;
    let blocked = vec![Step::Put(key("taken/x"), Bytes::new()), Step::Promote(content, key("blobs/y/data"))];
    let committed = storage.commit(blocked).await;
    assert!(matches!(committed, Err(StorageError::Exists)), "{committed:?}");
    assert_eq!(read(storage, "blobs/y/data").await, None);
    assert!(children(storage, "wharf/uploads").await.is_empty(), "content that was not promoted is gone");
}

/// Records are durable with the first other step, wherever they stand. If one can't be stored, nothing after the first
/// step is.
pub(super) async fn a_record_is_stored_with_the_first_step(storage: &Storage) {
    let record = |at: &str| Step::Record(key(at), Bytes::from_static(b"record"));
    storage.commit(vec![record("outbox/1")]).await.unwrap();
    storage.commit(vec![record("outbox/2"), Step::Put(key("r/1"), Bytes::new())]).await.unwrap();
    assert_eq!(children(storage, "outbox").await, ["1", "2"]);
    let blocked = vec![record("outbox/1/x"), Step::Put(key("r/2"), Bytes::new()), Step::Put(key("r/3"), Bytes::new())];
    assert!(storage.commit(blocked).await.is_err());
    assert_eq!(read(storage, "r/3").await, None);
    // A step that fails leaves the record.
    let blocked = vec![record("outbox/3"), Step::Put(key("r/1/x"), Bytes::new()), Step::Put(key("r/3"), Bytes::new())];
    assert!(matches!(storage.commit(blocked).await, Err(StorageError::Exists)));
    assert_eq!(children(storage, "outbox").await, ["1", "2", "3"]);
    assert_eq!(read(storage, "r/3").await, None);
}

pub(super) async fn so_many_can_be_staged_and_no_more(storage: &Storage) {
    let stage = async |at: &str| storage.stage_among(&key(at), Algorithm::Sha256, 2).await;
    let first = stage("u/1").await.unwrap().unwrap();
    let _second = stage("u/2").await.unwrap().unwrap();
    assert!(stage("u/3").await.unwrap().is_none());
    assert!(stage("v/1").await.unwrap().is_some(), "another prefix has room of its own");
    first.abort().await.unwrap();
    assert!(stage("u/3").await.unwrap().is_some());
    assert_eq!(children(storage, "u").await, ["2", "3"]);
}

fn steps(content: Verified) -> Vec<Step> {
    let link = || Bytes::from_static(b"y");
    let tree = vec![(key("r/_tags/latest/current/link"), link()), (key("r/_tags/latest/index/link"), link())];
    vec![
        Step::Promote(content, key("blobs/x/data")),
        Step::MakePrefixes(vec![key("r/_layers"), key("r/_manifests")]),
        Step::Put(key("r/_layers/x/link"), Bytes::from_static(b"x")),
        Step::PutTree(key("r/_tags/latest"), tree),
        Step::Put(key("last"), Bytes::new()),
    ]
}

async fn received(storage: &Storage, bytes: &'static str) -> Verified {
    let mut staging = storage.stage(&key("wharf/uploads/1"), Algorithm::Sha256).await.unwrap();
    staging.append(body(&[bytes])).await.unwrap();
    let staged = staging.finish(Algorithm::Sha256).await.unwrap();
    staged.verify(&Digest::of(Algorithm::Sha256, bytes.as_bytes())).unwrap()
}
