//! Uploads that are taken up again.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    sync::Arc,
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use super::{
    super::{Filesystem, Upload, leases::Leases, open::open as open_volume, volume::Volume},
    Disk, body, key, promote,
};
use crate::{
    oci::{Algorithm, Digest},
    storage::Durability,
};

const AT: &str = "wharf/uploads/r/_uploads/1";

async fn staged(store: &Filesystem, bytes: &'static str) -> Upload {
    let mut upload = store.stage(&key(AT), Algorithm::Sha256).await.unwrap();
    upload.append(body(bytes)).await.unwrap();
    upload.sync().await.unwrap();
    upload
}

async fn digest(disk: &Disk, algorithm: Algorithm) -> Digest {
    disk.store.resume(&key(AT)).await.unwrap().unwrap().digest(algorithm).await.unwrap()
}

fn sha256(bytes: &str) -> Digest {
    Digest::of(Algorithm::Sha256, bytes.as_bytes())
}

fn state(disk: &Disk) -> std::path::PathBuf {
    let mut states = fs::read_dir(disk.path("wharf/hashes")).unwrap();
    states.next().unwrap().unwrap().path()
}

#[tokio::test]
async fn a_saved_hash_goes_on_after_a_restart() {
    let disk = Disk::new().await;
    drop(staged(&disk.store, "hello").await);
    let disk = disk.restart().await;
    // Nobody would do that; but so it shows whether the bytes are read again.
    fs::write(disk.path(AT), "HELLO").unwrap();
    let mut upload = disk.store.resume(&key(AT)).await.unwrap().unwrap();
    assert_eq!(upload.offset(), 5);
    upload.append(body(" you")).await.unwrap();
    assert_eq!(upload.digest(Algorithm::Sha256).await.unwrap(), sha256("hello you"));
    let other = upload.digest(Algorithm::Sha512).await.unwrap();
    assert_eq!(other, Digest::of(Algorithm::Sha512, b"HELLO you"), "another algorithm reads what is there");
}

#[tokio::test]
async fn a_saved_hash_of_another_length_is_not_believed() {
    let disk = Disk::new().await;
    drop(staged(&disk.store, "hello").await);
    OpenOptions::new().append(true).open(disk.path(AT)).unwrap().write_all(b"!").unwrap();
    let disk = disk.restart().await;
    assert_eq!(disk.store.resume(&key(AT)).await.unwrap().unwrap().offset(), 6, "the kernel has kept it");
    assert_eq!(digest(&disk, Algorithm::Sha256).await, sha256("hello!"));
    fs::write(disk.path(AT), "hel").unwrap();
    assert_eq!(digest(&disk, Algorithm::Sha256).await, sha256("hel"));
}

#[tokio::test]
async fn a_hash_saved_before_a_reboot_is_not_believed() {
    for (found, expected) in [("HELLO", "HELLO"), ("HELLO, not synced", "HELLO"), ("HE", "HE")] {
        let disk = before_a_reboot("hello").await;
        fs::write(disk.path(AT), found).unwrap();
        let upload = disk.store.resume(&key(AT)).await.unwrap().unwrap();
        assert_eq!(upload.offset(), expected.len() as u64, "{found}");
        assert_eq!(upload.digest(Algorithm::Sha256).await.unwrap(), sha256(expected), "{found}");
    }
}

#[tokio::test]
async fn without_a_saved_hash_the_length_of_the_file_counts() {
    let disk = before_a_reboot("hello").await;
    fs::remove_file(state(&disk)).unwrap();
    fs::write(disk.path(AT), "HELLO, all of it").unwrap();
    assert_eq!(digest(&disk, Algorithm::Sha256).await, sha256("HELLO, all of it"));
}

#[tokio::test]
async fn a_torn_hash_is_as_none() {
    let disk = Disk::new().await;
    drop(staged(&disk.store, "hello").await);
    fs::write(disk.path(AT), "HELLO").unwrap();
    let whole = fs::read(state(&disk)).unwrap();
    for len in 0..whole.len() {
        fs::write(state(&disk), &whole[..len]).unwrap();
        assert!(disk.volume().saved_hash(&key(AT)).is_none(), "{len}");
    }
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(state(&disk), damaged).unwrap();
        assert!(disk.volume().saved_hash(&key(AT)).is_none(), "{at}");
    }
    assert_eq!(digest(&disk, Algorithm::Sha256).await, sha256("HELLO"));
    fs::write(state(&disk), whole).unwrap();
    assert_eq!(digest(&disk, Algorithm::Sha256).await, sha256("hello"));
}

#[tokio::test]
async fn no_hash_is_left_of_an_upload_that_ended() {
    for end in 0..3 {
        let disk = Disk::new().await;
        let upload = staged(&disk.store, "hello").await;
        assert!(state(&disk).exists());
        match end {
            0 => promote(&disk.store, upload, "blobs/data").await.unwrap(),
            1 => upload.discard().await.unwrap(),
            _ => {
                drop(upload);
                assert!(disk.store.discard_staging(&key(AT)).await.unwrap());
            }
        }
        assert_eq!(fs::read_dir(disk.path("wharf/hashes")).unwrap().count(), 0);
        assert!(!disk.path(AT).exists());
    }
}

#[tokio::test]
async fn what_was_not_synced_is_synced_when_it_is_taken_up() {
    let disk = Disk::new().await;
    let mut upload = staged(&disk.store, "hello").await;
    upload.append(body(" you")).await.unwrap();
    drop(upload);
    disk.synced();
    let upload = disk.store.resume(&key(AT)).await.unwrap().unwrap();
    assert_eq!(upload.offset(), 9, "an offset is a durable length");
    assert_eq!(disk.synced()[0], format!("fdatasync {AT}"));
}

#[tokio::test]
async fn a_promoted_file_is_never_taken_up() {
    let disk = Disk::new().await;
    let upload = staged(&disk.store, "hello").await;
    promote(&disk.store, upload, "blobs/data").await.unwrap();
    fs::hard_link(disk.path("blobs/data"), disk.path(AT)).unwrap();
    assert!(disk.store.resume(&key(AT)).await.unwrap().is_none());
}

#[tokio::test]
async fn an_upload_goes_on_after_its_holder_was_dropped_in_an_append() {
    let disk = Disk::new().await;
    for round in 0..20_usize {
        let mut upload = disk.store.stage(&key(AT), Algorithm::Sha256).await.unwrap();
        let piece = Bytes::from(vec![b'x'; 300_000]);
        let mut append = Box::pin(upload.append(stream::repeat(Ok::<_, ()>(piece)).take(20).boxed()));
        for _ in 0..round {
            let _ = futures_util::poll!(&mut append);
            tokio::task::yield_now().await;
        }
        drop(append);
        drop(upload);
        let upload = disk.store.resume(&key(AT)).await.unwrap().unwrap();
        let len = fs::metadata(disk.path(AT)).unwrap().len();
        assert_eq!(upload.offset(), len, "nobody writes any more");
        let expected = Digest::of(Algorithm::Sha256, &vec![b'x'; usize::try_from(len).unwrap()]);
        assert_eq!(upload.digest(Algorithm::Sha256).await.unwrap(), expected);
        upload.discard().await.unwrap();
    }
}

/// A stalled client must not keep a thread from those who read.
#[test]
fn a_stalled_upload_holds_no_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let disk = Disk::new().await;
        let mut upload = disk.store.stage(&key(AT), Algorithm::Sha256).await.unwrap();
        let piece = Bytes::from(vec![b'x'; 2 << 20]);
        let stalled = stream::iter([Ok::<_, ()>(piece)]).chain(stream::pending());
        tokio::select! {
            biased;
            _ = upload.append(stalled) => unreachable!("the client never ends"),
            () = async { while disk.store.stat(&key(AT)).await.unwrap().unwrap().len < 2 << 20 {} } => {}
        }
    });
}

/// A store with an upload of `bytes` that was synced in an earlier run of the kernel.
async fn before_a_reboot(bytes: &'static str) -> Disk {
    let disk = Disk::new().await;
    let volume = Volume { boot_id: "another".to_owned(), ..fresh(&disk) };
    let store = Filesystem { volume: Arc::new(volume), gate: disk.store.gate.clone() };
    drop(staged(&store, bytes).await);
    disk
}

/// The same store as another process would have it; both must not write at once.
fn fresh(disk: &Disk) -> Volume {
    let other = tempfile::tempdir().unwrap();
    let mut volume = open_volume(other.path(), Durability::Full).unwrap();
    volume.root = disk.volume().root.clone();
    volume.leases = Arc::new(Leases::default());
    volume.directories = Arc::new(super::super::directories::Directories::new(&volume.root, &volume.root));
    volume
}
