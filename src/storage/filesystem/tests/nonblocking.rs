//! Looks that need not wait say the same as those that may.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
};

use rustix::fs::{Advice, CWD, FileType, Mode, fadvise, mknodat, statfs};

use super::{
    super::{
        super::{Object, Stat, StorageError},
        nonblocking::WouldWait,
    },
    Disk, key,
};

/// Looks several times if need be: while another thread renames a directory, the kernel may say that it would wait.
fn patiently<T>(mut look: impl FnMut() -> Result<T, WouldWait>) -> Result<T, WouldWait> {
    for _ in 0..1000 {
        if let Ok(seen) = look() {
            return Ok(seen);
        }
        std::thread::yield_now();
    }
    look()
}

/// What looks at once read.
fn read(disk: &Disk, at: &str) -> Result<Option<String>, WouldWait> {
    patiently(|| read_once(disk, at))
}

fn read_once(disk: &Disk, at: &str) -> Result<Option<String>, WouldWait> {
    let bytes = disk.volume().read_nonblocking(&key(at), 100)?.unwrap();
    Ok(bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()))
}

fn stat(disk: &Disk, at: &str) -> Result<Option<Stat>, WouldWait> {
    patiently(|| disk.volume().stat_nonblocking(&key(at)))
}

fn open(disk: &Disk, at: &str) -> Result<Option<Object>, WouldWait> {
    patiently(|| disk.volume().open_nonblocking(&key(at)))
}

/// What a look that may wait reads.
fn look(disk: &Disk, at: &str) -> Option<String> {
    let bytes = disk.volume().read(&key(at), 100).unwrap()?;
    Some(String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn what_is_in_memory_is_had_nonblocking() {
    let disk = Disk::new().await;
    disk.put("a/b", "content").await.unwrap();
    disk.put("a/empty", "").await.unwrap();
    // The first look may have to find the way; the next one has it.
    for (at, content) in [("a/b", Some("content")), ("a/empty", Some("")), ("a/none", None), ("none/b", None)] {
        assert_eq!(disk.read(at).await.as_deref(), content, "{at}");
        assert_eq!(read(&disk, at), Ok(content.map(str::to_owned)), "{at}");
        let len = content.map(|content| content.len() as u64);
        let (stat, object) = (stat(&disk, at).unwrap(), open(&disk, at).unwrap());
        assert_eq!(stat.map(|stat| stat.len), len, "{at}");
        assert_eq!(object.map(|object| object.stat().len), len, "{at}");
    }
    let too_large = patiently(|| disk.volume().read_nonblocking(&key("a/b"), 6)).unwrap();
    assert!(matches!(too_large, Err(StorageError::TooLarge)));
}

#[tokio::test]
async fn what_others_change_is_seen_by_the_next_look() {
    let disk = Disk::new().await;
    disk.put("a/b/c", "first").await.unwrap();
    assert_eq!(look(&disk, "a/b/c").as_deref(), Some("first"));
    assert_eq!(read(&disk, "a/b/c"), Ok(Some("first".to_owned())));
    fs::write(disk.path("beside"), "other").unwrap();
    fs::rename(disk.path("beside"), disk.path("a/b/c")).unwrap();
    assert_eq!(look(&disk, "a/b/c").as_deref(), Some("other"));
    fs::write(disk.path("a/b/c"), "longer").unwrap();
    assert_eq!(look(&disk, "a/b/c").as_deref(), Some("longer"));
    fs::rename(disk.path("a/b"), disk.path("a/elsewhere")).unwrap();
    assert_eq!(look(&disk, "a/b/c"), None);
    assert_eq!(disk.store.stat(&key("a/b/c")).await.unwrap(), None);
    fs::rename(disk.path("a/elsewhere"), disk.path("a/b")).unwrap();
    assert_eq!(look(&disk, "a/b/c").as_deref(), Some("longer"));
    fs::remove_file(disk.path("a/b/c")).unwrap();
    assert_eq!(look(&disk, "a/b/c"), None);
    assert!(disk.store.open_object(&key("a/b/c")).await.unwrap().is_none());
}

#[tokio::test]
async fn only_files_are_objects() {
    let disk = Disk::new().await;
    disk.put("a/b", "content").await.unwrap();
    fs::create_dir(disk.path("a/directory")).unwrap();
    symlink("b", disk.path("a/link")).unwrap();
    symlink("loop", disk.path("a/loop")).unwrap();
    mknodat(CWD, disk.path("a/fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    for at in ["a/directory", "a/fifo"] {
        // Both ways of looking, the one after the other.
        assert!(disk.volume().stat(&key(at)).unwrap().is_none(), "{at}");
        assert!(disk.volume().read(&key(at), 100).unwrap().is_none(), "{at}");
        assert_eq!(stat(&disk, at), Ok(None), "{at}");
        assert_eq!(read(&disk, at), Ok(None), "{at}");
        assert!(open(&disk, at).unwrap().is_none(), "{at}");
    }
    // Where the kernel may leave the answer to those who can wait.
    for at in ["a/b/below", &format!("a/{}", "x".repeat(300))] {
        assert_eq!(disk.store.stat(&key(at)).await.unwrap(), None, "{at}");
        assert_eq!(disk.read(at).await, None, "{at}");
    }
    symlink("a", disk.path("linked")).unwrap();
    assert_eq!(disk.read("linked/b").await.as_deref(), Some("content"));
    assert_eq!(read(&disk, "linked/b"), Ok(Some("content".to_owned())));
}

#[tokio::test]
async fn what_is_not_in_memory_is_not_read_nonblocking() {
    let disk = Disk::new().await;
    disk.put("a/b", "content").await.unwrap();
    fadvise(File::open(disk.path("a/b")).unwrap(), 0, None, Advice::DontNeed).unwrap();
    // One look is all there is: it makes the kernel begin to read.
    assert_eq!(read_once(&disk, "a/b").is_ok(), lives_in_memory(&disk.path("a/b")));
    assert_eq!(disk.read("a/b").await.as_deref(), Some("content"));
    assert_eq!(read(&disk, "a/b"), Ok(Some("content".to_owned())));
}

/// Whether the file is on a filesystem that has everything in memory.
fn lives_in_memory(path: &Path) -> bool {
    /// `TMPFS_MAGIC` of the kernel.
    const TMPFS: i64 = 0x0102_1994;
    statfs(path).unwrap().f_type == TMPFS
}

#[tokio::test]
async fn a_name_under_way_is_not_answered_nonblocking() {
    let disk = Disk::new().await;
    disk.put("a/b", "content").await.unwrap();
    disk.put("a/c", "content").await.unwrap();
    let root = disk.directory.path().canonicalize().unwrap();
    let path = root.join("a/b");
    let naming = disk.volume().names.begin(&path);
    naming.touched();
    assert_eq!(read(&disk, "a/b"), Err(WouldWait));
    assert_eq!(disk.volume().stat_nonblocking(&key("a/b")), Err(WouldWait));
    assert!(disk.volume().open_nonblocking(&key("a/b")).is_err());
    assert_eq!(read(&disk, "a/c"), Ok(Some("content".to_owned())));
    naming.durable();
    assert_eq!(read(&disk, "a/b"), Ok(Some("content".to_owned())));

    // Nothing durable had this name, and its sync fails: it can be seen and does not count.
    let path = root.join("a/d");
    let naming = disk.volume().names.begin(&path);
    fs::write(&path, "content").unwrap();
    naming.touched();
    drop(naming);
    assert_eq!(read(&disk, "a/d"), Ok(None));
    assert_eq!(stat(&disk, "a/d"), Ok(None));
}

#[tokio::test]
async fn a_kernel_that_can_t_say_is_asked_no_more() {
    let disk = Disk::new().await;
    disk.put("a/b", "content").await.unwrap();
    disk.volume().nonblocking.turn_off();
    assert_eq!(read(&disk, "a/b"), Err(WouldWait));
    assert_eq!(disk.volume().stat_nonblocking(&key("a/b")), Err(WouldWait));
    assert!(disk.volume().open_nonblocking(&key("a/b")).is_err());
    assert_eq!(disk.read("a/b").await.as_deref(), Some("content"));
    assert!(disk.store.stat(&key("a/b")).await.unwrap().is_some());
    assert!(disk.store.open_object(&key("a/b")).await.unwrap().is_some());
}
