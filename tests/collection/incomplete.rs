//! A store of which a part can't be seen: nothing is removed until it is back.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Output,
    time::{Duration, SystemTime},
};

use crate::{
    support::{
        image::{Blob, Image, Index, Manifest},
        server::{Launch, Program, Server},
        store,
        wait::pass,
    },
    wharf::{figures, hasty, wharf_with},
};

const DAY: Duration = Duration::from_secs(86_400);

/// Two repositories, one of them with an index, and a blob that nothing refers to.
struct Whole {
    folder: tempfile::TempDir,
    image: Image,
    index: Index,
    loose: Blob,
}

impl Whole {
    fn new() -> Self {
        let whole = Self {
            folder: tempfile::tempdir().unwrap(),
            image: Image::new(1, "amd64"),
            index: Index::two_platforms(5),
            loose: Blob::noise(9, 1000),
        };
        fs::create_dir(whole.root()).unwrap();
        let server = hasty(&whole.root());
        server.http().repository("team/app").push("latest", &whole.image);
        server.http().repository("other").push_index("latest", &whole.index);
        server.http().repository("other").push_blob(&whole.loose);
        server.stop();
        make_older(&whole.root(), 3 * DAY);
        whole
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn aside(&self) -> PathBuf {
        self.folder.path().join("aside")
    }

    /// All is there, and a collection takes what nothing refers to and no more.
    #[track_caller]
    fn expect_whole(&self, case: &str) {
        let output = wharf_with(&self.root(), &["gc", "--untagged", "--json"], &[("REGISTRY_STORAGE_GC_GRACE", "24h")]);
        assert!(output.status.success(), "{case}: {output:?}");
        assert_eq!(figures(&serde_json::from_slice(&output.stdout).unwrap()), [1, 1, 0, 0], "{case}");
        let server = Server::start(&self.root());
        server.http().repository("team/app").expect_image("latest", &self.image);
        server.http().repository("other").expect_index("latest", &self.index);
        server.stop();
    }
}

fn make_older(root: &Path, age: Duration) {
    for file in store::files(root) {
        let path = root.join(file);
        if path.is_file() {
            fs::File::options().write(true).open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Harm {
    /// It is renamed.
    Missing,
    /// A mount point that nothing is mounted on.
    Empty,
    Unreadable,
    DanglingLink,
    /// A file has its name.
    File,
}

const HARMS: [Harm; 5] = [Harm::Missing, Harm::Empty, Harm::Unreadable, Harm::DanglingLink, Harm::File];

/// Parts of the store, and how each of them may be lost without a word being possible.
const PARTS: [&str; 11] = [
    "docker",
    "docker/registry/v2",
    "docker/registry/v2/repositories",
    "docker/registry/v2/repositories/team",
    "docker/registry/v2/repositories/other",
    "docker/registry/v2/repositories/other/_manifests",
    "docker/registry/v2/repositories/other/_manifests/revisions",
    "docker/registry/v2/repositories/other/_manifests/revisions/sha256",
    "docker/registry/v2/repositories/other/_layers",
    "docker/registry/v2/blobs",
    "docker/registry/v2/blobs/sha256",
];

fn harm(whole: &Whole, part: &Path, how: Harm) {
    if let Harm::Unreadable = how {
        return fs::set_permissions(part, fs::Permissions::from_mode(0o000)).unwrap();
    }
    fs::rename(part, whole.aside()).unwrap();
    match how {
        Harm::Empty => fs::create_dir(part).unwrap(),
        Harm::DanglingLink => symlink("/nowhere/at/all", part).unwrap(),
        Harm::File => fs::write(part, "not mounted").unwrap(),
        Harm::Missing | Harm::Unreadable => {}
    }
}

fn bring_back(whole: &Whole, part: &Path, how: Harm) {
    match how {
        Harm::Unreadable => return fs::set_permissions(part, fs::Permissions::from_mode(0o755)).unwrap(),
        Harm::Empty => fs::remove_dir(part).unwrap(),
        Harm::DanglingLink | Harm::File => fs::remove_file(part).unwrap(),
        Harm::Missing => {}
    }
    fs::rename(whole.aside(), part).unwrap();
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[track_caller]
fn expect_stopped(output: &Output, case: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{case}: {output:?}");
    assert!(said.len() > 20, "{case}: {said}");
}

/// Every part, lost in every way, with and without a server, and with untagged manifests.
#[test]
fn report_s1_what_cannot_be_seen_is_not_collected() {
    let whole = Whole::new();
    for part in PARTS {
        for how in HARMS {
            let case = format!("{part} {how:?}");
            // Root reads everything.
            if matches!(how, Harm::Unreadable) && is_root() {
                continue;
            }
            // Without a link to a blob a manifest is still there: `_layers` alone may be empty.
            if matches!(how, Harm::Empty) && part.ends_with("_layers") {
                continue;
            }
            let path = whole.root().join(part);
            let before = store::files(&whole.root());
            harm(&whole, &path, how);
            for options in [&["gc"][..], &["gc", "--untagged"], &["gc", "--dry-run"]] {
                expect_stopped(&wharf_with(&whole.root(), options, &[("REGISTRY_STORAGE_GC_GRACE", "24h")]), &case);
            }
            let fsck = wharf_with(&whole.root(), &["fsck", "--repair"], &[]);
            assert!(matches!(fsck.status.code(), Some(1 | 2)), "{case}: {fsck:?}");
            bring_back(&whole, &path, how);
            let after = store::files(&whole.root());
            let own = |path: &&PathBuf| path.starts_with("docker");
            assert_eq!(
                before.iter().filter(own).collect::<Vec<_>>(),
                after.iter().filter(own).collect::<Vec<_>>(),
                "{case}"
            );
        }
    }
    whole.expect_whole("after all");
}

#[test]
fn report_s1_a_server_collects_nothing_that_it_cannot_see() {
    for (part, how) in [
        ("docker/registry/v2/repositories", Harm::Missing),
        ("docker/registry/v2/repositories", Harm::Empty),
        ("docker/registry/v2/repositories", Harm::DanglingLink),
        ("docker/registry/v2/repositories/other", Harm::Missing),
        ("docker/registry/v2/repositories/other/_manifests", Harm::Empty),
    ] {
        let (whole, case) = (Whole::new(), format!("{part} {how:?}"));
        let path = whole.root().join(part);
        let launch = Launch::new(Program::Wharf, &whole.root()).set("REGISTRY_STORAGE_GC_GRACE", "1s");
        let server = launch.set("REGISTRY_STORAGE_GC_INTERVAL", "200ms").start();
        harm(&whole, &path, how);
        pass(Duration::from_millis(2500), "the grace, and collections that are due");
        expect_stopped(&wharf_with(&whole.root(), &["gc", "--untagged"], &[]), &case);
        server.stop();
        // A server that starts while it is away knows no better.
        let launch = Launch::new(Program::Wharf, &whole.root()).set("REGISTRY_STORAGE_GC_GRACE", "0s");
        let server = launch.set("REGISTRY_STORAGE_GC_INTERVAL", "100ms").start();
        pass(Duration::from_millis(500), "collections that are due");
        server.stop();
        bring_back(&whole, &path, how);
        for blob in whole.image.blobs() {
            assert!(store::blob(&whole.root(), blob.digest()).exists(), "{case}");
        }
        make_older(&whole.root(), 3 * DAY);
        let server = Server::start(&whole.root());
        server.http().repository("team/app").expect_image("latest", &whole.image);
        server.http().repository("other").expect_index("latest", &whole.index);
        server.stop();
    }
}

/// As a store looks that another registry wrote: nothing of ours is in it.
#[test]
fn report_s1_a_store_of_another_registry_without_repositories_is_not_emptied() {
    for how in [Harm::Missing, Harm::Empty, Harm::DanglingLink, Harm::File] {
        let (whole, case) = (Whole::new(), format!("{how:?}"));
        fs::remove_dir_all(whole.root().join("wharf")).unwrap();
        let path = whole.root().join("docker/registry/v2/repositories");
        harm(&whole, &path, how);
        for _ in 0..2 {
            expect_stopped(&wharf_with(&whole.root(), &["gc"], &[("REGISTRY_STORAGE_GC_GRACE", "24h")]), &case);
            if !matches!(how, Harm::File) {
                let server = hasty(&whole.root());
                expect_stopped(&wharf_with(&whole.root(), &["gc"], &[]), &case);
                server.stop();
            }
        }
        bring_back(&whole, &path, how);
        whole.expect_whole(&case);
    }
}

#[test]
fn report_s1_what_was_removed_on_purpose_is_forgotten_by_name() {
    let whole = Whole::new();
    fs::remove_dir_all(store::repository(&whole.root(), "other")).unwrap();
    let grace = [("REGISTRY_STORAGE_GC_GRACE", "24h")];
    let output = wharf_with(&whole.root(), &["gc"], &grace);
    expect_stopped(&output, "other");
    assert!(String::from_utf8_lossy(&output.stderr).contains("wharf gc --forget other"), "{output:?}");
    for wrong in ["team/app", "never/was"] {
        expect_stopped(&wharf_with(&whole.root(), &["gc", "--forget", wrong], &grace), wrong);
    }
    let output = wharf_with(&whole.root(), &["gc", "--forget", "other", "--json"], &grace);
    assert!(output.status.success(), "{output:?}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["contents"].as_u64().unwrap() > 5, "{report}");
    assert!(wharf_with(&whole.root(), &["gc"], &grace).status.success());
    let server = Server::start(&whole.root());
    server.http().repository("team/app").expect_image("latest", &whole.image);
}

#[test]
fn report_s1_a_store_that_was_emptied_here_needs_no_word() {
    let whole = Whole::new();
    let server = hasty(&whole.root());
    for (name, digest) in [("team/app", whole.image.manifest().digest()), ("other", whole.index.manifest().digest())] {
        server.http().repository(name).delete(&format!("manifests/{digest}")).expect(202);
    }
    let output = wharf_with(&whole.root(), &["gc", "--untagged", "--json"], &[]);
    assert!(output.status.success(), "{output:?}");
    server.stop();
    let output = wharf_with(&whole.root(), &["gc"], &[]);
    assert!(output.status.success(), "{output:?}");
    assert!(store::files(&whole.root().join("docker")).is_empty());
    let server = hasty(&whole.root());
    server.http().repository("team/app").push("latest", &whole.image);
    assert!(wharf_with(&whole.root(), &["gc"], &[]).status.success());
    server.http().repository("team/app").expect_image("latest", &whole.image);
}

/// The link of a child of an index is lost, one at a time, and its bytes are there: what the child keeps stays, so that
/// all is whole when the link is back.
#[test]
fn report_s1_a_child_without_its_link_keeps_what_it_refers_to() {
    for options in [&["gc"][..], &["gc", "--untagged"]] {
        for child in 0..2 {
            let whole = Whole::new();
            let digest = whole.index.images()[child].manifest().digest();
            let link = store::repository(&whole.root(), "other/_manifests/revisions/sha256").join(&digest[7..]);
            fs::rename(&link, whole.aside()).unwrap();
            for _ in 0..2 {
                let output = wharf_with(&whole.root(), options, &[("REGISTRY_STORAGE_GC_GRACE", "24h")]);
                assert!(output.status.success(), "{options:?}: {output:?}");
            }
            fs::rename(whole.aside(), &link).unwrap();
            let server = Server::start(&whole.root());
            server.http().repository("other").expect_index("latest", &whole.index);
            server.stop();
        }
    }
}

/// An index in an index, whose link is lost: the manifests below it stay, with their links and all that they refer to.
#[test]
fn report_s1_what_is_below_a_child_without_its_link_stays() {
    let whole = Whole::new();
    let server = Server::start(&whole.root());
    let repository = server.http().repository("nested");
    repository.push_index("inner", &whole.index);
    let body = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": whole.index.manifest().media_type(),
        "manifests": [whole.index.manifest().descriptor()],
    });
    repository.push_manifest("latest", &Manifest::new(&body, whole.index.manifest().media_type()));
    repository.delete("manifests/inner").expect(202);
    server.stop();
    make_older(&whole.root(), 3 * DAY);
    let digest = whole.index.manifest().digest();
    let link = store::repository(&whole.root(), "nested/_manifests/revisions/sha256").join(&digest[7..]);
    fs::rename(&link, whole.aside()).unwrap();
    let output = wharf_with(&whole.root(), &["gc", "--untagged"], &[("REGISTRY_STORAGE_GC_GRACE", "24h")]);
    assert!(output.status.success(), "{output:?}");
    fs::rename(whole.aside(), &link).unwrap();
    let server = Server::start(&whole.root());
    server.http().repository("nested").expect_index(digest, &whole.index);
    server.stop();
}

/// A tag of which a part is lost stops what it would have kept, and is named.
#[test]
fn report_s1_a_tag_that_means_nothing_is_named() {
    let tag = "docker/registry/v2/repositories/other/_manifests/tags/latest";
    for (part, harm, options) in [
        ("", Harm::DanglingLink, &["gc"][..]),
        ("current", Harm::DanglingLink, &["gc"]),
        ("current/link", Harm::DanglingLink, &["gc"]),
        ("current", Harm::Missing, &["gc", "--untagged"]),
        ("current/link", Harm::Missing, &["gc", "--untagged"]),
    ] {
        let whole = Whole::new();
        let path: PathBuf = whole.root().join(tag).join(part).components().collect();
        self::harm(&whole, &path, harm);
        let output = wharf_with(&whole.root(), options, &[("REGISTRY_STORAGE_GC_GRACE", "24h")]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{part} {harm:?}: {said}");
        assert!(said.contains("the tag other:latest"), "{part} {harm:?}: {said}");
        bring_back(&whole, &path, harm);
        whole.expect_whole(&format!("{part} {harm:?}"));
    }
}
