//! What is synced, and in which order.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{future::join_all, stream};

use super::{
    super::{Condition, StorageError, blocking, commit::Step},
    Disk, body, key, promote,
};
use crate::{
    oci::Algorithm,
    storage::{Action, Observer},
};

#[tokio::test]
async fn a_put_syncs_the_file_and_each_new_directory_once() {
    let disk = Disk::new().await;
    disk.put("a/b/x", "1").await.unwrap();
    assert_eq!(
        disk.synced_between(1, 0),
        ["fsync wharf/tmp/…", "fsync directory ", "fsync directory a", "fsync directory a/b"],
        "the file, the directory that names it, and those that name new directories"
    );
    disk.put("a/b/x", "2").await.unwrap();
    assert_eq!(disk.synced(), ["fsync wharf/tmp/…", "fsync directory a/b"]);
}

#[tokio::test]
async fn a_promotion_syncs_what_was_not_synced_yet() {
    let disk = Disk::new().await;
    disk.put("blobs/there", "x").await.unwrap();
    for is_synced_before in [false, true] {
        let mut upload = disk.store.stage(&key("wharf/uploads/1"), Algorithm::Sha256).await.unwrap();
        upload.append(body("hello")).await.unwrap();
        disk.synced();
        if is_synced_before {
            upload.sync().await.unwrap();
            assert_eq!(
                disk.synced(),
                ["fdatasync wharf/uploads/1", "fsync directory wharf/uploads", "fsync directory wharf"]
            );
        }
        upload.digest(Algorithm::Sha256).await.unwrap();
        promote(&disk.store, upload, "blobs/data").await.unwrap();
        let expected = ["fsync wharf/uploads/1", "fsync directory blobs"];
        assert_eq!(disk.synced(), expected[usize::from(is_synced_before)..]);
    }
}

#[tokio::test]
async fn what_is_written_after_a_sync_is_synced_again() {
    let disk = Disk::new().await;
    let mut upload = disk.store.stage(&key("wharf/uploads/1"), Algorithm::Sha256).await.unwrap();
    for n in 0..3 {
        upload.append(body("hello")).await.unwrap();
        disk.synced();
        upload.sync().await.unwrap();
        let synced = disk.synced();
        assert_eq!(synced[0], "fdatasync wharf/uploads/1");
        let states = synced.iter().filter(|sync| sync.starts_with("fdatasync wharf/hashes/")).count();
        assert_eq!(states, usize::from(n > 0), "an older state must not outlive a newer sync: {synced:?}");
    }
    upload.sync().await.unwrap();
    assert!(!disk.synced().iter().any(|sync| sync.contains("uploads")));
}

#[tokio::test]
async fn a_tree_is_synced_before_it_can_be_seen() {
    let disk = Disk::new().await;
    let objects = vec![(key("t/u/a/x"), Bytes::from("1")), (key("t/u/b/c/x"), Bytes::from("2"))];
    disk.store.put_tree(&key("t/u"), objects).await.unwrap();
    let synced = disk.synced();
    let (inside, outside): (Vec<_>, Vec<_>) = synced.iter().partition(|sync| sync.contains("wharf/tmp"));
    assert_eq!(inside.iter().filter(|sync| sync.starts_with("fsync wharf")).count(), 2, "both files");
    assert_eq!(inside.iter().filter(|sync| sync.starts_with("fsync directory")).count(), 4, "u, a, b and c");
    let mut outside: Vec<_> = outside.into_iter().cloned().collect();
    assert!(synced.ends_with(&outside));
    outside.sort_unstable();
    assert_eq!(outside, ["fsync directory ", "fsync directory t"]);
}

#[tokio::test]
async fn removals_sync_where_the_name_was() {
    let disk = Disk::new().await;
    disk.put("a/b/x", "1").await.unwrap();
    disk.put("c/d/x", "1").await.unwrap();
    disk.put("e/x", "1").await.unwrap();
    disk.synced();
    disk.store.delete_all(&[key("a/b/x")]).await.unwrap();
    assert_eq!(disk.synced(), ["fsync directory a/b"]);
    disk.delete_tree("c/d").await.unwrap();
    assert_eq!(disk.synced(), ["fsync directory c"]);
    disk.store.remove_empty_prefixes(&[key("a/b"), key("a")]).await.unwrap();
    assert_eq!(disk.synced(), ["fsync directory "], "what was in `a` needs no sync: it is gone");
    disk.store.rename(&key("e/x"), &key("c/x")).await.unwrap();
    assert_eq!(disk.synced(), ["fsync directory c", "fsync directory e"]);
    disk.store.delete_all(&[key("e/x")]).await.unwrap();
    disk.delete_tree("e/y").await.unwrap();
    assert!(disk.synced().is_empty(), "there was nothing to remove");
}

#[tokio::test]
async fn many_trees_that_go_at_once_are_synced_together() {
    let disk = Disk::new().await;
    let trees: Vec<_> = (0..20).map(|n| format!("{}/{n}", ["a", "b"][n % 2])).collect();
    for tree in &trees {
        disk.put(&format!("{tree}/x"), "x").await.unwrap();
    }
    disk.synced();
    let prefixes: Vec<_> = trees.iter().map(|tree| key(tree)).chain([key("none/x")]).collect();
    let deleted = disk.store.delete_trees(&prefixes, super::super::Pace::Full).await.unwrap();
    assert_eq!(deleted, [vec![true; 20], vec![false]].concat());
    assert_eq!(disk.synced(), ["fsync directory a", "fsync directory b"]);
    assert_eq!(disk.temporary_files(), 0);
}

#[tokio::test]
async fn a_commit_syncs_all_files_before_the_first_has_its_name() {
    let disk = Disk::new().await;
    for at in ["blobs/there", "r/_layers/there", "r/_tags/there"] {
        disk.put(at, "x").await.unwrap();
    }
    let mut upload = disk.store.stage(&key("wharf/uploads/1"), Algorithm::Sha256).await.unwrap();
    upload.append(body("hello")).await.unwrap();
    disk.synced();
    let steps = vec![
        Step::Promote(upload.lock().await.unwrap(), key("blobs/x/data")),
        Step::Put(key("r/_layers/x/link"), Bytes::from("x")),
        Step::PutTree(key("r/_tags/t"), vec![(key("r/_tags/t/link"), Bytes::from("x"))]),
    ];
    let volume = disk.store.volume.clone();
    blocking(move || volume.commit(steps)).await.unwrap();
    let synced = disk.synced();
    let steps = [
        vec!["fsync directory wharf/tmp/…", "fsync wharf/tmp/…", "fsync wharf/tmp/…", "fsync wharf/uploads/1"],
        vec!["fsync directory blobs", "fsync directory blobs/x"],
        vec!["fsync directory r/_layers", "fsync directory r/_layers/x"],
        vec!["fsync directory r/_tags"],
    ];
    let mut rest = &synced[..];
    for expected in steps {
        let (step, later) = rest.split_at(expected.len());
        let mut step = step.to_vec();
        step.sort_unstable();
        assert_eq!(step, expected, "what comes first is durable before what comes next can be seen");
        rest = later;
    }
    assert!(rest.is_empty());
}

/// So that the last sync has little to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_upload_is_synced_while_it_comes() {
    for fails in [false, true] {
        let disk = Disk::new().await;
        let mut upload = disk.store.stage(&key("wharf/uploads/1"), Algorithm::Sha256).await.unwrap();
        if fails {
            disk.volume().syncs.faults.fail("fdatasync", "wharf/uploads/1");
        }
        let piece = Bytes::from(vec![b'x'; 1 << 20]);
        let pieces = stream::iter((0..66).map(|_| Ok::<_, ()>(piece.clone())));
        let appended = upload.append(pieces).await;
        // It runs beside, so it may fail before all has come, or after that.
        let promoted = match appended {
            Ok(()) => promote(&disk.store, upload, "blobs/data").await,
            Err(_) => Err(StorageError::Exists),
        };
        assert_eq!(promoted.is_err(), fails, "an early sync that failed is not made good by a later one");
        assert_eq!(disk.store.stat(&key("blobs/data")).await.unwrap().is_some(), !fails);
        assert!(disk.names("wharf/uploads").await.is_empty());
        let synced = disk.synced();
        assert_eq!(synced.iter().filter(|sync| **sync == "fsync wharf/uploads/1").count(), usize::from(!fails));
    }
}

#[tokio::test]
async fn made_prefixes_are_synced_once() {
    let disk = Disk::new().await;
    let prefixes = [key("r/x/_layers"), key("r/x/_manifests/tags")];
    disk.store.make_prefixes(&prefixes).await.unwrap();
    let mut synced = disk.synced();
    synced.sort_unstable();
    let expected = ["fsync directory ", "fsync directory r", "fsync directory r/x", "fsync directory r/x/_manifests"];
    assert_eq!(synced, expected);
    disk.store.make_prefixes(&prefixes).await.unwrap();
    assert!(disk.synced().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_into_one_new_repository_sync_every_directory() {
    let disk = Disk::new().await;
    let puts = (0..24).map(|n| {
        let (store, at) = (disk.store.clone(), key(&format!("repositories/new/_layers/{n}/link")));
        tokio::spawn(async move { store.put(&at, Bytes::from("x"), Condition::Any).await })
    });
    for put in join_all(puts).await {
        put.unwrap().unwrap();
    }
    let synced = disk.synced();
    let mut expected = vec![String::new(), "repositories".to_owned(), "repositories/new".to_owned()];
    expected.extend((0..24).map(|n| format!("repositories/new/_layers/{n}")));
    for directory in expected {
        assert!(synced.contains(&format!("fsync directory {directory}")), "{directory}: {synced:?}");
    }
    assert!(disk.volume().directories.are_clean());
}

/// What another writer made but has not synced yet is waited for by each who builds on it; and if that sync fails, it
/// has failed for all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_relies_on_a_directory_that_another_writer_made() {
    for fails in [false, true] {
        let disk = Disk::new().await;
        disk.put("repositories/old", "x").await.unwrap();
        let (watch, directory) = (&disk.volume().syncs.faults, disk.volume().root.join("repositories"));
        watch.hold("repositories");
        let put = |at: &str| {
            let (store, at) = (disk.store.clone(), key(at));
            tokio::spawn(async move { store.put(&at, Bytes::from("x"), Condition::Any).await })
        };
        let first = put("repositories/new/a");
        watch.wait_for_held(1);
        disk.synced();
        let others = ["repositories/new/b", "repositories/new/c"].map(put);
        while disk.volume().directories.members(&directory).0 < 3 {
            tokio::task::yield_now().await;
        }
        assert!(!first.is_finished() && !others.iter().any(tokio::task::JoinHandle::is_finished));
        if fails {
            watch.fail("fsync directory", "repositories");
        }
        watch.release();
        assert_eq!(first.await.unwrap().is_err(), fails);
        for other in others {
            assert_eq!(other.await.unwrap().is_err(), fails);
        }
        let again = disk.synced().into_iter().filter(|sync| sync.ends_with("directory repositories")).count();
        assert_eq!(again, 0, "the sync that began after all of them is enough for all of them");
        watch.heal();
        disk.put("repositories/new/d", "x").await.unwrap();
        assert!(disk.volume().directories.are_clean());
    }
}

/// A sync that began before a change does not count for it: those who come too late share the next one, and how it
/// ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_changes_share_the_next_sync() {
    for fails in [false, true] {
        let disk = Disk::new().await;
        disk.put("d/old", "x").await.unwrap();
        disk.synced();
        let (watch, directory) = (&disk.volume().syncs.faults, disk.volume().root.join("d"));
        watch.hold("d");
        let put = |at: &str| {
            let (store, at) = (disk.store.clone(), key(at));
            tokio::spawn(async move { store.put(&at, Bytes::from("x"), Condition::Any).await })
        };
        let first = put("d/first");
        watch.wait_for_held(1);
        let late = ["d/a", "d/b", "d/c"].map(put);
        while disk.volume().directories.members(&directory).1 < 3 {
            tokio::task::yield_now().await;
        }
        assert!(!late.iter().any(tokio::task::JoinHandle::is_finished));
        watch.let_one_go();
        first.await.unwrap().unwrap();
        watch.wait_for_held(1);
        if fails {
            watch.fail("fsync directory", "d");
        }
        watch.release();
        for late in late {
            assert_eq!(late.await.unwrap().is_err(), fails);
        }
        let synced = disk.synced().into_iter().filter(|sync| sync == "fsync directory d").count();
        assert_eq!(synced, 2, "one for the first, one for all the others");
        assert_eq!(disk.volume().directories.are_clean(), !fails);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_wait_for_a_name_until_it_is_durable() {
    for fails in [false, true] {
        let disk = Disk::new().await;
        disk.put("d/old", "x").await.unwrap();
        let watch = &disk.volume().syncs.faults;
        watch.hold("d");
        let writer = tokio::spawn({
            let store = disk.store.clone();
            async move { store.put(&key("d/new"), Bytes::from("x"), Condition::Any).await }
        });
        watch.wait_for_held(1);
        let readers: Vec<_> = (0..3)
            .map(|n| {
                let store = disk.store.clone();
                tokio::spawn(async move {
                    match n {
                        0 => store.stat(&key("d/new")).await.unwrap().is_some(),
                        1 => store.read(&key("d/new"), 9).await.unwrap().is_some(),
                        _ => store.children(&key("d")).await.unwrap().len() == 2,
                    }
                })
            })
            .collect();
        while disk.volume().names.waiting.load(std::sync::atomic::Ordering::SeqCst) < 3 {
            tokio::task::yield_now().await;
        }
        assert_eq!(disk.read("d/old").await.as_deref(), Some("x"), "others need not wait");
        assert!(!writer.is_finished() && !readers.iter().any(tokio::task::JoinHandle::is_finished));
        if fails {
            watch.fail("fsync directory", "d");
        }
        watch.release();
        assert_eq!(writer.await.unwrap().is_err(), fails);
        for reader in readers {
            assert_eq!(reader.await.unwrap(), !fails);
        }
    }
}

#[derive(Debug, Default)]
struct SyncCount(AtomicUsize);

impl Observer for SyncCount {
    fn action(&self, action: Action, _: Duration, outcome: Result<(), &StorageError>) {
        assert!(action == Action::Sync && outcome.is_ok());
        self.0.fetch_add(1, SeqCst);
    }
}

#[tokio::test]
async fn each_sync_is_reported_once() {
    let disk = Disk::new().await;
    disk.put("a/b", "x").await.unwrap();
    let count = Arc::new(SyncCount::default());
    disk.store.observe_syncs(count.clone());
    disk.synced();
    disk.put("a/b", "y").await.unwrap();
    disk.put("c/d/e", "z").await.unwrap();
    let synced = disk.synced().len();
    assert!(synced > 4);
    assert_eq!(count.0.load(SeqCst), synced);
}
