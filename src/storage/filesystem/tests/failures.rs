//! Syncs that fail.

use bytes::Bytes;

use super::{
    super::{super::Durability, Condition, Filesystem, StorageError},
    Disk, body, is_io, key, promote,
};
use crate::oci::Algorithm;

const DIRECTORY: &str = "fsync directory";

#[tokio::test]
async fn a_file_that_can_not_be_synced_leaves_nothing() {
    let disk = Disk::new().await;
    disk.put("d/x", "old").await.unwrap();
    let root = disk.directory.path().canonicalize().unwrap();
    let next = disk.volume().temporaries.load(std::sync::atomic::Ordering::SeqCst);
    disk.volume().syncs.faults.fail("fsync", root.join(format!("wharf/tmp/{}-{next}", disk.volume().run_id)));
    assert!(is_io(disk.put("d/x", "new").await));
    assert_eq!(disk.read("d/x").await.as_deref(), Some("old"));
    assert_eq!(disk.temporary_files(), 0);
    disk.put("d/x", "new").await.unwrap();
    assert_eq!(disk.read("d/x").await.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_name_whose_sync_failed_is_absent_until_it_is_written_again() {
    let disk = Disk::new().await;
    disk.put("d/other", "x").await.unwrap();
    disk.volume().syncs.faults.fail(DIRECTORY, "d");
    assert!(is_io(disk.put("d/x", "1").await));
    disk.volume().syncs.faults.heal();
    assert!(disk.path("d/x").exists(), "it can be seen");
    assert_eq!(disk.read("d/x").await, None);
    assert_eq!(disk.store.stat(&key("d/x")).await.unwrap(), None);
    assert!(disk.store.open_object(&key("d/x")).await.unwrap().is_none());
    assert!(is_io(disk.store.rename(&key("d/x"), &key("d/y")).await));
    assert_eq!(disk.names("d").await, ["other"]);
    disk.store.put(&key("d/x"), Bytes::from("2"), Condition::IfAbsent).await.unwrap();
    assert_eq!(disk.read("d/x").await.as_deref(), Some("2"));
    assert_eq!(disk.names("d").await, ["other", "x"]);
}

#[tokio::test]
async fn a_new_directory_whose_sync_failed_is_synced_by_the_next_writer() {
    let disk = Disk::new().await;
    disk.put("d/other", "x").await.unwrap();
    disk.volume().syncs.faults.fail(DIRECTORY, "d");
    assert!(is_io(disk.put("d/new/x", "1").await));
    disk.volume().syncs.faults.heal();
    assert_eq!(disk.read("d/new/x").await, None);
    disk.synced();
    disk.put("d/new/y", "1").await.unwrap();
    assert_eq!(disk.synced_between(1, 0)[1..], ["fsync directory d", "fsync directory d/new"]);
    assert_eq!(disk.names("d/new").await, ["y"]);
}

#[tokio::test]
async fn what_was_durable_stays_when_the_sync_of_its_successor_fails() {
    let disk = Disk::new().await;
    disk.put("d/x", "old").await.unwrap();
    disk.volume().syncs.faults.fail(DIRECTORY, "d");
    assert!(is_io(disk.put("d/x", "new").await));
    assert!(disk.read("d/x").await.is_some(), "an acknowledged object does not go away");
    let put = disk.store.put(&key("d/x"), Bytes::from("2"), Condition::IfAbsent).await;
    assert!(matches!(put, Err(StorageError::Exists)), "{put:?}");
}

#[tokio::test]
async fn a_failed_name_can_be_deleted() {
    let disk = Disk::new().await;
    disk.put("d/other", "x").await.unwrap();
    disk.volume().syncs.faults.fail(DIRECTORY, "d");
    assert!(is_io(disk.put("d/x", "1").await));
    disk.volume().syncs.faults.heal();
    assert_eq!(disk.store.delete_all(&[key("d/x")]).await.unwrap(), [false], "it was not there");
    assert!(!disk.path("d/x").exists());
    disk.put("d/x", "2").await.unwrap();
    assert_eq!(disk.read("d/x").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_removal_whose_sync_failed_is_synced_when_it_is_asked_for_again() {
    let disk = Disk::new().await;
    disk.put("d/x", "1").await.unwrap();
    disk.put("d/t/y", "1").await.unwrap();
    disk.volume().syncs.faults.fail(DIRECTORY, "d");
    assert!(is_io(disk.store.delete_all(&[key("d/x")]).await));
    assert!(is_io(disk.delete_tree("d/t").await));
    assert!(is_io(disk.store.delete_all(&[key("d/x")]).await));
    assert_eq!(disk.temporary_files(), 1, "a power cut may bring the tree back, so it is kept whole");
    disk.volume().syncs.faults.heal();
    disk.synced();
    assert!(!disk.delete_tree("d/t").await.unwrap());
    assert_eq!(disk.synced(), ["fsync directory d"]);
    assert_eq!(disk.store.delete_all(&[key("d/x")]).await.unwrap(), [false]);
    assert!(disk.synced().is_empty());
}

#[tokio::test]
async fn a_tree_whose_sync_failed_is_absent_until_it_is_written_again() {
    let disk = Disk::new().await;
    disk.put("t/other/link", "x").await.unwrap();
    let tree = |text: &'static str| vec![(key("t/u/link"), Bytes::from(text))];
    for is_put_as_a_tree in [true, false] {
        disk.volume().syncs.faults.fail(DIRECTORY, "t");
        assert!(is_io(disk.store.put_tree(&key("t/u"), tree("1")).await));
        disk.volume().syncs.faults.heal();
        assert_eq!(disk.read("t/u/link").await, None);
        assert_eq!(disk.names("t").await, ["other"]);
        assert!(disk.names("t/u").await.is_empty());
        if is_put_as_a_tree {
            disk.store.put_tree(&key("t/u"), tree("2")).await.unwrap();
        } else {
            disk.put("t/u/link", "2").await.unwrap();
        }
        assert_eq!(disk.read("t/u/link").await.as_deref(), Some("2"));
        assert_eq!(disk.names("t").await, ["other", "u"]);
        assert!(disk.delete_tree("t/u").await.unwrap());
    }
    assert_eq!(disk.temporary_files(), 0);
}

#[tokio::test]
async fn a_failed_promotion_leaves_nothing_and_the_next_one_succeeds() {
    let disk = Disk::new().await;
    disk.put("blobs/other", "x").await.unwrap();
    for (operation, path) in [("fsync", "wharf/uploads/1"), (DIRECTORY, "blobs"), ("", "")] {
        let mut upload = disk.store.stage(&key("wharf/uploads/1"), Algorithm::Sha256).await.unwrap();
        upload.append(body("hello")).await.unwrap();
        disk.volume().syncs.faults.fail(operation, path);
        let promoted = promote(&disk.store, upload, "blobs/data").await;
        disk.volume().syncs.faults.heal();
        let expected = operation.is_empty().then_some("hello");
        assert_eq!(promoted.is_ok(), expected.is_some());
        assert_eq!(disk.read("blobs/data").await.as_deref(), expected);
        assert!(disk.names("wharf/uploads").await.is_empty());
    }
}

#[tokio::test]
async fn a_failed_sync_throws_the_upload_away() {
    let disk = Disk::new().await;
    for (operation, path) in [("fdatasync", "wharf/uploads/1"), (DIRECTORY, "wharf/uploads")] {
        let mut upload = disk.store.stage(&key("wharf/uploads/1"), Algorithm::Sha256).await.unwrap();
        upload.append(body("hello")).await.unwrap();
        disk.volume().syncs.faults.fail(operation, path);
        assert!(is_io(upload.sync().await));
        disk.volume().syncs.faults.heal();
        assert!(disk.names("wharf/uploads").await.is_empty());
        assert!(is_io(upload.sync().await), "it is gone for good");
        assert!(upload.append(body("more")).await.is_err());
        assert!(is_io(upload.digest(Algorithm::Sha256).await));
        upload.discard().await.unwrap();
        assert!(disk.store.resume(&key("wharf/uploads/1")).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn without_durability_nothing_is_synced() {
    let directory = tempfile::tempdir().unwrap();
    let store = Filesystem::open(directory.path(), Durability::None).await.unwrap();
    store.put(&key("a/b"), Bytes::from("x"), Condition::Any).await.unwrap();
    store.put_tree(&key("t/u"), vec![(key("t/u/v"), Bytes::from("x"))]).await.unwrap();
    let mut upload = store.stage(&key("wharf/uploads/1"), Algorithm::Sha256).await.unwrap();
    upload.append(body("hello")).await.unwrap();
    upload.sync().await.unwrap();
    promote(&store, upload, "c/d").await.unwrap();
    assert_eq!(store.delete_all(&[key("a/b")]).await.unwrap(), [true]);
    assert!(store.volume.syncs.faults.take().is_empty());
}
