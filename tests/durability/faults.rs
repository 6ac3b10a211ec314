//! Each call that writing uses, failing or fatal at each of its occurrences in one push.

use std::path::{Path, PathBuf};

use crate::{
    journal::{Journal, expect_whole_or_absent},
    strace::{self, Attached},
    support::{
        http::Answer,
        image::{Blob, Image},
        server::{Launch, Program, Server},
        store,
    },
};

const WRITES: &str = "write,pwrite64,writev,pwritev,pwritev2";

/// Groups of calls that are one thing to a program, whichever of them it uses. Writes are not among them, because threads wake each other by
/// writes too, which never fail: those to a disk have a test of their own.
const GROUPS: [&str; 4] =
    ["fsync,fdatasync,sync_file_range", "rename,renameat,renameat2,link,linkat", "mkdir,mkdirat", "openat"];

/// More occurrences in one thread than a push has.
const ENOUGH: usize = 60;

/// A registry that meets a fault in every push, and what it must still have after each.
struct Trial {
    root: tempfile::TempDir,
    log: PathBuf,
    journal: Journal,
    server: Option<Server>,
    hits: usize,
}

impl Trial {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let log = root.path().join("strace");
        let mut trial = Self { root, log, journal: Journal::default(), server: None, hits: 0 };
        let server = trial.start();
        assert!(trial.journal.push(&server.http(), "faulty", "before", &Image::new(1, "amd64")).is_clean());
        trial.server = Some(server);
        trial
    }

    fn store(&self) -> PathBuf {
        self.root.path().join("store")
    }

    fn start(&self) -> Server {
        Launch::new(Program::under_test(), &self.store()).start()
    }

    /// One push with the fault at the `when`th occurrence in each thread; whether there was such an occurrence.
    fn push(&mut self, calls: &str, fault: &str, when: usize) -> bool {
        let mut server = self.server.take().unwrap_or_else(|| self.start());
        let filters = [format!("trace={calls}"), format!("inject={calls}:{fault}:when={when}")];
        let filters: Vec<_> = filters.iter().flat_map(|filter| ["-e", filter]).collect();
        let (tag, image) = (format!("t{when}"), Image::new(100 + when as u64, "amd64"));
        let attached = Attached::new(server.pid(), &self.log, &filters);
        let outcome = self.journal.push(&server.http(), "faulty", &tag, &image);
        drop(attached);
        let struck = Struck::read(&self.log, &self.store());
        self.hits += struck.disk;
        let fatal = fault.starts_with("signal");
        if !fatal && struck.elsewhere == 0 {
            assert!(!server.has_ended(), "{calls} with {fault} at {when} ended the registry:\n{}", server.log());
            assert!(!outcome.lost_connection, "{calls} with {fault} at {when}: no answer");
            outcome.refusals.iter().for_each(|answer| expect_honest_refusal(answer, &self.store()));
        }
        if fatal || struck.elsewhere > 0 {
            server.kill();
            server = self.start();
        }
        let registry = server.http();
        self.journal.check(&registry);
        expect_whole_or_absent(&registry, "faulty", &tag, &image);
        assert!(self.journal.push(&registry, "faulty", &tag, &image).is_clean(), "the same push again fails");
        registry.repository("faulty").expect_image(&tag, &image);
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
    assert!(answer.status.is_server_error(), "a fault of the disk is no fault of the client: {answer:?}");
    assert!(!answer.code().is_empty(), "no OCI error: {answer:?}");
    let body = String::from_utf8_lossy(&answer.body);
    for secret in [store.to_str().unwrap(), "docker/registry", "os error", "No space", "Input/output", "Too many"] {
        assert!(!body.contains(secret), "an answer tells of {secret}: {body}");
    }
}

/// Strikes each group with `fault` at every occurrence.
#[expect(clippy::print_stdout, reason = "the figures are worth reading after a success too")]
fn at_every_occurrence(fault: &str, groups: &[&str]) {
    for calls in groups {
        let mut trial = Trial::new();
        // A push that met nothing had fewer occurrences than this in every thread.
        let rounds = (1..ENOUGH).take_while(|when| trial.push(calls, fault, *when)).count();
        println!("{fault} in {calls}: {rounds} occurrences, {} struck the store", trial.hits);
        assert!(rounds < ENOUGH - 1, "{calls}: there are more occurrences than were tried");
        assert!(trial.hits > 0, "nothing in {calls} was struck");
        trial.close();
    }
}

#[test]
#[ignore = "needs strace: run ./test"]
fn enospc_at_every_call_of_a_push_needs_strace() {
    at_every_occurrence("error=ENOSPC", &GROUPS);
}

#[test]
#[ignore = "needs strace: run ./test"]
fn eio_at_every_call_of_a_push_needs_strace() {
    at_every_occurrence("error=EIO", &GROUPS);
}

#[test]
#[ignore = "needs strace: run ./test"]
fn emfile_at_every_open_of_a_push_needs_strace() {
    at_every_occurrence("error=EMFILE", &["openat"]);
}

#[test]
#[ignore = "needs strace: run ./test"]
fn sigkill_at_every_call_of_a_push_needs_strace() {
    // A plain write is mostly a line of the log or a wake-up, and those are struck first.
    at_every_occurrence("signal=KILL", &[&GROUPS[..], &["pwrite64,pwritev,pwritev2"]].concat());
}

/// A write of an upload's bytes fails: at the first of them and at a later one.
#[test]
#[ignore = "needs strace: run ./test"]
fn a_failed_write_of_an_upload_is_refused_and_repeated_needs_strace() {
    for (error, when) in [("EIO", 1), ("ENOSPC", 1), ("EIO", 3), ("ENOSPC", 3)] {
        let (root, blob) = (tempfile::tempdir().unwrap(), Blob::noise(1, 8 << 20));
        let (store, log) = (root.path().join("store"), root.path().join("strace"));
        let mut server = Launch::new(Program::under_test(), &store).start();
        let repository = server.http().repository("faulty");
        let patched = repository.patch(&repository.begin(), &blob.bytes()[..1000]).unwrap().expect(202);
        let staged = store::files(&store).into_iter().find(|file| store.join(file).metadata().unwrap().len() == 1000);
        let staged = store.join(staged.expect("the upload's bytes are in no file")).display().to_string();
        let (trace, inject) = (format!("trace={WRITES}"), format!("inject={WRITES}:error={error}:when={when}"));
        let attached = Attached::new(server.pid(), &log, &["-P", &staged, "-e", &trace, "-e", &inject]);
        let location = patched.header("location").unwrap();
        let refused = repository.finish(location, blob.digest(), &blob.bytes()[1000..]).unwrap();
        drop(attached);
        assert_eq!(Struck::read(&log, &store).disk, 1, "{error} at {when} struck nothing");
        expect_honest_refusal(&refused, &store);
        repository.get(&format!("blobs/{}", blob.digest())).expect(404);
        repository.push_blob(&blob);
        assert!(repository.get(&format!("blobs/{}", blob.digest())).expect(200).body == blob.bytes());
        assert!(!server.has_ended());
    }
}
