//! Content on its way in.

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use super::{
    super::{AppendError, Staging, Storage, StorageError},
    body, children, collect, key, put, read,
};
use crate::oci::{Algorithm, Digest};

const AT: &str = "wharf/uploads/r/_uploads/1";

pub(super) async fn staged_content_is_stored(storage: &Storage) {
    let mut staging = begin(storage).await;
    assert_eq!(staging.offset(), 0);
    staging.append(body(&["hel", "", "lo"])).await.unwrap();
    assert_eq!(staging.offset(), 5);
    let staged = staging.finish(Algorithm::Sha256).await.unwrap();
    assert_eq!((staged.digest(), staged.len(), staged.is_empty()), (&sha256(b"hello"), 5, false));
    let verified = staged.verify(&sha256(b"hello")).unwrap();
    assert_eq!((verified.digest(), verified.len()), (&sha256(b"hello"), 5));
    storage.promote(verified, &key("blobs/x/data")).await.unwrap();
    assert_eq!(read(storage, "blobs/x/data").await.as_deref(), Some("hello"));
    assert!(children(storage, "wharf/uploads/r/_uploads").await.is_empty());
    assert!(storage.resume(&key(AT)).await.unwrap().is_none());
}

pub(super) async fn nothing_is_content_too(storage: &Storage) {
    let mut staging = begin(storage).await;
    staging.append(body(&[])).await.unwrap();
    store(storage, staging, b"").await;
    assert_eq!(read(storage, "blobs/x/data").await.as_deref(), Some(""));
    store(storage, begin(storage).await, b"").await;
}

pub(super) async fn appends_go_on(storage: &Storage) {
    let mut staging = begin(storage).await;
    for (piece, offset) in [("one ", 4), ("two ", 8), ("three", 13)] {
        staging.append(body(&[piece])).await.unwrap();
        assert_eq!(staging.offset(), offset);
        staging.sync().await.unwrap();
    }
    store(storage, staging, b"one two three").await;
}

pub(super) async fn many_small_pieces_are_one_content(storage: &Storage) {
    let all: Vec<u8> = (0..20_000_u32).map(|n| (n % 253) as u8).collect();
    let pieces: Vec<_> = all.chunks(3).map(|piece| Ok::<_, ()>(Bytes::copy_from_slice(piece))).collect();
    let mut staging = begin(storage).await;
    staging.append(stream::iter(pieces)).await.unwrap();
    store(storage, staging, &all).await;
}

pub(super) async fn large_content_is_hashed_as_it_is_stored(storage: &Storage) {
    let all: Vec<u8> = (0..5_000_000_u32).map(|n| (n / 3 % 253) as u8).collect();
    let mut staging = begin(storage).await;
    for half in all.chunks(2_600_001) {
        let pieces: Vec<_> = half.chunks(100_003).map(|piece| Ok::<_, ()>(Bytes::copy_from_slice(piece))).collect();
        staging.append(stream::iter(pieces)).await.unwrap();
    }
    store(storage, staging, &all).await;
    let object = storage.open(&key("blobs/x/data")).await.unwrap().unwrap();
    assert!(collect(object.into_stream(0..5_000_000)).await.unwrap() == all);
}

pub(super) async fn content_ends_with_either_algorithm(storage: &Storage) {
    for hashed in Algorithm::ALL {
        for asked in Algorithm::ALL {
            let mut staging = storage.stage(&key(AT), hashed).await.unwrap();
            staging.append(body(&["hello"])).await.unwrap();
            let staged = staging.finish(asked).await.unwrap();
            assert_eq!(staged.digest(), &Digest::of(asked, b"hello"));
            let verified = staged.verify(&Digest::of(asked, b"hello")).unwrap();
            storage.promote(verified, &key("blobs/x/data")).await.unwrap();
        }
    }
}

pub(super) async fn a_promotion_replaces(storage: &Storage) {
    put(storage, "blobs/x/data", "damaged").await;
    let mut staging = begin(storage).await;
    staging.append(body(&["whole"])).await.unwrap();
    store(storage, staging, b"whole").await;
    assert_eq!(read(storage, "blobs/x/data").await.as_deref(), Some("whole"));
}

pub(super) async fn what_came_before_a_failed_body_is_kept(storage: &Storage) {
    let mut staging = begin(storage).await;
    let failing = body(&["hel", "lo"]).chain(stream::iter([Err("gone")]));
    let error = staging.append(failing).await.unwrap_err();
    assert!(matches!(error, AppendError::Body("gone")));
    assert_eq!(staging.offset(), 5);
    staging.append(body(&[" you"])).await.unwrap();
    store(storage, staging, b"hello you").await;
}

pub(super) async fn report_p12_staged_content_goes_back_to_its_last_sync(storage: &Storage) {
    let long: &'static str = "x".repeat(3_000_000).leak();
    for algorithm in Algorithm::ALL {
        for (synced, lost) in [("", "lost"), ("hello", "lost"), ("hello", ""), ("hello", long), (long, "lost")] {
            let mut staging = storage.stage(&key(AT), algorithm).await.unwrap();
            if !synced.is_empty() {
                staging.append(body(&[synced])).await.unwrap();
                staging.sync().await.unwrap();
            }
            for _ in 0..2 {
                staging.append(body(&[lost, lost])).await.unwrap();
                staging.roll_back().await.unwrap();
                assert_eq!(staging.offset(), synced.len() as u64);
            }
            staging.append(body(&[" you"])).await.unwrap();
            store(storage, staging, format!("{synced} you").as_bytes()).await;
        }
    }
}

pub(super) async fn report_p12_content_of_another_digest_goes_on(storage: &Storage) {
    let mut staging = begin(storage).await;
    staging.append(body(&["hello"])).await.unwrap();
    for _ in 0..2 {
        let staged = staging.finish(Algorithm::Sha512).await.unwrap();
        staging = staged.verify(&sha256(b"other")).unwrap_err().reopen();
    }
    staging.append(body(&[" you"])).await.unwrap();
    store(storage, staging, b"hello you").await;
}

pub(super) async fn a_dropped_append_leaves_a_whole_prefix(storage: &Storage) {
    let mut staging = begin(storage).await;
    drop_midway(&mut staging).await;
    drop(staging);
    let staging = storage.resume(&key(AT)).await.unwrap().unwrap();
    let len = usize::try_from(staging.offset()).unwrap();
    assert!(len <= 3 * 1024 * 1024);
    store(storage, staging, &vec![b'x'; len]).await;
}

pub(super) async fn an_append_after_a_dropped_one_goes_on(storage: &Storage) {
    let mut staging = begin(storage).await;
    drop_midway(&mut staging).await;
    let len = usize::try_from(staging.offset()).unwrap();
    staging.append(body(&["yy"])).await.unwrap();
    assert_eq!(staging.offset(), len as u64 + 2);
    let all = [vec![b'x'; len], b"yy".to_vec()].concat();
    store(storage, staging, &all).await;
}

pub(super) async fn staged_content_can_be_taken_up(storage: &Storage) {
    assert!(storage.resume(&key(AT)).await.unwrap().is_none());
    let mut staging = begin(storage).await;
    staging.append(body(&["hello"])).await.unwrap();
    drop(staging);
    let mut staging = storage.resume(&key(AT)).await.unwrap().unwrap();
    assert_eq!(staging.offset(), 5);
    staging.append(body(&[" you"])).await.unwrap();
    drop(staging.finish(Algorithm::Sha256).await.unwrap());
    let staging = storage.resume(&key(AT)).await.unwrap().unwrap();
    store(storage, staging, b"hello you").await;
}

pub(super) async fn what_was_synced_can_be_taken_up(storage: &Storage) {
    let mut staging = storage.stage(&key(AT), Algorithm::Sha512).await.unwrap();
    let mut all = Vec::new();
    for piece in ["one", "two", "three"] {
        staging.append(body(&[piece])).await.unwrap();
        all.extend(piece.bytes());
        staging.sync().await.unwrap();
        drop(staging);
        staging = storage.resume(&key(AT)).await.unwrap().unwrap();
        assert_eq!(staging.offset(), all.len() as u64);
    }
    let staged = staging.finish(Algorithm::Sha512).await.unwrap();
    assert_eq!(staged.digest(), &Digest::of(Algorithm::Sha512, &all));
}

pub(super) async fn what_is_held_can_not_be_taken_up(storage: &Storage) {
    let staging = begin(storage).await;
    assert!(matches!(storage.resume(&key(AT)).await, Err(StorageError::Busy)));
    let staged = staging.finish(Algorithm::Sha256).await.unwrap();
    assert!(matches!(storage.resume(&key(AT)).await, Err(StorageError::Busy)));
    let verified = staged.verify(&sha256(b"")).unwrap();
    assert!(matches!(storage.resume(&key(AT)).await, Err(StorageError::Busy)));
    drop(verified);
    assert!(storage.resume(&key(AT)).await.unwrap().is_some());
}

pub(super) async fn a_taken_key_can_not_be_staged(storage: &Storage) {
    let at = key(AT);
    let stage = || storage.stage(&at, Algorithm::Sha256);
    let staging = stage().await.unwrap();
    assert!(matches!(stage().await, Err(StorageError::Exists)));
    drop(staging);
    assert!(matches!(stage().await, Err(StorageError::Exists)));
    put(storage, "a/b", "x").await;
    assert!(matches!(storage.stage(&key("a/b"), Algorithm::Sha256).await, Err(StorageError::Exists)));
}

pub(super) async fn a_prefix_can_not_be_staged(storage: &Storage) {
    put(storage, "a/b", "x").await;
    assert!(matches!(storage.stage(&key("a"), Algorithm::Sha256).await, Err(StorageError::Exists)));
    assert!(matches!(storage.stage(&key("a/b/c"), Algorithm::Sha256).await, Err(StorageError::Exists)));
}

pub(super) async fn aborted_content_is_gone(storage: &Storage) {
    let mut staging = begin(storage).await;
    staging.append(body(&["hello"])).await.unwrap();
    staging.sync().await.unwrap();
    staging.abort().await.unwrap();
    assert!(storage.resume(&key(AT)).await.unwrap().is_none());
    store(storage, begin(storage).await, b"").await;
}

pub(super) async fn content_of_another_digest_is_discarded(storage: &Storage) {
    let mut staging = begin(storage).await;
    staging.append(body(&["hello"])).await.unwrap();
    let staged = staging.finish(Algorithm::Sha256).await.unwrap();
    let staged = staged.verify(&sha256(b"other")).unwrap_err();
    staged.discard().await.unwrap();
    assert_eq!(read(storage, AT).await, None);
    assert!(storage.resume(&key(AT)).await.unwrap().is_none());
}

pub(super) async fn staged_content_is_seen(storage: &Storage) {
    let mut staging = begin(storage).await;
    assert_eq!(children(storage, "wharf/uploads/r/_uploads").await, ["1"]);
    staging.append(body(&["hello"])).await.unwrap();
    staging.sync().await.unwrap();
    assert_eq!(storage.stat(&key(AT)).await.unwrap().unwrap().len, 5);
    assert_eq!(children(storage, "wharf/uploads/r/_uploads").await, ["1"]);
}

pub(super) async fn what_nobody_holds_can_expire(storage: &Storage) {
    assert!(!storage.discard_staging(&key(AT)).await.unwrap());
    let mut staging = begin(storage).await;
    staging.append(body(&["hello"])).await.unwrap();
    assert!(!storage.discard_staging(&key(AT)).await.unwrap());
    assert_eq!(staging.offset(), 5);
    drop(staging);
    assert!(storage.discard_staging(&key(AT)).await.unwrap());
    assert!(storage.resume(&key(AT)).await.unwrap().is_none());
}

async fn begin(storage: &Storage) -> Staging {
    storage.stage(&key(AT), Algorithm::Sha256).await.unwrap()
}

/// Ends `staging`, of which `content` is expected.
async fn store(storage: &Storage, staging: Staging, content: &[u8]) {
    assert_eq!(staging.offset(), content.len() as u64);
    let staged = staging.finish(Algorithm::Sha256).await.unwrap();
    let verified = staged.verify(&sha256(content)).unwrap();
    storage.promote(verified, &key("blobs/x/data")).await.unwrap();
    assert_eq!(storage.stat(&key("blobs/x/data")).await.unwrap().unwrap().len, content.len() as u64);
}

/// Appends from a client that sends 3 MiB and then nothing more, and goes away.
async fn drop_midway(staging: &mut Staging) {
    let (told, stalled) = tokio::sync::oneshot::channel::<()>();
    let mut told = Some(told);
    let piece = Bytes::from(vec![b'x'; 1024 * 1024]);
    let pieces = stream::repeat(Ok::<_, ()>(piece)).take(3);
    let silence = stream::poll_fn(move |_| {
        drop(told.take());
        std::task::Poll::Pending
    });
    tokio::select! {
        _ = staging.append(pieces.chain(silence).boxed()) => unreachable!("the client never ends"),
        _ = stalled => {}
    }
}

fn sha256(bytes: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, bytes)
}
