//! A file that is read again when it changes, and keeps its last good content when it goes bad.
//!
//! It is looked at, not listened to: the stat of a path follows the links that are flipped under it, works on every file system, and costs
//! some microseconds twice a second.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;

use super::{FileError, FileFault};

/// How often a file is looked at.
pub(crate) const INTERVAL: Duration = Duration::from_millis(500);
/// How long a change must have come to rest before it is read.
pub(crate) const REST: Duration = Duration::from_millis(100);
/// A file that was changed less than this before it was read may change again without showing it, so its content is compared too.
const HOT: Duration = Duration::from_secs(2);

/// Makes a value of the content of a file, or of its absence at the start (`None`).
type Parse<T> = fn(&Path, Option<&[u8]>) -> Result<T, FileFault>;

/// What a change of a file by a stranger could do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Users or private keys: it is refused where everybody may write to it.
    Secret,
    /// Certificates and public keys, which lie about in many places: a warning is enough.
    Public,
}

/// A value that comes from a file.
pub(crate) struct Watched<T> {
    path: PathBuf,
    content: Content,
    parse: Parse<T>,
    current: ArcSwap<Version<T>>,
    state: Mutex<State>,
}

/// One version of the value.
pub(crate) struct Version<T> {
    /// Counted from 0; every reading that went well has a number of its own.
    pub(crate) generation: u64,
    pub(crate) value: Arc<T>,
}

#[derive(Default)]
struct State {
    /// How the file looked when it was last read, well or not.
    read: Option<Look>,
    /// How it looked at the last poll, where that is something new.
    pending: Option<Look>,
    content: Option<Vec<u8>>,
    /// The complaint that was logged last, so that it is logged once.
    complaint: Option<String>,
}

/// What tells one state of a file from another without reading it; `Err` if it can't be looked at.
#[derive(Clone, PartialEq, Eq)]
struct Look(Result<Stat, io::ErrorKind>);

#[derive(Clone, PartialEq, Eq)]
struct Stat {
    device: u64,
    inode: u64,
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// What a poll found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Poll {
    /// Nothing new.
    Same,
    /// Something changed just now: look again after [`REST`].
    Changing,
    /// The new content holds from now on.
    Loaded,
    /// The new content is bad, and the last good one stays.
    Kept,
}

impl<T> Watched<T> {
    /// Reads the file for the first time. That it is missing is for `parse` to judge.
    ///
    /// # Errors
    /// [`FileError`]: at the start a bad file is not passed over.
    pub(crate) fn open(path: &Path, content: Content, parse: Parse<T>) -> Result<Self, FileError> {
        let mut state = State { read: Some(Look::at(path)), ..State::default() };
        let read = match read(path, content) {
            Err(FileFault::Unreadable(io::ErrorKind::NotFound)) => Ok(None),
            other => other.map(Some),
        };
        let value = read.and_then(|content| {
            let value = parse(path, content.as_deref());
            state.content = content;
            value
        });
        let value = value.map_err(|fault| FileError { path: path.to_owned(), fault })?;
        warn_of_writers(path);
        let current = ArcSwap::from_pointee(Version { generation: 0, value: Arc::new(value) });
        Ok(Self { path: path.to_owned(), content, parse, current, state: Mutex::new(state) })
    }

    /// The version that holds now.
    pub(crate) fn current(&self) -> Arc<Version<T>> {
        self.current.load_full()
    }

    /// Looks whether the file has changed, and reads it when it has come to rest. Blocks for as long as the file system does.
    pub(crate) fn poll(&self) -> Poll {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let look = Look::at(&self.path);
        if state.read.as_ref() == Some(&look) {
            state.pending = None;
            return if look.is_hot(SystemTime::now()) {
                self.reload_if_different(&mut state, &look)
            } else {
                Poll::Same
            };
        }
        if state.pending.as_ref() == Some(&look) {
            return match self.read_at_rest(&look) {
                Some(content) => self.load(&mut state, look, content),
                None => Poll::Changing,
            };
        }
        state.pending = Some(look);
        Poll::Changing
    }

    /// Reads the file now, changed or not, at rest or not.
    pub(crate) fn reload(&self) -> Poll {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.complaint = None;
        let look = Look::at(&self.path);
        self.load(&mut state, look, read(&self.path, self.content))
    }

    fn load(&self, state: &mut State, look: Look, content: Result<Vec<u8>, FileFault>) -> Poll {
        state.read = Some(look);
        state.pending = None;
        state.content = content.as_ref().ok().cloned();
        self.take(state, content)
    }

    fn reload_if_different(&self, state: &mut State, look: &Look) -> Poll {
        match self.read_at_rest(look) {
            None => Poll::Changing,
            Some(Ok(content)) if state.content.as_ref() != Some(&content) => {
                state.content = Some(content.clone());
                self.take(state, Ok(content))
            }
            _ => Poll::Same,
        }
    }

    fn take(&self, state: &mut State, content: Result<Vec<u8>, FileFault>) -> Poll {
        match content.and_then(|content| (self.parse)(&self.path, Some(&content))) {
            Ok(value) => {
                let generation = self.current.load().generation + 1;
                self.current.store(Arc::new(Version { generation, value: Arc::new(value) }));
                state.complaint = None;
                tracing::info!(file = %self.path.display(), "read again");
                warn_of_writers(&self.path);
                Poll::Loaded
            }
            Err(fault) => {
                let complaint = FileError { path: self.path.clone(), fault }.to_string();
                if state.complaint.as_ref() != Some(&complaint) {
                    tracing::error!("{complaint}; what was read before stays in force");
                    state.complaint = Some(complaint);
                }
                Poll::Kept
            }
        }
    }

    /// The content of a file that looked like this and still does; `None` if it changed meanwhile. Without that, a file that is being written in
    /// place would be read when it is empty, which is a good file of nobody.
    fn read_at_rest(&self, look: &Look) -> Option<Result<Vec<u8>, FileFault>> {
        let content = read(&self.path, self.content);
        (Look::at(&self.path) == *look).then_some(content)
    }
}

pub(crate) fn read(path: &Path, what: Content) -> Result<Vec<u8>, FileFault> {
    let content = fs::read(path).map_err(|error| FileFault::Unreadable(error.kind()))?;
    let mode = fs::metadata(path).map_err(|error| FileFault::Unreadable(error.kind()))?.permissions().mode();
    let is_refused = what == Content::Secret && mode & 0o002 != 0;
    if is_refused { Err(FileFault::WritableByEverybody(mode & 0o7777)) } else { Ok(content) }
}

/// A file that a group may write to is what a umask of 002 or a git checkout makes: no reason not to start.
fn warn_of_writers(path: &Path) {
    let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode() & 0o7777);
    if mode & 0o022 != 0 {
        let path = path.display();
        tracing::warn!("{path}: its mode {mode:o} lets others than its owner write to it: chmod go-w");
    }
}

/// Whether others than the owner may read a file; for a warning.
pub(crate) fn is_readable_by_others(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o044 != 0)
}

impl Look {
    fn at(path: &Path) -> Self {
        let stat = |metadata: fs::Metadata| Stat {
            device: metadata.dev(),
            inode: metadata.ino(),
            len: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        };
        Self(fs::metadata(path).map(stat).map_err(|error| error.kind()))
    }

    fn is_hot(&self, now: SystemTime) -> bool {
        let Ok(stat) = &self.0 else { return false };
        let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let modified = u64::try_from(stat.modified.0).unwrap_or_default();
        since_epoch.saturating_sub(modified) <= HOT.as_secs()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

    use std::os::unix::fs::symlink;

    use super::*;

    fn number(_: &Path, content: Option<&[u8]>) -> Result<u32, FileFault> {
        let Some(content) = content else { return Ok(0) };
        let text = std::str::from_utf8(content).unwrap_or_default().trim();
        if text.is_empty() { Ok(0) } else { text.parse().map_err(|_| FileFault::Content("no number".to_owned())) }
    }

    struct Case {
        folder: tempfile::TempDir,
        watched: Watched<u32>,
    }

    impl Case {
        fn new(content: Option<&str>) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            if let Some(content) = content {
                write(&path, content);
            }
            let watched = Watched::open(&path, Content::Secret, number).unwrap();
            Self { folder, watched }
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("file")
        }

        fn value(&self) -> u32 {
            *self.watched.current().value
        }

        /// Polls as the server does, until the file is at rest.
        fn settle(&self) -> u32 {
            while self.watched.poll() == Poll::Changing {}
            self.value()
        }
    }

    fn write(path: &Path, content: &str) {
        fs::write(path, content).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    #[test]
    fn what_changes_while_it_is_read_is_not_taken() {
        let case = Case::new(Some("1"));
        let look = Look::at(&case.path());
        assert!(matches!(case.watched.read_at_rest(&look), Some(Ok(content)) if content == b"1"));
        write(&case.path(), "");
        assert!(case.watched.read_at_rest(&look).is_none());
        fs::remove_file(case.path()).unwrap();
        assert!(case.watched.read_at_rest(&look).is_none());
        assert!(matches!(case.watched.read_at_rest(&Look::at(&case.path())), Some(Err(_))));
    }

    #[test]
    fn c10_a_change_in_place_by_rename_and_by_a_link_is_seen() {
        let case = Case::new(Some("1"));
        assert_eq!(case.value(), 1);
        write(&case.path(), "2");
        assert_eq!(case.settle(), 2);
        let other = case.folder.path().join("other");
        write(&other, "3");
        fs::rename(&other, case.path()).unwrap();
        assert_eq!(case.settle(), 3);
    }

    #[test]
    fn c10_a_flipped_link_of_a_folder_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        for number in ["1", "2"] {
            fs::create_dir(folder.path().join(number)).unwrap();
            write(&folder.path().join(number).join("file"), number);
        }
        symlink("1", folder.path().join("..data")).unwrap();
        symlink("..data/file", folder.path().join("file")).unwrap();
        let watched = Watched::open(&folder.path().join("file"), Content::Secret, number).unwrap();
        symlink("2", folder.path().join("..new")).unwrap();
        fs::rename(folder.path().join("..new"), folder.path().join("..data")).unwrap();
        while watched.poll() == Poll::Changing {}
        assert_eq!(*watched.current().value, 2);
    }

    #[test]
    fn c10_bad_missing_and_writable_files_keep_the_last_good_one() {
        let case = Case::new(Some("1"));
        write(&case.path(), "nonsense");
        assert_eq!(case.settle(), 1);
        fs::remove_file(case.path()).unwrap();
        assert_eq!(case.settle(), 1);
        fs::write(case.path(), "5").unwrap();
        fs::set_permissions(case.path(), fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(case.settle(), 1);
        write(&case.path(), "6");
        assert_eq!(case.settle(), 6);
        write(&case.path(), "");
        assert_eq!(case.settle(), 0);
    }

    #[test]
    fn c10_a_missing_file_is_found_when_it_appears() {
        let case = Case::new(None);
        assert_eq!(case.settle(), 0);
        write(&case.path(), "nonsense");
        assert_eq!(case.settle(), 0);
        write(&case.path(), "7");
        assert_eq!(case.settle(), 7);
    }

    #[test]
    fn a_half_written_file_is_not_read() {
        let case = Case::new(Some("1"));
        write(&case.path(), "");
        assert_eq!(case.watched.poll(), Poll::Changing);
        write(&case.path(), "12");
        assert_eq!(case.watched.poll(), Poll::Changing);
        assert_eq!(case.value(), 1);
        assert_eq!(case.watched.poll(), Poll::Loaded);
        assert_eq!(case.value(), 12);
    }

    #[test]
    fn a_change_that_does_not_show_is_seen_while_the_file_is_young() {
        let case = Case::new(Some("1"));
        let look = case.watched.state.lock().unwrap().read.clone();
        write(&case.path(), "2");
        // As if the second writing had fallen into the same tick of the clock of the file system as the first.
        let now = Look::at(&case.path());
        case.watched.state.lock().unwrap().read = Some(now);
        assert!(look.is_some());
        assert_eq!(case.watched.poll(), Poll::Loaded);
        assert_eq!(case.value(), 2);
        assert_eq!(case.watched.poll(), Poll::Same);
    }

    #[test]
    fn a_reload_reads_at_once_and_counts() {
        let case = Case::new(Some("1"));
        write(&case.path(), "2");
        assert_eq!(case.watched.reload(), Poll::Loaded);
        assert_eq!((case.value(), case.watched.current().generation), (2, 1));
        write(&case.path(), "x");
        assert_eq!(case.watched.reload(), Poll::Kept);
        assert_eq!((case.value(), case.watched.current().generation), (2, 1));
    }

    #[test]
    fn report_who_may_write_to_a_file() {
        let table = [
            (0o600, true, true),
            (0o644, true, true),
            (0o660, true, true),
            (0o664, true, true),
            (0o620, true, true),
            (0o602, false, true),
            (0o666, false, true),
            (0o777, false, true),
        ];
        for (mode, secret, public) in table {
            let case = Case::new(Some("1"));
            fs::set_permissions(case.path(), fs::Permissions::from_mode(mode)).unwrap();
            for (content, holds) in [(Content::Secret, secret), (Content::Public, public)] {
                let opened = Watched::open(&case.path(), content, number).map(|_| ());
                assert_eq!(opened.is_ok(), holds, "{mode:o} {content:?}");
                let text = opened.err().map_or_else(String::new, |error| error.to_string());
                assert_eq!(text.contains("lets everybody write to it: chmod o-w"), !holds, "{mode:o}: {text}");
            }
            // The same when it is read again.
            assert_eq!(case.watched.reload(), if secret { Poll::Loaded } else { Poll::Kept }, "{mode:o}");
        }
    }

    #[test]
    fn at_the_start_a_bad_file_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, "x");
        let error = Watched::open(&path, Content::Secret, number).err().unwrap().to_string();
        assert!(error.contains(path.to_str().unwrap()) && error.contains("no number"), "{error}");
    }
}
