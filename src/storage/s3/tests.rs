//! A bucket of versitygw, and what only a bucket does.
#![allow(clippy::unwrap_used, reason = "a test may fail that way")]

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::stream;

use super::{
    super::{Condition, Key, Storage, StorageError, Verified},
    BucketAccess, Credentials, S3, S3Settings,
    lease::TERM,
};
use crate::oci::{Algorithm, Digest};

/// A server with one empty bucket, until it is dropped.
pub(in crate::storage) struct Gateway {
    process: Child,
    settings: S3Settings,
    _directory: tempfile::TempDir,
}

impl Gateway {
    pub(in crate::storage) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("bucket")).unwrap();
        // An address that no other test has.
        let [a, b, c] = rand::random::<[u8; 3]>();
        let address = format!("127.{a}.{b}.{}", c.clamp(1, 254));
        let port = std::net::TcpListener::bind((address.as_str(), 0)).unwrap().local_addr().unwrap().port();
        let mut command = Command::new("versitygw");
        command.args(["--access", "id", "--secret", "key", "--quiet", "--port", &format!("{address}:{port}"), "posix"]);
        let process = command.arg(directory.path()).stdout(Stdio::null()).spawn().unwrap();
        let endpoint = format!("http://{address}:{port}/").parse().unwrap();
        let credentials = Some(credentials("key"));
        let settings = S3Settings { credentials, storage_class: true, ..S3Settings::new("bucket", endpoint) };
        let gateway = Self { process, settings, _directory: directory };
        let begun = Instant::now();
        while let Err(error) = gateway.storage("start").probe().await {
            assert!(begun.elapsed() < Duration::from_secs(60), "versitygw does not answer: {error}");
        }
        gateway
    }

    /// A store in the bucket. Each root directory is empty at first.
    pub(in crate::storage) fn storage(&self, root: &str) -> Storage {
        unopened(self.at(root))
    }

    fn at(&self, root: &str) -> S3Settings {
        S3Settings { root: root.to_owned(), ..self.settings.clone() }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn credentials(secret_key: &str) -> Credentials {
    Credentials { access_key: "id".to_owned(), secret_key: secret_key.to_owned(), session_token: None }
}

fn unopened(settings: S3Settings) -> Storage {
    Storage { backend: super::super::Backend::S3(S3::new(settings).unwrap()), observer: None }
}

fn key(text: &str) -> Key {
    text.split('/').skip(1).fold(Key::new(text.split('/').next().unwrap()), |key, part| key.join(part))
}

fn content(len: usize) -> Bytes {
    (0..len).map(|n| u8::try_from(n / 5 % 251).unwrap()).collect::<Vec<_>>().into()
}

fn body(bytes: &Bytes) -> impl futures_util::Stream<Item = Result<Bytes, ()>> + Unpin + use<> {
    let pieces: Vec<_> = bytes.chunks(1 << 20).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces)
}

async fn verified(staging: super::super::Staging, bytes: &Bytes) -> Verified {
    let staged = staging.finish(Algorithm::Sha256).await.unwrap();
    staged.verify(&Digest::of(Algorithm::Sha256, bytes)).unwrap()
}

#[tokio::test]
#[ignore = "needs versitygw: run ./test"]
async fn another_process_goes_on_with_an_upload_of_many_parts_needs_versitygw() {
    let gateway = Gateway::start().await;
    let (one, two) = (gateway.storage("r"), gateway.storage("r"));
    let (bytes, at) = (content(40_000_001), key("u/1"));
    let mut staging = one.stage(&at, Algorithm::Sha256).await.unwrap();
    staging.append(body(&bytes.slice(..20_000_000))).await.unwrap();
    staging.sync().await.unwrap();
    // What came after the sync is lost with its process.
    staging.append(body(&bytes.slice(..18_000_000))).await.unwrap();
    let mut other = two.resume(&at).await.unwrap().unwrap();
    assert_eq!(other.offset(), 20_000_000);
    other.append(body(&bytes.slice(20_000_000..))).await.unwrap();
    other.sync().await.unwrap();
    let synced = staging.sync().await;
    assert!(matches!(synced, Err(StorageError::Busy)), "two have gone on with it: {synced:?}");
    drop(staging);
    two.promote(verified(other, &bytes).await, &key("b/data")).await.unwrap();
    assert!(one.resume(&at).await.unwrap().is_none());
    let object = one.open(&key("b/data")).await.unwrap().unwrap();
    assert_eq!(object.stat().len, bytes.len() as u64);
    for range in [0..bytes.len(), 5..6, 16_777_215..16_777_217, 40_000_000..40_000_001] {
        use futures_util::TryStreamExt as _;
        let wanted = range.start as u64..range.end as u64;
        let pieces: Vec<Bytes> = object.clone().into_stream(wanted).try_collect().await.unwrap();
        assert!(pieces.concat() == bytes.slice(range.clone()), "{range:?}");
    }
    let left = one.children(&key("wharf/parts")).await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
#[ignore = "needs versitygw: run ./test"]
async fn requests_of_each_operation_are_few_needs_versitygw() {
    let gateway = Gateway::start().await;
    let store = S3::new(gateway.at("r")).unwrap();
    let storage = Storage { backend: super::super::Backend::S3(store.clone()), observer: None };
    let mut before = 0;
    let mut sent = || {
        let all = store.bucket.sent();
        all - std::mem::replace(&mut before, all)
    };
    storage.put(&key("a/b"), Bytes::from("x"), Condition::IfAbsent).await.unwrap();
    assert_eq!(sent(), 1, "put");
    storage.stat(&key("a/b")).await.unwrap();
    assert_eq!(sent(), 1, "stat");
    storage.read(&key("a/b"), 9).await.unwrap();
    assert_eq!(sent(), 1, "read");
    storage.children(&key("a")).await.unwrap();
    assert_eq!(sent(), 1, "children");
    storage.delete(&key("a/b")).await.unwrap();
    assert_eq!(sent(), 2, "delete");
    for (len, requests) in [(1000, 4), (64 << 20, 11)] {
        let bytes = content(len);
        let mut staging = storage.stage(&key("u/1"), Algorithm::Sha256).await.unwrap();
        staging.append(body(&bytes)).await.unwrap();
        staging.sync().await.unwrap();
        storage.promote(verified(staging, &bytes).await, &key("b/data")).await.unwrap();
        assert_eq!(sent(), requests, "an upload of {len} bytes");
    }
}

#[tokio::test]
#[ignore = "needs versitygw: run ./test"]
async fn long_lists_and_odd_names_are_listed_exactly_needs_versitygw() {
    let gateway = Gateway::start().await;
    let storage = gateway.storage("r");
    let names: Vec<String> = (0..1100).map(|n| format!("{n}.x")).chain(["a b+c%2F&<é>".to_owned()]).collect();
    for name in &names {
        storage.put(&key("t").join(name), Bytes::new(), Condition::Any).await.unwrap();
    }
    let mut sorted = names;
    sorted.sort_unstable();
    let listed: Vec<String> = storage.children(&key("t")).await.unwrap().into_iter().map(|child| child.name).collect();
    let missing: Vec<_> = sorted.iter().filter(|name| !listed.contains(name)).collect();
    assert!(listed == sorted, "{} names, without {missing:?}", listed.len());
    assert!(storage.read(&key("t").join("a b+c%2F&<é>"), 1).await.unwrap().is_some());
    assert!(storage.delete_tree(&key("t")).await.unwrap());
    assert!(storage.children(&key("t")).await.unwrap().is_empty());
}

#[tokio::test]
#[ignore = "needs versitygw: run ./test"]
async fn errors_tell_no_secret_needs_versitygw() {
    let gateway = Gateway::start().await;
    let settings = S3Settings { credentials: Some(credentials("a-wrong-secret")), ..gateway.at("r") };
    assert!(!format!("{settings:?}").contains("a-wrong-secret"));
    let error = unopened(settings).read(&key("a"), 1).await.unwrap_err();
    assert!(error.to_string().contains("SignatureDoesNotMatch"), "{error}");
    assert!(!format!("{error:?}").contains("a-wrong-secret"), "{error:?}");
    let missing = S3Settings { bucket: "missing".to_owned(), ..gateway.at("r") };
    let error = Storage::s3(missing, BucketAccess::Serve).await.unwrap_err();
    assert!(error.to_string().contains("NoSuchBucket"), "{error}");
}

#[tokio::test]
#[ignore = "needs versitygw: run ./test"]
async fn a_change_is_refused_once_its_lease_has_passed_needs_versitygw() {
    let gateway = Gateway::start().await;
    let store = S3::open(gateway.at("r"), BucketAccess::Serve).await.unwrap();
    let bucket = &store.bucket;
    let put = |name: &'static str| async move { store_of(bucket, name).await };
    put("one").await.unwrap();
    let first = bucket.lease.term();
    // As if the process had stood still for 16 minutes: the store refuses what it sends.
    bucket.lease.age_by(Duration::from_secs(16 * 60));
    let late = put("late").await.unwrap_err();
    assert!(late.to_string().contains("403"), "{late}");
    bucket.keep_lease().await.unwrap();
    assert!(matches!(put("without a lease").await, Err(StorageError::ReadOnly)));
    bucket.keep_lease().await.unwrap();
    put("two").await.unwrap();
    let begun_before = TERM.scope(first, put("begun before"));
    assert!(matches!(begun_before.await, Err(StorageError::ReadOnly)));
    TERM.scope(bucket.lease.term(), put("begun since")).await.unwrap();
    store.close().await.unwrap();
    assert!(matches!(put("closed").await, Err(StorageError::ReadOnly)));
}

async fn store_of(bucket: &super::request::Bucket, name: &str) -> Result<(), StorageError> {
    bucket.store(name, Bytes::from("x"), Condition::Any).await.map(drop)
}

#[tokio::test]
#[ignore = "needs versitygw: run ./test"]
async fn one_process_has_a_bucket_alone_needs_versitygw() {
    let gateway = Gateway::start().await;
    let open = |access| S3::open(gateway.at("r"), access);
    let node = open(BucketAccess::Serve).await.unwrap();
    let refusal = open(BucketAccess::Alone).await.unwrap_err();
    assert!(refusal.to_string().contains("a node serves the bucket"), "{refusal}");
    node.close().await.unwrap();
    let alone = open(BucketAccess::Alone).await.unwrap();
    assert!(alone.is_alone() && !node.is_alone());
    let refusal = open(BucketAccess::Alone).await.unwrap_err();
    assert!(refusal.to_string().contains("another process has the bucket alone"), "{refusal}");
    let waiting = open(BucketAccess::Serve).await.unwrap();
    assert!(matches!(store_of(&waiting.bucket, "x").await, Err(StorageError::ReadOnly)));
    store_of(&alone.bucket, "x").await.unwrap();
    alone.close().await.unwrap();
    waiting.bucket.keep_lease().await.unwrap();
    store_of(&waiting.bucket, "x").await.unwrap();
    // A request without an answer may be carried out later.
    waiting.bucket.lease.doubt(Some(std::time::SystemTime::now()));
    waiting.close().await.unwrap();
    assert!(open(BucketAccess::Alone).await.is_err());
}
