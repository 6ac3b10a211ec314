//! Each call that writing uses, failing or fatal at each of its occurrences in all that writes.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use reqwest::Method;

use crate::{
    journal::{Journal, Outcome, expect_whole_or_absent},
    strace::{self, Attached},
    support::{
        http::{Answer, Registry, try_send},
        image::{Blob, Image, sha256},
        server::{Launch, Program, Server},
        store,
    },
};

const WRITES: &str = "write,pwrite64,writev,pwritev,pwritev2";

/// Groups of calls that are one thing to a program, whichever of them it uses. Writes are not among them, because
/// threads wake each other by writes too, which never fail: those to a disk have a test of their own.
const GROUPS: [&str; 4] =
    ["fsync,fdatasync,sync_file_range", "rename,renameat,renameat2,link,linkat", "mkdir,mkdirat", "openat"];

/// More occurrences in one thread than any work has.
const ENOUGH: usize = 90;

/// What is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// POST and PUT of each blob, a manifest and a tag.
    Push,
    /// POST, PATCH and PUT of each blob.
    Chunks,
    /// Another manifest for a tag that exists.
    Retag,
    /// A manifest with its tag.
    Delete,
    /// The blobs of another repository, and a manifest.
    Mount,
    /// A garbage collection that has something to take, untagged manifests too.
    Collect,
}

/// A registry that meets a fault in all that it does, and what it must still have after each.
struct Trial {
    work: Work,
    root: tempfile::TempDir,
    log: PathBuf,
    journal: Journal,
    server: Option<Server>,
    hits: usize,
}

impl Trial {
    fn new(work: Work) -> Self {
        let root = tempfile::tempdir().unwrap();
        let log = root.path().join("strace");
        let mut trial = Self { work, root, log, journal: Journal::default(), server: None, hits: 0 };
        let server = trial.start();
        assert!(trial.journal.push(&server.http(), "faulty", "before", &Image::new(1, "amd64")).is_clean());
        trial.server = Some(server);
        trial
    }

    fn store(&self) -> PathBuf {
        self.root.path().join("store")
    }

    fn start(&self) -> Server {
        let launch = Launch::new(Program::under_test(), &self.store()).set("REGISTRY_STORAGE_GC_GRACE", "0s");
        launch.set("REGISTRY_STORAGE_GC_INTERVAL", "0").start()
    }

    /// What has to be there before the work.
    fn prepare(&mut self, registry: &Registry, tag: &str, image: &Image) {
        let repository = registry.repository("faulty");
        match self.work {
            Work::Push | Work::Chunks => {}
            // The same tag as what comes then, with other content.
            Work::Retag => {
                repository.push(tag, &Image::new(9_999, "amd64"));
                image.blobs().for_each(|blob| repository.push_blob(blob));
            }
            Work::Delete => repository.push(tag, image),
            Work::Mount => image.blobs().for_each(|blob| registry.repository("source").push_blob(blob)),
            Work::Collect => {
                // An image without a tag, one that was deleted, and blobs of none.
                repository.push(image.manifest().digest(), image);
                let deleted = Image::new(5_000, "amd64");
                registry.repository("emptied").push("gone", &deleted);
                registry
                    .repository("emptied")
                    .delete(&format!("manifests/{}", deleted.manifest().digest()))
                    .expect(202);
            }
        }
    }

    /// The work; what came of it.
    fn act(&self, registry: &Registry, tag: &str, image: &Image) -> Outcome {
        let repository = registry.repository("faulty");
        match self.work {
            Work::Push => self.journal.push(registry, "faulty", tag, image),
            Work::Chunks => self.journal.push_in_chunks(registry, "faulty", tag, image),
            Work::Retag => Outcome::of([repository.try_manifest(tag, image.manifest())], 201),
            Work::Delete => {
                let path = format!("manifests/{}", image.manifest().digest());
                Outcome::of([try_send(repository.request(Method::DELETE, &path))], 202)
            }
            Work::Mount => {
                let mount = |blob: &Blob| {
                    let path = format!("blobs/uploads/?mount={}&from=source", blob.digest());
                    try_send(repository.request(Method::POST, &path))
                };
                let mounted = Outcome::of(image.blobs().map(mount), 201);
                if mounted.is_clean() {
                    Outcome::of([repository.try_manifest(tag, image.manifest())], 201)
                } else {
                    mounted
                }
            }
            Work::Collect => self.collect(),
        }
    }

    /// What a command says that failed is for its operator.
    fn collect(&self) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
        command.args(["gc", "--untagged"]).env("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", self.store());
        let output = command.output().unwrap();
        Outcome { lost_connection: !output.status.success(), ..Outcome::default() }
    }

    /// After the fault, whole or not at all; and the same again works, and is right.
    fn look_and_repeat(&self, registry: &Registry, tag: &str, image: &Image, was_done: bool) {
        let repository = registry.repository("faulty");
        match self.work {
            // The tag leads to what it did or to what was asked for; to that, if it was said so.
            Work::Retag => {
                let before = Image::new(9_999, "amd64");
                let leads_to = sha256(&repository.manifest(tag).expect(200).body);
                let is_moved = leads_to == image.manifest().digest();
                assert!(is_moved || (!was_done && leads_to == before.manifest().digest()), "{tag} leads to {leads_to}");
                repository.expect_image(tag, if is_moved { image } else { &before });
            }
            Work::Delete if was_done => {
                repository.manifest(tag).expect(404);
                repository.manifest(image.manifest().digest()).expect(404);
            }
            Work::Mount | Work::Push | Work::Chunks if was_done => repository.expect_image(tag, image),
            _ => expect_whole_or_absent(registry, "faulty", tag, image),
        }
        let outcome = self.act(registry, tag, image);
        match self.work {
            // It may have been done, though nobody said so.
            Work::Delete => {
                assert!(outcome.refusals.iter().all(|answer| answer.status == 404), "{outcome:?}");
                repository.manifest(tag).expect(404);
                repository.manifest(image.manifest().digest()).expect(404);
            }
            Work::Collect => {
                assert!(outcome.is_clean(), "a collection after the fault fails");
                repository.manifest(image.manifest().digest()).expect(404);
                for blob in image.blobs() {
                    assert!(!store::blob(&self.store(), blob.digest()).exists(), "{} was not collected", blob.digest());
                }
            }
            _ => {
                assert!(outcome.is_clean(), "the same again fails: {outcome:?}");
                repository.expect_image(tag, image);
            }
        }
    }

    /// One piece of work with the fault at the `when`th occurrence in each thread; whether there was such an
    /// occurrence.
    fn strike(&mut self, calls: &str, fault: &str, when: usize) -> bool {
        let mut server = self.server.take().unwrap_or_else(|| self.start());
        let filters = [format!("trace={calls}"), format!("inject={calls}:{fault}:when={when}")];
        let filters: Vec<_> = filters.iter().flat_map(|filter| ["-e", filter]).collect();
        let (tag, image) = (format!("t{when}"), Image::new(100 + when as u64, "amd64"));
        self.prepare(&server.http(), &tag, &image);
        let attached = Attached::new(server.pid(), &self.log, &filters);
        let outcome = self.act(&server.http(), &tag, &image);
        drop(attached);
        let struck = Struck::read(&self.log, &self.store());
        self.hits += struck.disk;
        let fatal = is_fatal(fault);
        if !fatal && struck.elsewhere == 0 {
            assert!(!server.has_ended(), "{calls} with {fault} at {when} ended the registry:\n{}", server.log());
            let is_command = self.work == Work::Collect;
            assert!(!outcome.lost_connection || is_command, "{calls} with {fault} at {when}: no answer");
            outcome.refusals.iter().for_each(|answer| expect_honest_refusal(answer, &self.store()));
        }
        if fatal || struck.elsewhere > 0 {
            server.kill();
            server = self.start();
        }
        let registry = server.http();
        self.journal.check(&registry);
        self.look_and_repeat(&registry, &tag, &image, outcome.is_clean());
        self.server = Some(server);
        struck.disk + struck.elsewhere > 0
    }

    /// A restart after all of it, and nothing left over but what was pushed.
    fn close(mut self) {
        self.server.take().unwrap().stop();
        self.journal.check(&self.start().http());
        store::expect_honest_blobs(&self.store());
        let foreign = store::files(&store::tree(&self.store()));
        let foreign: Vec<_> =
            foreign.iter().filter(|file| !file.ends_with("link") && !file.ends_with("data")).collect();
        assert!(foreign.is_empty(), "temporary files where others look: {foreign:?}");
    }
}

fn is_fatal(fault: &str) -> bool {
    fault.starts_with("signal")
}

/// What strace struck, by where the call went.
struct Struck {
    disk: usize,
    elsewhere: usize,
}

impl Struck {
    fn read(log: &Path, store: &Path) -> Self {
        let events = strace::read(log);
        let killed = |event: &strace::Event| event.result.as_deref() == Some("?");
        let injected = |event: &strace::Event| event.result.as_ref().is_some_and(|result| result.contains("INJECTED"));
        let store = store.display().to_string();
        let struck = events.iter().filter(|event| injected(event) || killed(event));
        let (disk, elsewhere): (Vec<_>, Vec<_>) = struck.partition(|event| event.arguments.contains(&store));
        Self { disk: disk.len(), elsewhere: elsewhere.len() }
    }
}

/// A 5xx in OCI JSON that tells a client nothing about the machine.
#[track_caller]
fn expect_honest_refusal(answer: &Answer, store: &Path) {
    if answer.status == 202 {
        // In the place of a mount: the client is asked to upload the blob.
        return;
    }
    assert!(answer.status >= 500, "a fault of the disk is no fault of the client: {answer:?}");
    assert!(!answer.code().is_empty(), "no OCI error: {answer:?}");
    let body = String::from_utf8_lossy(&answer.body);
    for secret in [store.to_str().unwrap(), "docker/registry", "os error", "No space", "Input/output", "Too many"] {
        assert!(!body.contains(secret), "an answer tells of {secret}: {body}");
    }
}

/// Strikes each group with `fault` at every occurrence in some work.
#[expect(clippy::print_stdout, reason = "the figures are worth reading after a success too")]
fn at_every_occurrence(work: Work, fault: &str, groups: &[&str]) {
    for calls in groups {
        let mut trial = Trial::new(work);
        // Work that met nothing had fewer occurrences than this in every thread.
        let struck = (1..ENOUGH).take_while(|when| trial.strike(calls, fault, *when)).count();
        println!("{work:?}: {fault} in {calls}: {struck} occurrences, {} struck the store: 0 violations", trial.hits);
        assert!(struck < ENOUGH - 1, "{calls}: there are more occurrences than were tried");
        // A kill is one wherever it strikes; an error must have met the disk.
        assert!(trial.hits > 0 || (is_fatal(fault) && struck > 0), "nothing in {calls} was struck");
        trial.close();
    }
}

/// Every fault in every group of calls; those that are made while a file is opened for descriptors, too.
fn all_faults(work: Work, groups: &[&str]) {
    for fault in ["error=ENOSPC", "error=EIO"] {
        at_every_occurrence(work, fault, groups);
    }
    at_every_occurrence(work, "error=EMFILE", &["openat"]);
    at_every_occurrence(work, "signal=KILL", groups);
}

#[test]
#[ignore = "needs strace: run ./test"]
fn enospc_at_every_call_of_a_push_needs_strace() {
    at_every_occurrence(Work::Push, "error=ENOSPC", &GROUPS);
}

#[test]
#[ignore = "needs strace: run ./test"]
fn eio_at_every_call_of_a_push_needs_strace() {
    at_every_occurrence(Work::Push, "error=EIO", &GROUPS);
}

#[test]
#[ignore = "needs strace: run ./test"]
fn emfile_at_every_open_of_a_push_needs_strace() {
    at_every_occurrence(Work::Push, "error=EMFILE", &["openat"]);
}

#[test]
#[ignore = "needs strace: run ./test"]
fn sigkill_at_every_call_of_a_push_needs_strace() {
    // A plain write is mostly a line of the log or a wake-up, and those are struck first.
    at_every_occurrence(Work::Push, "signal=KILL", &[&GROUPS[..], &["pwrite64,pwritev,pwritev2"]].concat());
}

#[test]
#[ignore = "needs strace: run ./test"]
fn every_fault_at_every_call_of_a_push_in_chunks_needs_strace() {
    all_faults(Work::Chunks, &GROUPS);
}

#[test]
#[ignore = "needs strace: run ./test"]
fn every_fault_at_every_call_of_a_retag_needs_strace() {
    // All that a tag needs is there, so nothing is made but files.
    all_faults(Work::Retag, &[GROUPS[0], GROUPS[1], GROUPS[3]]);
}

#[test]
#[ignore = "needs strace: run ./test"]
fn every_fault_at_every_call_of_a_delete_needs_strace() {
    all_faults(Work::Delete, &[GROUPS[0], GROUPS[1], "unlink,unlinkat,rmdir"]);
}

#[test]
#[ignore = "needs strace: run ./test"]
fn every_fault_at_every_call_of_a_mount_needs_strace() {
    all_faults(Work::Mount, &GROUPS);
}

#[test]
#[ignore = "needs strace: run ./test"]
fn every_fault_at_every_call_of_a_collection_needs_strace() {
    all_faults(Work::Collect, &[GROUPS[0], GROUPS[1], "unlink,unlinkat,rmdir"]);
}

/// An upload of 8 MiB of which a write fails; where the bytes go is known once it has begun.
struct UploadTrial {
    root: tempfile::TempDir,
    blob: Blob,
}

impl UploadTrial {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap(), blob: Blob::noise(1, 8 << 20) }
    }

    fn store(&self) -> PathBuf {
        self.root.path().join("store")
    }

    fn start(&self) -> Server {
        Launch::new(Program::under_test(), &self.store()).start()
    }

    /// Begins the upload with 1000 bytes, and strikes a write of the others; the answer, if there was one.
    fn strike(&self, server: &Server, fault: &str, when: usize) -> reqwest::Result<Answer> {
        let (repository, log) = (server.http().repository("faulty"), self.root.path().join("strace"));
        let patched = repository.patch(&repository.begin(), &self.blob.bytes()[..1000]).unwrap().expect(202);
        let mut files = store::files(&self.store()).into_iter().map(|file| self.store().join(file));
        let staged =
            files.find(|file| file.metadata().unwrap().len() == 1000).expect("the upload's bytes are in no file");
        let (trace, inject) = (format!("trace={WRITES}"), format!("inject={WRITES}:{fault}:when={when}"));
        let filters = ["-P", staged.to_str().unwrap(), "-e", &trace, "-e", &inject];
        let attached = Attached::new(server.pid(), &log, &filters);
        let answer =
            repository.finish(patched.header("location").unwrap(), self.blob.digest(), &self.blob.bytes()[1000..]);
        drop(attached);
        assert!(Struck::read(&log, &self.store()).disk > 0, "{fault} at {when} struck nothing");
        answer
    }

    /// Nothing is there, and the same upload again is taken.
    fn repeat(&self, server: &Server) {
        let (repository, path) = (server.http().repository("faulty"), format!("blobs/{}", self.blob.digest()));
        repository.get(&path).expect(404);
        repository.push_blob(&self.blob);
        assert!(repository.get(&path).expect(200).body == self.blob.bytes());
    }
}

#[test]
#[ignore = "needs strace: run ./test"]
fn a_failed_write_of_an_upload_is_refused_and_repeated_needs_strace() {
    for (error, when) in [("error=EIO", 1), ("error=ENOSPC", 1), ("error=EIO", 3), ("error=ENOSPC", 3)] {
        let trial = UploadTrial::new();
        let mut server = trial.start();
        let refused = trial.strike(&server, error, when).unwrap();
        expect_honest_refusal(&refused, &trial.store());
        trial.repeat(&server);
        assert!(!server.has_ended());
    }
}

#[test]
#[ignore = "needs strace: run ./test"]
fn a_kill_in_a_write_of_an_upload_leaves_nothing_half_needs_strace() {
    for when in [1, 3] {
        let trial = UploadTrial::new();
        let server = trial.start();
        trial.strike(&server, "signal=KILL", when).expect_err("a killed registry answers");
        server.kill();
        trial.repeat(&trial.start());
    }
}
