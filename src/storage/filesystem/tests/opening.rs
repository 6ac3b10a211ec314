//! Opening a store.

use std::{
    fs::{self, File},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    slice::from_ref,
    sync::Arc,
};

use bytes::Bytes;

use super::{
    super::{super::Durability, Condition, Filesystem, StorageError, open::open as open_volume, recovery::WriteGate},
    Disk, body, key, open, promote,
};
use crate::oci::Algorithm;

#[tokio::test]
async fn a_second_owner_is_refused_until_the_first_is_gone() {
    let disk = Disk::new().await;
    let Err(StorageError::Open(text)) = Filesystem::open(disk.directory.path(), Durability::Full).await else {
        panic!("two owners")
    };
    let root = disk.directory.path().canonicalize().unwrap();
    assert!(text.contains(&format!("{} is in use", root.display())), "{text}");
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    disk.restart().await;
}

#[tokio::test]
async fn a_root_is_made_with_what_is_above_it() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("a/b/c");
    open(&root).await.put(&key("x"), Bytes::new(), Condition::Any).await.unwrap();
    assert!(root.join("x").is_file());
}

#[tokio::test]
async fn report_start_a_root_that_is_a_file_is_refused_as_that() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    File::create(&file).unwrap();
    for root in [file.clone(), file.join("below")] {
        let Err(StorageError::Open(text)) = Filesystem::open(&root, Durability::Full).await else { panic!("{root:?}") };
        assert!(text.contains(&root.display().to_string()), "{text}");
        assert!(text.contains(&format!("{} is a file, and a store is a directory", file.display())), "{text}");
        assert!(text.contains("choose another directory"), "{text}");
    }
}

/// Nobody can make a directory in sysfs, root neither.
#[tokio::test]
async fn what_can_not_be_written_is_served_read_only() {
    let store = Filesystem::open(Path::new("/sys"), Durability::Full).await.unwrap();
    assert!(store.is_read_only());
    assert!(!store.children(&key("kernel")).await.unwrap().is_empty());
    assert!(store.stat(&key("kernel/notes")).await.unwrap().is_some());
    let at = key("x");
    let is_refused = |result: Result<(), StorageError>| matches!(result, Err(StorageError::ReadOnly));
    assert!(is_refused(store.put(&at, Bytes::new(), Condition::Any).await));
    assert!(is_refused(store.put_tree(&at, vec![]).await));
    assert!(is_refused(store.delete_all(std::slice::from_ref(&at)).await.map(drop)));
    assert!(is_refused(store.delete_trees(std::slice::from_ref(&at), super::super::Pace::Full).await.map(drop)));
    assert!(is_refused(store.make_prefixes(from_ref(&at)).await));
    assert!(is_refused(store.remove_empty_prefixes(from_ref(&at)).await.map(drop)));
    assert!(is_refused(store.rename(&at, &at).await));
    assert!(is_refused(store.stage(&at, Algorithm::Sha256).await.map(drop)));
    assert!(is_refused(store.resume(&at).await.map(drop)));
    assert!(is_refused(store.discard_staging(&at).await.map(drop)));
    assert!(is_refused(store.probe().await));
}

#[tokio::test]
async fn files_and_directories_have_the_modes_that_the_umask_leaves() {
    let disk = Disk::new().await;
    disk.put("a/b/put", "x").await.unwrap();
    disk.store.put_tree(&key("t/u"), vec![(key("t/u/v/w"), Bytes::from("x"))]).await.unwrap();
    disk.store.make_prefixes(&[key("p")]).await.unwrap();
    let mut upload = disk.store.stage(&key("s/t"), Algorithm::Sha256).await.unwrap();
    upload.append(body("x")).await.unwrap();
    promote(&disk.store, upload, "q/r").await.unwrap();
    File::create(disk.path("plain")).unwrap();
    fs::create_dir(disk.path("plain directory")).unwrap();
    let mode = |at: &str| fs::metadata(disk.path(at)).unwrap().permissions().mode() & 0o7777;
    for file in ["a/b/put", "t/u/v/w", "q/r", "wharf/lock"] {
        assert_eq!(mode(file), mode("plain"), "{file}");
    }
    for directory in ["a", "a/b", "t/u", "t/u/v", "p", "s", "q", "wharf", "wharf/tmp"] {
        assert_eq!(mode(directory), mode("plain directory"), "{directory}");
    }
}

#[tokio::test]
async fn what_a_killed_process_left_is_cleaned() {
    let disk = Disk::new().await;
    let staged = key("wharf/uploads/1");
    let mut upload = disk.store.stage(&staged, Algorithm::Sha256).await.unwrap();
    upload.append(body("kept")).await.unwrap();
    upload.sync().await.unwrap();
    drop(upload);
    fs::create_dir_all(disk.path("wharf/tmp/tree/below")).unwrap();
    fs::write(disk.path("wharf/tmp/tree/below/x"), "x").unwrap();
    fs::write(disk.path("wharf/tmp/file"), "x").unwrap();
    fs::write(disk.path("wharf/hashes/orphan"), "x").unwrap();
    let disk = disk.restart().await;
    while disk.temporary_files() > 0 || disk.path("wharf/hashes/orphan").exists() {
        tokio::task::yield_now().await;
    }
    assert_eq!(fs::read_dir(disk.path("wharf/hashes")).unwrap().count(), 1);
    assert_eq!(disk.store.resume(&staged).await.unwrap().unwrap().offset(), 4);
}

#[tokio::test]
async fn reads_are_answered_while_the_start_still_syncs_and_writes_wait() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("x"), "old").unwrap();
    let volume = Arc::new(open_volume(directory.path(), Durability::Full).unwrap());
    volume.syncs.faults.hold(directory.path().canonicalize().unwrap());
    let store = Filesystem { gate: WriteGate::begin(&volume), volume };
    assert_eq!(store.read(&key("x"), 9).await.unwrap().unwrap(), "old");
    let writer = tokio::spawn({
        let store = store.clone();
        async move { store.put(&key("x"), Bytes::from("new"), Condition::Any).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(store.read(&key("x"), 9).await.unwrap().unwrap(), "old");
    assert!(!writer.is_finished());
    store.volume.syncs.faults.release();
    writer.await.unwrap().unwrap();
    assert_eq!(store.volume.syncs.faults.take()[0].0, "syncfs");
    assert_eq!(store.read(&key("x"), 9).await.unwrap().unwrap(), "new");
}

#[tokio::test]
async fn nothing_is_built_on_a_start_whose_sync_failed() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("x"), "old").unwrap();
    let volume = Arc::new(open_volume(directory.path(), Durability::Full).unwrap());
    volume.syncs.faults.fail("syncfs", "");
    let store = Filesystem { gate: WriteGate::begin(&volume), volume };
    for _ in 0..2 {
        assert!(super::is_io(store.put(&key("x"), Bytes::from("new"), Condition::Any).await));
    }
    assert!(super::is_io(store.stage(&key("y"), Algorithm::Sha256).await));
    assert_eq!(store.read(&key("x"), 9).await.unwrap().unwrap(), "old");
}

#[tokio::test]
async fn what_is_no_plain_file_is_no_object() {
    let disk = Disk::new().await;
    fs::create_dir_all(disk.path("d")).unwrap();
    fs::write(disk.path("d/file"), "x").unwrap();
    symlink(disk.path("d/file"), disk.path("d/link")).unwrap();
    symlink(disk.path("d/none"), disk.path("d/dangling")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, disk.path("d/fifo"), 0o600.into()).unwrap();
    fs::write(disk.path("d").join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff")), "x")
        .unwrap();
    assert_eq!(disk.read("d/fifo").await, None);
    assert_eq!(disk.store.stat(&key("d/fifo")).await.unwrap(), None);
    // Content may be behind a link. What a link leads to is not written to.
    assert_eq!(disk.read("d/link").await.unwrap(), "x");
    assert!(disk.store.stat(&key("d/dangling")).await.unwrap_err().leads_nowhere());
    for name in ["d/link", "d/dangling", "d/fifo"] {
        assert!(disk.store.resume(&key(name)).await.unwrap().is_none(), "{name}");
    }
    assert_eq!(disk.names("d").await, ["dangling", "fifo", "file", "link"]);
}

#[tokio::test]
async fn a_temporary_directory_that_was_cleaned_away_is_made_again() {
    let disk = Disk::new().await;
    fs::remove_dir(disk.path("wharf/tmp")).unwrap();
    disk.put("a", "x").await.unwrap();
    fs::remove_dir(disk.path("wharf/tmp")).unwrap();
    disk.store.put_tree(&key("t"), vec![(key("t/a"), Bytes::from("x"))]).await.unwrap();
    assert!(disk.delete_tree("t").await.unwrap());
}

/// Where `docker/` is on a filesystem of its own, all that concerns a filesystem is asked of that one.
#[tokio::test]
async fn report_s4_staging_syncs_and_space_are_those_of_docker() {
    let directory = tempfile::tempdir().unwrap();
    let docker = directory.path().canonicalize().unwrap().join("docker");
    fs::create_dir_all(docker.join("wharf")).unwrap();
    let volume = Arc::new(open_volume(directory.path(), Durability::Full).unwrap());
    let store = Filesystem { gate: WriteGate::begin(&volume), volume: volume.clone() };
    let mut upload = store.stage(&key("wharf/uploads/1"), Algorithm::Sha256).await.unwrap();
    assert_eq!(volume.syncs.faults.take()[0], ("syncfs", docker.clone()));
    assert_eq!(volume.temporary_path().parent(), Some(docker.join("wharf/tmp").as_path()));
    upload.append(body("x")).await.unwrap();
    upload.sync().await.unwrap();
    assert!(docker.join("wharf/uploads/1").is_file());
    assert_eq!(fs::read_dir(docker.join("wharf/hashes")).unwrap().count(), 1);
    promote(&store, upload, "docker/registry/v2/x").await.unwrap();
    let names = |at: &Path| super::super::leftovers::names_in(at).len();
    assert_eq!((names(&docker.join("wharf/uploads")), names(&docker.join("registry/v2"))), (0, 1));
    assert_eq!(names(&directory.path().join("wharf")), 1, "the lock alone");
    assert!(store.free_space().await.unwrap().unwrap().bytes > 0);
}

/// A trial leaves nothing behind, and what a killed one left goes with the next.
#[tokio::test]
async fn report_s3_a_trial_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let v2 = directory.path().join("docker/registry/v2");
    for below in ["blobs/sha256", "blobs/sha512", "repositories"] {
        fs::create_dir_all(v2.join(below)).unwrap();
    }
    let places = [v2.clone(), v2.join("blobs"), v2.join("blobs/sha512"), v2.join("repositories")];
    for place in &places {
        fs::write(place.join(".wharf-probe"), "").unwrap();
    }
    let store = open(directory.path()).await;
    for _ in 0..3 {
        let left: Vec<_> = places.iter().filter(|place| place.join(".wharf-probe").exists()).collect();
        assert!(left.is_empty() && !store.is_read_only(), "{left:?}");
        store.probe().await.unwrap();
    }
    assert_eq!(super::super::leftovers::names_in(&directory.path().join("wharf/tmp")).len(), 0);
}
