//! Notices that files have changed.
//!
//! Files are polled: a stat follows symbolic links that are replaced, works on every filesystem, and costs some
//! microseconds twice a second.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::read::{Files, Snapshot, warn_of_mode};

/// How often files are polled.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// For how long a changed file must stay the same before it is read.
const SETTLE_TIME: Duration = Duration::from_millis(100);
/// A file that was modified less than this ago may change without a new time, so its content is compared too.
const RECENT: Duration = Duration::from_secs(2);

/// The result of a poll. Of several results, the greatest decides when to poll next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Poll {
    /// Nothing is new.
    Same,
    /// Files have changed, and were read.
    Changed,
    /// A file is being changed.
    Changing,
}

/// Files that are read when they change.
pub(crate) struct Watch {
    files: Files,
    /// The states of the files when they were last read.
    read: Vec<State>,
    /// Their states at the last poll, if these are others.
    pending: Vec<State>,
    snapshots: Vec<Snapshot>,
}

/// Two states of a file differ if its content does, but for changes within one tick of the filesystem's clock.
type State = Result<Stat, io::ErrorKind>;

#[derive(PartialEq, Eq)]
struct Stat {
    inode: (u64, u64),
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Watch {
    /// Reads the files.
    pub(crate) fn new(files: Files) -> Self {
        let mut watch = Self { files, read: Vec::new(), pending: Vec::new(), snapshots: Vec::new() };
        watch.read();
        watch
    }

    /// Reads the files now, changed or not.
    pub(super) fn read(&mut self) {
        // A change after the stat shows at the next poll.
        self.read = self.states();
        self.pending.clear();
        self.snapshots = self.read_all();
    }

    /// Reads the files if they have changed and then stayed the same from one poll to the next. Blocks.
    pub(crate) fn poll(&mut self) -> Poll {
        let states = self.states();
        if states == self.read {
            self.pending.clear();
            if !states.iter().any(is_recent) {
                return Poll::Same;
            }
        } else if states != self.pending {
            self.pending = states;
            return Poll::Changing;
        }
        self.take(states)
    }

    /// Takes the content of files that were in these states and still are. Without that, a file that is being written
    /// in place could be read when it is empty, and an empty file of users is a good one.
    fn take(&mut self, states: Vec<State>) -> Poll {
        let snapshots = self.read_all();
        if self.states() != states {
            return Poll::Changing;
        }
        self.read = states;
        self.pending.clear();
        if snapshots == self.snapshots {
            return Poll::Same;
        }
        self.snapshots = snapshots;
        Poll::Changed
    }

    /// Watches other files from now on.
    pub(super) fn set_files(&mut self, files: Files) {
        if files != self.files {
            self.files = files;
            self.read.clear();
        }
    }

    /// The files as they were when they were last read.
    pub(crate) fn snapshots(&self) -> &[Snapshot] {
        &self.snapshots
    }

    pub(super) fn warn_of_modes(&self) {
        self.files.iter().for_each(|(path, content)| warn_of_mode(path, *content));
    }

    fn read_all(&self) -> Vec<Snapshot> {
        self.files.iter().map(|(path, content)| Snapshot::read(path, *content)).collect()
    }

    fn states(&self) -> Vec<State> {
        let stat = |metadata: fs::Metadata| Stat {
            inode: (metadata.dev(), metadata.ino()),
            len: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        };
        let state = |path| fs::metadata(path).map(stat).map_err(|error| error.kind());
        self.files.iter().map(|(path, _)| state(path)).collect()
    }
}

fn is_recent(state: &State) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let is_recent = |stat: &Stat| now.saturating_sub(u64::try_from(stat.modified.0).unwrap_or_default());
    state.as_ref().is_ok_and(|stat| is_recent(stat) <= RECENT.as_secs())
}

/// Polls for as long as it is polled itself. `poll` may block.
pub(crate) async fn follow(poll: impl Fn() -> Poll + Send + Sync + 'static) {
    let poll = Arc::new(poll);
    let mut pause = POLL_INTERVAL;
    loop {
        tokio::time::sleep(pause).await;
        pause = if polled(&poll).await == Poll::Changing { SETTLE_TIME } else { POLL_INTERVAL };
    }
}

/// Polls until the files are at rest, but not for longer than [`POLL_INTERVAL`]. `poll` may block.
pub(crate) async fn settle(poll: impl Fn() -> Poll + Send + Sync + 'static) {
    let poll = Arc::new(poll);
    let at_rest = async {
        while polled(&poll).await == Poll::Changing {
            tokio::time::sleep(SETTLE_TIME).await;
        }
    };
    // What has not come to rest by then is read later, as every change is.
    let _ = tokio::time::timeout(POLL_INTERVAL, at_rest).await;
}

async fn polled(poll: &Arc<impl Fn() -> Poll + Send + Sync + 'static>) -> Poll {
    let poll = Arc::clone(poll);
    tokio::task::spawn_blocking(move || poll()).await.unwrap_or(Poll::Same)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

    use super::*;
    use crate::files::Content;

    #[test]
    fn what_changes_while_it_is_read_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "1").unwrap();
        let mut watch = Watch::new(vec![(path.clone(), Content::Public)]);
        let before = watch.states();
        fs::write(&path, "").unwrap();
        assert_eq!(watch.take(before), Poll::Changing);
        let before = watch.states();
        fs::remove_file(&path).unwrap();
        assert_eq!(watch.take(before), Poll::Changing);
        assert_eq!(watch.snapshots()[0].bytes(), Ok(&b"1"[..]));
        let before = watch.states();
        assert_eq!(watch.take(before), Poll::Changed);
        assert!(watch.snapshots()[0].bytes().is_err_and(|error| error.is_missing()));
    }

    #[test]
    fn a_change_that_does_not_show_is_seen_while_the_file_is_recent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "1").unwrap();
        let mut watch = Watch::new(vec![(path.clone(), Content::Public)]);
        fs::write(&path, "2").unwrap();
        // As if both writes had fallen into one tick of the filesystem's clock.
        watch.read = watch.states();
        assert_eq!(watch.poll(), Poll::Changed);
        assert_eq!(watch.snapshots()[0].bytes(), Ok(&b"2"[..]));
        assert_eq!(watch.poll(), Poll::Same);
    }
}
