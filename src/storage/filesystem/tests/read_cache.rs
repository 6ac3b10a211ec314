//! What was read lately is not given out once it is no longer so.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;

use super::{Condition, Disk, key};

/// What is remembered, be it right or not.
fn remembered(disk: &Disk, at: &str) -> bool {
    disk.volume().read_cache.get(disk.volume().directories.changes(), &key(at)).is_some()
}

#[tokio::test]
async fn what_is_written_moved_and_removed_is_seen_nonblocking() {
    let disk = Disk::new().await;
    for content in ["first", "second", "", "third"] {
        disk.put("a/b/c", content).await.unwrap();
        assert!(!remembered(&disk, "a/b/c"));
        assert_eq!(disk.read("a/b/c").await.as_deref(), Some(content));
        assert_eq!(disk.read("a/b/c").await.as_deref(), Some(content));
    }
    disk.store.rename(&key("a/b/c"), &key("a/d")).await.unwrap();
    assert_eq!(disk.read("a/b/c").await, None);
    assert_eq!(disk.read("a/d").await.as_deref(), Some("third"));
    disk.store.delete_all(&[key("a/d")]).await.unwrap();
    assert_eq!(disk.read("a/d").await, None);
    for _ in 0..2 {
        disk.put("a/b/c", "under a tree").await.unwrap();
        assert_eq!(disk.read("a/b/c").await.as_deref(), Some("under a tree"));
        disk.delete_tree("a").await.unwrap();
        assert_eq!(disk.read("a/b/c").await, None);
        disk.store.put_tree(&key("a"), vec![(key("a/b/c"), Bytes::from_static(b"of a tree"))]).await.unwrap();
        assert_eq!(disk.read("a/b/c").await.as_deref(), Some("of a tree"));
        disk.delete_tree("a/b").await.unwrap();
        assert_eq!(disk.read("a/b/c").await, None);
    }
}

/// Nobody but this process changes a store; but if somebody does, it is not for ever that this goes unseen.
#[tokio::test]
async fn what_others_change_is_seen_soon() {
    let disk = Disk::new().await;
    disk.put("a/b", "content").await.unwrap();
    assert_eq!(disk.read("a/b").await.as_deref(), Some("content"));
    fs::write(disk.path("a/b"), "changed").unwrap();
    while disk.read("a/b").await.as_deref() != Some("changed") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    fs::remove_dir_all(disk.path("a")).unwrap();
    while disk.read("a/b").await.is_some() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Many readers while one writer counts up: what was acknowledged is what is read from then on, and nobody sees it go
/// back.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_reader_sees_an_older_one_than_was_acknowledged() {
    const WRITES: u64 = 300;
    let disk = Arc::new(Disk::new().await);
    let (acknowledged, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (disk, acknowledged, is_over) = (disk.clone(), acknowledged.clone(), is_over.clone());
            tokio::spawn(async move {
                let mut last = 0;
                while !is_over.load(SeqCst) {
                    let least = acknowledged.load(SeqCst).max(last);
                    last = disk.read("a/b").await.map_or(0, |text| text.parse::<u64>().unwrap());
                    assert!(last >= least, "{last} < {least}");
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for n in 1..=WRITES {
        disk.store.put(&key("a/b"), Bytes::from(n.to_string()), Condition::Any).await.unwrap();
        acknowledged.store(n, SeqCst);
    }
    is_over.store(true, SeqCst);
    for reader in readers {
        reader.await.unwrap();
    }
}
