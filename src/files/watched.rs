//! A value that comes from files and follows them. It keeps its last good version when the files go bad.

use std::{
    fmt::Display,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::ArcSwap;

use super::{
    read::{Files, Snapshot},
    watch::{Poll, Watch},
};

/// A value that comes from files.
pub(crate) struct Watched<T> {
    parse: Box<Parse<T>>,
    current: ArcSwap<Version<T>>,
    state: Mutex<State>,
}

type Parse<T> = dyn Fn(&[Snapshot]) -> Result<T, String> + Send + Sync;

/// One version of the value.
pub(crate) struct Version<T> {
    /// Counted from 0. Each version has a number of its own.
    pub(crate) generation: u64,
    pub(crate) value: Arc<T>,
}

struct State {
    watch: Watch,
    /// The complaint that was logged last, so that it is logged once.
    complaint: Option<String>,
}

impl<T> Watched<T> {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// Those of `parse`: at the start, bad files are an error.
    pub(crate) fn open<E: Display>(
        files: Files,
        parse: impl Fn(&[Snapshot]) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Self, E> {
        Self::open_or_else(files, parse, Err)
    }

    /// The same, but `recover` decides about an error.
    pub(crate) fn open_or_else<E: Display>(
        files: Files,
        parse: impl Fn(&[Snapshot]) -> Result<T, E> + Send + Sync + 'static,
        recover: impl FnOnce(E) -> Result<T, E>,
    ) -> Result<Self, E> {
        let watch = Watch::new(files);
        let value = Arc::new(parse(watch.snapshots()).or_else(recover)?);
        watch.warn_of_modes();
        Ok(Self {
            parse: Box::new(move |files| parse(files).map_err(|error| error.to_string())),
            current: ArcSwap::from_pointee(Version { generation: 0, value }),
            state: Mutex::new(State { watch, complaint: None }),
        })
    }

    /// The version that is in force.
    pub(crate) fn current(&self) -> Arc<Version<T>> {
        self.current.load_full()
    }

    /// Puts a new version in force if the files have changed. Blocks.
    pub(crate) fn poll(&self) -> Poll {
        let mut state = self.lock();
        let poll = state.watch.poll();
        if poll == Poll::Changed {
            self.load(&mut state);
        }
        poll
    }

    /// Reads the files now, changed or not. Blocks.
    pub(crate) fn reload(&self) {
        let mut state = self.lock();
        state.complaint = None;
        state.watch.read();
        self.load(&mut state);
    }

    /// Reads these files from the next poll on.
    pub(crate) fn set_files(&self, files: Files) {
        self.lock().watch.set_files(files);
    }

    /// Logs, once, why there is no new version.
    pub(crate) fn complain(&self, problem: &dyn Display) {
        self.lock().complain(problem.to_string());
    }

    fn load(&self, state: &mut State) {
        match (self.parse)(state.watch.snapshots()) {
            Ok(value) => {
                let generation = self.current.load().generation + 1;
                self.current.store(Arc::new(Version { generation, value: Arc::new(value) }));
                state.complaint = None;
                let files: Vec<_> = state.watch.snapshots().iter().map(Snapshot::path).collect();
                tracing::info!(?files, "read again");
                state.watch.warn_of_modes();
            }
            Err(problem) => state.complain(problem),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn complain(&mut self, problem: String) {
        if self.complaint.as_ref() != Some(&problem) {
            tracing::error!("{problem}; what was read before stays in force");
            self.complaint = Some(problem);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

    use std::{
        fs,
        os::unix::fs::{PermissionsExt as _, symlink},
        path::{Path, PathBuf},
    };

    use super::*;
    use crate::files::{Content, FileError};

    fn number(files: &[Snapshot]) -> Result<u32, FileError> {
        let text = std::str::from_utf8(files[0].bytes()?).unwrap_or_default().trim();
        if text.is_empty() { Ok(0) } else { text.parse().map_err(|_| files[0].error("no number")) }
    }

    fn open(path: &Path, content: Content) -> Result<Watched<u32>, FileError> {
        let recover = |error: FileError| if error.is_missing() { Ok(0) } else { Err(error) };
        Watched::open_or_else(vec![(path.to_owned(), content)], number, recover)
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
            let watched = open(&path, Content::Credentials).unwrap();
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
        let watched = open(&folder.path().join("file"), Content::Credentials).unwrap();
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
        assert_eq!(case.watched.poll(), Poll::Changed);
        assert_eq!(case.value(), 12);
    }

    #[test]
    fn a_reload_reads_at_once_and_counts() {
        let case = Case::new(Some("1"));
        write(&case.path(), "2");
        case.watched.reload();
        assert_eq!((case.value(), case.watched.current().generation), (2, 1));
        write(&case.path(), "x");
        case.watched.reload();
        assert_eq!((case.value(), case.watched.current().generation), (2, 1));
    }

    #[test]
    fn report_who_may_write_to_a_file() {
        let table = [
            (0o600, true),
            (0o644, true),
            (0o660, true),
            (0o664, true),
            (0o620, true),
            (0o602, false),
            (0o666, false),
            (0o777, false),
        ];
        for (mode, secret) in table {
            let case = Case::new(Some("1"));
            fs::set_permissions(case.path(), fs::Permissions::from_mode(mode)).unwrap();
            for (content, holds) in
                [(Content::Credentials, secret), (Content::PrivateKey, true), (Content::Public, true)]
            {
                let opened = open(&case.path(), content).map(|_| ());
                assert_eq!(opened.is_ok(), holds, "{mode:o} {content:?}");
                let text = opened.err().map_or_else(String::new, |error| error.to_string());
                assert_eq!(text.contains("lets everybody write to it: chmod o-w"), !holds, "{mode:o}: {text}");
            }
            // The same when it is read again.
            case.watched.reload();
            assert_eq!(case.watched.current().generation, u64::from(secret), "{mode:o}");
        }
    }

    #[test]
    fn at_the_start_a_bad_file_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, "x");
        let error = open(&path, Content::Credentials).err().unwrap().to_string();
        assert!(error.contains(path.to_str().unwrap()) && error.contains("no number"), "{error}");
    }

    #[test]
    fn files_that_belong_together_are_one_value() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["one", "two", "three"].map(|name| folder.path().join(name));
        for path in &paths {
            write(path, "1");
        }
        let files = |count| paths[..count].iter().map(|path| (path.clone(), Content::Public)).collect::<Files>();
        let concatenate = |files: &[Snapshot]| {
            let bytes: Vec<&[u8]> = files.iter().map(Snapshot::bytes).collect::<Result<_, _>>()?;
            String::from_utf8(bytes.concat()).map_err(|error| files[0].error(&error))
        };
        let watched = Watched::open(files(2), concatenate).unwrap();
        let settle = || {
            while watched.poll() == Poll::Changing {}
            watched.current().value.to_string()
        };
        assert_eq!(settle(), "11");
        write(&paths[1], "2");
        assert_eq!(settle(), "12");
        watched.set_files(files(3));
        assert_eq!(settle(), "121");
        fs::remove_file(&paths[0]).unwrap();
        assert_eq!(settle(), "121");
        assert!(watched.lock().complaint.as_ref().unwrap().contains("one: it can't be read"));
        watched.set_files(files(3)[1..].to_vec());
        assert_eq!((settle().as_str(), watched.current().generation), ("21", 3));
    }
}
