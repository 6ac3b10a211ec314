//! The order of system calls behind every 201: the file synced, renamed into place, its directory synced, and every
//! directory that was made.
//!
//! Power cuts can't show all of this: ext4, xfs and btrfs write a missing directory sync along with any later one.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    thread,
};

use crate::{
    strace::{self, Event},
    support::{
        http::Registry,
        image::{Blob, Image, sha256},
        server::{Launch, Program, Server},
        store,
    },
};

const CALLS: &str = "trace=openat,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,\
                     write,pwrite64,writev,pwritev,pwritev2,ftruncate,copy_file_range,sendfile,splice,read,pread64,readv,preadv,preadv2,mmap,\
                     fsync,fdatasync,syncfs,sync_file_range,sendto,sendmsg";

/// Which tags a manifest has been pushed under, by its digest.
type Tags = HashMap<String, Vec<String>>;

/// What a power cut would leave of what was made since the trace began. A path that is not in here was there before.
#[derive(Default)]
struct Disk {
    /// Everything made, and what of it is synced.
    made: HashMap<PathBuf, Made>,
    /// Names that are gone, and whose directory has not been synced since.
    removed: HashSet<PathBuf>,
    /// What a sync that is under way will have synced when it succeeds, and how many writes there were before it.
    syncing: HashMap<usize, (u64, Vec<PathBuf>)>,
    writes: u64,
    /// Files that were read after they were written.
    read_back: HashSet<PathBuf>,
}

#[derive(Clone, Copy, Default)]
struct Made {
    name_synced: bool,
    data_dirty: bool,
    /// The last write to it.
    written: u64,
}

impl Disk {
    fn apply(&mut self, event: &Event) {
        match event.name.as_str() {
            "fsync" | "fdatasync" | "syncfs" => self.sync(event),
            _ if !event.succeeded() => {}
            "openat" | "creat" => self.open(event),
            "mkdir" | "mkdirat" => drop(self.made.insert(path_of(event, 0), Made::default())),
            "rename" | "renameat" | "renameat2" => self.rename(&path_of(event, 0), &path_of(event, 1)),
            "link" | "linkat" => {
                let data_dirty = self.made.get(&path_of(event, 0)).is_some_and(|made| made.data_dirty);
                let written = self.writes;
                self.made.insert(path_of(event, 1), Made { name_synced: false, data_dirty, written });
            }
            "unlink" | "unlinkat" | "rmdir" => {
                self.made.remove(&path_of(event, 0));
                self.removed.insert(path_of(event, 0));
            }
            "read" | "pread64" | "readv" | "preadv" | "preadv2" => self.read(event),
            "mmap" => self
                .read_back
                .extend(event.arguments.split('<').nth(1).and_then(|rest| rest.split('>').next()).map(PathBuf::from)),
            "write" | "pwrite64" | "writev" | "pwritev" | "pwritev2" | "ftruncate" => self.write(event),
            _ => {}
        }
    }

    fn open(&mut self, event: &Event) {
        if event.arguments.contains("O_CREAT") {
            self.made.entry(path_of(event, 0)).or_default();
        }
    }

    fn write(&mut self, event: &Event) {
        if let Some(path) = event.descriptor().filter(|path| path.is_absolute()) {
            self.writes += 1;
            // A file that was there before the trace has a durable name.
            let made = self.made.entry(path).or_insert(Made { name_synced: true, ..Made::default() });
            (made.data_dirty, made.written) = (true, self.writes);
        }
    }

    fn read(&mut self, event: &Event) {
        if event.result.as_deref() != Some("0") {
            self.read_back.extend(event.descriptor());
        }
    }

    /// Only what was there when a sync began is synced when it has ended.
    fn sync(&mut self, event: &Event) {
        let Some(path) = event.descriptor() else { return };
        if event.result.is_none() {
            let everything = event.name == "syncfs";
            let covered = self.made.keys().chain(&self.removed);
            let covered = covered.filter(|name| everything || **name == path || name.parent() == Some(&path));
            self.syncing.insert(event.call, (self.writes, covered.cloned().collect()));
            return;
        }
        let Some((writes, covered)) = self.syncing.remove(&event.call).filter(|_| event.succeeded()) else { return };
        for name in covered {
            self.removed.remove(&name);
            if let Some(made) = self.made.get_mut(&name) {
                // What was written while the sync was under way may not be synced.
                made.data_dirty &= (name != path && event.name != "syncfs") || made.written > writes;
                made.name_synced |= name != path;
            }
        }
    }

    fn rename(&mut self, from: &Path, to: &Path) {
        let moved: Vec<_> = self.made.keys().filter(|name| name.starts_with(from)).cloned().collect();
        // Whatever replaces what is named by its digest is the same: after a power cut the old one is as good. A tag's
        // link is not.
        let replaced = self.made.insert(to.to_owned(), Made::default());
        let as_good = replaced.is_some_and(|made| made.name_synced) && !to.ends_with("current/link");
        self.removed.insert(from.to_owned());
        for name in moved {
            let made = self.made.remove(&name).unwrap();
            let inner = name.strip_prefix(from).unwrap();
            let target = if inner.as_os_str().is_empty() { to.to_owned() } else { to.join(inner) };
            let name_synced = if name == from { as_good } else { made.name_synced };
            if self.read_back.remove(&name) {
                self.read_back.insert(target.clone());
            }
            self.made.insert(target, Made { name_synced, ..made });
        }
    }

    /// Why `file` might be gone after a power cut.
    fn weakness(&self, file: &Path, root: &Path) -> Option<String> {
        match self.made.get(file) {
            None => return Some(format!("{} was not written", file.display())),
            Some(made) if made.data_dirty => return Some(format!("{} was not synced", file.display())),
            Some(_) => {}
        }
        let unsynced = file
            .ancestors()
            .take_while(|path| *path != root)
            .find(|path| self.made.get(*path).is_some_and(|made| !made.name_synced));
        unsynced.map(|path| format!("the directory of {} was not synced", path.display()))
    }
}

fn path_of(event: &Event, position: usize) -> PathBuf {
    event.resolved().into_iter().nth(position).unwrap_or_default()
}

/// What an answer's header says, if `event` sends the head of an answer with this status.
struct Sent<'a>(&'a str);

impl<'a> Sent<'a> {
    fn of(event: &'a Event, status: u16) -> Option<Self> {
        let sends = event.result.is_none() && ["sendto", "sendmsg", "write", "writev"].contains(&event.name.as_str());
        let head = &event.arguments[event.arguments.find(&format!("\"HTTP/1.1 {status} "))?..];
        sends.then_some(Self(head))
    }

    fn header(&self, name: &str) -> Option<&'a str> {
        let at = self.0.to_ascii_lowercase().find(&format!("\\r\\n{name}: "))?;
        let value = &self.0[at + name.len() + 6..];
        value.split("\\r\\n").next()
    }
}

/// A run of wharf under strace; what happened is known when it has stopped.
struct Traced {
    root: tempfile::TempDir,
    log: tempfile::TempDir,
}

impl Traced {
    /// Serves an empty store to `requests`.
    fn run(requests: impl FnOnce(&Server)) -> Self {
        let traced = Self { root: tempfile::tempdir().unwrap(), log: tempfile::tempdir().unwrap() };
        let wrapper = strace::command_line(&traced.log(), &["-e", CALLS]);
        let server = Launch::new(Program::under_test(), traced.root.path()).under(wrapper).start();
        requests(&server);
        server.stop();
        traced
    }

    fn log(&self) -> PathBuf {
        self.log.path().join("strace")
    }

    fn root(&self) -> PathBuf {
        self.root.path().canonicalize().unwrap()
    }

    /// Replays the calls and hands the disk over at the moment at which each answer with `status` is sent.
    fn at_each(&self, status: u16, mut look: impl FnMut(&Disk, &Sent<'_>)) -> Disk {
        let mut disk = Disk::default();
        for event in strace::read(&self.log()) {
            if let Some(sent) = Sent::of(&event, status) {
                look(&disk, &sent);
            }
            disk.apply(&event);
        }
        disk
    }

    /// Requires of every 201 that what it promises would survive a power cut at that moment; how many there were.
    fn check_created(&self, tags: &Tags) -> usize {
        let (root, mut count) = (self.root(), 0);
        self.at_each(201, |disk, sent| {
            for file in promised(&root, sent, tags) {
                assert_eq!(disk.weakness(&file, &root), None, "at the 201 of {}", sent.0);
            }
            count += 1;
        });
        count
    }
}

/// The files that a 201 says are there, by its headers.
fn promised(root: &Path, sent: &Sent<'_>, tags: &Tags) -> Vec<PathBuf> {
    let location = sent.header("location").expect("a 201 has a Location");
    let digest = sent.header("docker-content-digest").expect("a 201 has a Docker-Content-Digest");
    let path = &location[location.find("/v2/").unwrap() + 4..];
    let (name, kind) = path.rsplit_once('/').and_then(|(path, _)| path.rsplit_once('/')).unwrap();
    let (repository, linked) = (store::repository(root, name), digest.replace(':', "/"));
    let mut files = vec![store::blob(root, digest)];
    if kind == "blobs" {
        files.push(repository.join(format!("_layers/{linked}/link")));
        return files;
    }
    files.push(repository.join(format!("_manifests/revisions/{linked}/link")));
    for tag in tags.get(digest).into_iter().flatten() {
        files.push(repository.join(format!("_manifests/tags/{tag}/current/link")));
        files.push(repository.join(format!("_manifests/tags/{tag}/index/{linked}/link")));
    }
    files
}

fn push_all(registry: &Registry, repository: &str, images: &[(String, Image)]) {
    for (tag, image) in images {
        registry.repository(repository).push(tag, image);
    }
}

/// One image for each seed under a tag of its own, and the tags by digest.
fn images(seeds: std::ops::Range<u64>) -> (Vec<(String, Image)>, Tags) {
    let images: Vec<_> = seeds.map(|seed| (format!("t{seed}"), Image::new(seed, "amd64"))).collect();
    let tags = images.iter().map(|(tag, image)| (image.manifest().digest().to_owned(), vec![tag.clone()]));
    let tags = tags.collect();
    (images, tags)
}

#[test]
#[ignore = "needs strace: run ./test"]
fn every_201_of_a_push_is_durable_needs_strace() {
    let (images, tags) = images(1..3);
    let traced = Traced::run(|server| push_all(&server.http(), "deep/er/name", &images));
    assert_eq!(traced.check_created(&tags), images.len() * 4);
}

#[test]
#[ignore = "needs strace: run ./test"]
fn every_201_of_pushes_at_once_into_one_new_repository_is_durable_needs_strace() {
    let (images, tags) = images(10..22);
    // All of them push one layer that is the same, and each its own image.
    let shared = Blob::noise(9, 50_000);
    let traced = Traced::run(|server| {
        thread::scope(|scope| {
            for images in images.chunks(2) {
                let (registry, shared) = (server.http(), &shared);
                scope.spawn(move || {
                    registry.repository("new").push_blob(shared);
                    push_all(&registry, "new", images);
                });
            }
        });
    });
    assert_eq!(traced.check_created(&tags), images.len() * 4 + images.len() / 2);
}

/// One that is long enough to be synced while it comes.
#[test]
#[ignore = "needs strace: run ./test"]
fn the_201_of_a_long_push_is_durable_needs_strace() {
    let blob = Blob::noise(60, 72 << 20);
    let traced = Traced::run(|server| server.http().repository("long").push_blob(&blob));
    assert_eq!(traced.check_created(&HashMap::new()), 1);
}

#[test]
#[ignore = "needs strace: run ./test"]
fn pushing_again_and_moving_a_tag_is_durable_needs_strace() {
    let (first, second) = (Image::new(30, "amd64"), Image::new(31, "amd64"));
    let traced = Traced::run(|server| {
        let repository = server.http().repository("again");
        for image in [&first, &second, &first] {
            repository.push("moving", image);
        }
    });
    let tags = [&first, &second].map(|image| (image.manifest().digest().to_owned(), vec!["moving".to_owned()]));
    assert_eq!(traced.check_created(&HashMap::from(tags)), 12);
}

#[test]
#[ignore = "needs strace: run ./test"]
fn a_delete_is_durable_when_it_is_answered_needs_strace() {
    let image = Image::new(40, "amd64");
    let traced = Traced::run(|server| {
        let repository = server.http().repository("deleted");
        repository.push("1", &image);
        repository.push_manifest("2", image.manifest());
        repository.delete("manifests/1").expect(202);
        repository.delete(&format!("manifests/{}", image.manifest().digest())).expect(202);
        repository.delete(&format!("blobs/{}", image.blobs().next().unwrap().digest())).expect(202);
    });
    let (tree, mut deletes) = (store::tree(&traced.root()), 0);
    traced.at_each(202, |disk, sent| {
        // An upload's 202 has a Location.
        if sent.header("location").is_none() {
            deletes += 1;
            let undone: Vec<_> = disk.removed.iter().filter(|path| path.starts_with(&tree)).collect();
            assert!(undone.is_empty(), "a power cut would bring back {undone:?}");
        }
    });
    assert_eq!(deletes, 3);
}

#[test]
#[ignore = "needs strace: run ./test"]
fn a_push_is_read_once_needs_strace() {
    let blob = Blob::noise(50, 9 << 20);
    let traced = Traced::run(|server| {
        let repository = server.http().repository("once");
        let location = repository.begin();
        let (first, rest) = blob.bytes().split_at(4 << 20);
        let patched = repository.patch(&location, first).unwrap().expect(202);
        repository.finish(patched.header("location").unwrap(), blob.digest(), rest).unwrap().expect(201);
        repository.push_blob(&Blob::noise(51, 3 << 20));
    });
    let disk = traced.at_each(201, |_, _| {});
    let data: Vec<_> = disk.read_back.iter().filter(|path| path.ends_with("data")).collect();
    assert!(data.is_empty(), "read again: {data:?}");
    for digest in [blob.digest(), Blob::noise(51, 3 << 20).digest()] {
        assert!(disk.made.contains_key(&store::blob(&traced.root(), digest)), "the trace missed the data of {digest}");
    }
}

/// Each line of a right push, left out in turn, must be missed.
#[test]
fn a_missing_sync_is_seen() {
    let digest = sha256(b"x");
    let data = store::blob(Path::new("/s"), &digest).display().to_string();
    let [hex, two, blobs] = [1, 2, 3].map(|up| Path::new(&data).ancestors().nth(up).unwrap().display().to_string());
    let lines = [
        r#"1 openat(AT_FDCWD</>, "/s/stage", O_WRONLY|O_CREAT|O_EXCL, 0666) = 3</s/stage>"#.to_owned(),
        r#"1 write(3</s/stage>, "x", 1) = 1"#.to_owned(),
        "1 fsync(3</s/stage>) = 0".to_owned(),
        format!("1 mkdir(\"{two}\", 0777) = 0"),
        format!("1 mkdir(\"{hex}\", 0777) = 0"),
        format!("1 rename(\"/s/stage\", \"{data}\") = 0"),
        format!("1 fsync(4<{hex}>) = 0"),
        format!("1 fsync(4<{two}>) = 0"),
        format!("1 fsync(4<{blobs}>) = 0"),
    ];
    let weak = |lines: Vec<&str>| {
        let log = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&log, lines.join("\n")).unwrap();
        let mut disk = Disk::default();
        for event in strace::read(log.path()) {
            disk.apply(&event);
        }
        disk.weakness(Path::new(&data), Path::new("/s"))
    };
    assert_eq!(weak(lines.iter().map(String::as_str).collect()), None);
    for left_out in [2, 5, 6, 7, 8] {
        let kept = lines.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, line)| line.as_str());
        assert!(weak(kept.collect()).is_some(), "{} was not missed", lines[left_out]);
    }
    let mut swapped: Vec<_> = lines.iter().map(String::as_str).collect();
    swapped.swap(5, 6);
    assert!(weak(swapped).is_some(), "the directory was synced before the rename");
}
