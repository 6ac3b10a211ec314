//! A store that is more than one filesystem, and one that another user made: either all of it works, or it is served
//! read-only, and says why.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown, symlink},
    path::Path,
    process::Command,
};

use crate::{
    disk::Disk,
    support::{
        client::{find, run},
        image::{Blob, Image},
        server::{Launch, Program, Server},
    },
};

const V2: &str = "docker/registry/v2";

/// Begins a program in mounts of its own: `from` is seen at `at` as well.
fn with_bind_mount(from: &Path, at: &Path) -> Vec<String> {
    const SCRIPT: &str = r#"mount --bind "$1" "$2" && shift 2 && exec "$@""#;
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let begin = ["unshare", "--mount", "--propagation", "private", "sh", "-c", SCRIPT, "sh"].map(str::to_owned);
    begin.into_iter().chain([text(from), text(at)]).collect()
}

/// Begins a program as a root that has no more rights to files than another user.
pub(crate) fn with_the_rights_of_one_user() -> [&'static str; 3] {
    ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner", "--inh-caps=-all"]
}

/// A store with an image, a manifest whose Content-Type is kept, and an upload of which half is there: its location.
pub(crate) fn prepare(root: &Path, blob: &Blob) -> String {
    let server = Server::start(root);
    let repository = server.http().repository("a");
    repository.push("before", &Image::new(1, "amd64"));
    let half = blob.bytes().len() / 2;
    let patched = repository.patch(&repository.begin(), &blob.bytes()[..half]).unwrap().expect(202);
    let location = patched.header("location").unwrap().to_owned();
    server.stop();
    location
}

/// Copies a directory elsewhere and leaves an empty one.
pub(crate) fn move_out(from: &Path, to: &Path) {
    run(Command::new(find("cp")).arg("--archive").arg(from).arg(to));
    fs::remove_dir_all(from).unwrap();
    fs::create_dir(from).unwrap();
}

pub(crate) fn expect_writable(server: &Server, seed: u64) {
    server.http().get("/healthz").expect(200);
    server.http().repository("a").expect_image("before", &Image::new(1, "amd64"));
    server.http().repository("b").push("after", &Image::new(seed, "amd64"));
    server.http().repository("b").expect_image("after", &Image::new(seed, "amd64"));
}

/// `why` is in the one line that says it.
pub(crate) fn expect_read_only(server: &Server, why: &str) {
    server.http().repository("a").expect_image("before", &Image::new(1, "amd64"));
    expect_no_pushes(server, why);
}

#[track_caller]
fn expect_no_pushes(server: &Server, why: &str) {
    let refused = server.http().repository("b").try_blob(&Blob::noise(9, 100)).unwrap();
    assert_eq!(refused.status, 405, "{}", server.log());
    server.http().get("/healthz").expect(200);
    server.expect_logged("served read-only");
    let log = server.log();
    let said: Vec<_> = log.lines().filter(|line| line.contains("served read-only")).collect();
    assert!(said.len() == 1 && said[0].contains(why), "{why}: {log}");
}

/// Bind mounts have the device number of what they show, and no rename leads into one all the same.
#[test]
#[ignore = "needs root for a loop mount: run ./test"]
fn report_s4_docker_may_be_a_mount_of_its_own_needs_root() {
    let disk = Disk::new(64 << 20, &[], "defaults");
    let elsewhere = tempfile::tempdir().unwrap();
    for (place, mounted) in [(elsewhere.path(), "docker"), (&disk.path(), "docker"), (elsewhere.path(), "wharf")] {
        let folder = tempfile::tempdir().unwrap();
        let (root, blob) = (folder.path().join("store"), Blob::noise(7, 300_000));
        let location = prepare(&root, &blob);
        let shown = place.join(format!("{mounted} shown"));
        move_out(&root.join(mounted), &shown);
        let start = || Launch::new(Program::Wharf, &root).under(with_bind_mount(&shown, &root.join(mounted))).start();
        let server = start();
        let repository = server.http().repository("a");
        if mounted == "docker" {
            let half = blob.bytes().len() / 2;
            repository.finish(&location, blob.digest(), &blob.bytes()[half..]).unwrap().expect(201);
            assert_eq!(repository.get(&format!("blobs/{}", blob.digest())).expect(200).body, blob.bytes());
        }
        expect_writable(&server, 2);
        repository.delete("manifests/before").expect(202);
        repository.push("before", &Image::new(1, "amd64"));
        server.kill();
        let server = start();
        expect_writable(&server, 3);
        server.stop();
        // What is staged in `docker/` is found there also when it is no mount any more.
        if mounted == "docker" {
            assert!(shown.join("wharf").is_dir() && !root.join("wharf/uploads").exists());
            fs::remove_dir(root.join("docker")).unwrap();
            run(Command::new(find("cp")).arg("--archive").arg(&shown).arg(root.join("docker")));
            expect_writable(&Server::start(&root), 4);
            // The other registry passes over what is in `docker/` beside `registry/`.
            let registry2 = Launch::new(Program::Registry2, &root).start();
            registry2.http().repository("b").expect_image("after", &Image::new(4, "amd64"));
            assert_eq!(registry2.http().catalog(), ["a", "b"]);
        }
    }
}

#[test]
#[ignore = "needs root for a loop mount: run ./test"]
fn report_s4_a_mount_further_down_is_refused_in_words_needs_root() {
    let elsewhere = tempfile::tempdir().unwrap();
    for at in ["docker/registry", V2, "docker/registry/v2/blobs", "docker/registry/v2/repositories/a", "wharf/uploads"]
    {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("store");
        prepare(&root, &Blob::noise(7, 1000));
        let shown = elsewhere.path().join(at.replace('/', " "));
        move_out(&root.join(at), &shown);
        let server = Launch::new(Program::Wharf, &root).under(with_bind_mount(&shown, &root.join(at))).start();
        expect_read_only(&server, &format!("{at} is a mount of its own"));
    }
}

/// What is in no table of mounts: a symbolic link to another filesystem.
#[test]
#[ignore = "needs root for a loop mount: run ./test"]
fn report_s4_another_filesystem_behind_a_link_is_refused_in_words_needs_root() {
    let disk = Disk::new(64 << 20, &[], "defaults");
    let staging = ["wharf/uploads", "wharf/recorded"];
    for at in [V2, "docker/registry/v2/blobs/sha256", "docker/registry/v2/repositories"].into_iter().chain(staging) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("store");
        prepare(&root, &Blob::noise(7, 1000));
        let shown = disk.path().join(at.replace('/', " "));
        move_out(&root.join(at), &shown);
        fs::remove_dir(root.join(at)).unwrap();
        symlink(&shown, root.join(at)).unwrap();
        let server = Launch::new(Program::Wharf, &root).start();
        expect_read_only(&server, &format!("{at} is on another filesystem"));
        assert!(!root.join("docker/wharf").exists());
    }
}

pub(crate) fn give(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).unwrap();
}

/// A store whose `wharf/` is gone, and of which the user of wharf may write what is not `of_another`.
pub(crate) fn of_two_users(root: &Path, of_another: &str) {
    prepare(root, &Blob::noise(7, 1000));
    fs::remove_dir_all(root.join("wharf")).unwrap();
    fs::set_permissions(root, fs::Permissions::from_mode(0o777)).unwrap();
    match of_another.strip_suffix("/*") {
        Some(directory) => {
            let entries = fs::read_dir(root.join(directory)).unwrap();
            entries.for_each(|entry| give(&entry.unwrap().path(), 12_345));
        }
        None => give(&root.join(of_another), 12_345),
    }
}

#[test]
#[ignore = "needs root for a loop mount: run ./test"]
fn report_s3_a_store_of_another_user_is_served_read_only_and_said_needs_root() {
    let places = [
        V2,
        "docker/registry/v2/blobs",
        "docker/registry/v2/blobs/*",
        "docker/registry/v2/blobs/sha256",
        "docker/registry/v2/blobs/sha256/*",
        "docker/registry/v2/repositories",
    ];
    for at in places {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("store");
        of_two_users(&root, at);
        let start = || Launch::new(Program::Wharf, &root).under(with_the_rights_of_one_user()).start();
        let server = start();
        expect_read_only(&server, &format!("can't write to {}", root.join(at.trim_end_matches('*')).display()));
        server.stop();
        run(Command::new(find("chown")).args(["--recursive", "0:0"]).arg(root.join("docker")));
        expect_writable(&start(), 2);
    }
}

/// What is pushed elsewhere works, so the rest is not taken away.
#[test]
#[ignore = "needs root for a loop mount: run ./test"]
fn report_s3_a_repository_of_another_user_is_told_of_needs_root() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("store");
    of_two_users(&root, "docker/registry/v2/repositories/a");
    let server = Launch::new(Program::Wharf, &root).under(with_the_rights_of_one_user()).start();
    expect_writable(&server, 2);
    server.expect_logged("parts of the store can't be written");
}

#[test]
#[ignore = "needs root for a loop mount: run ./test"]
fn report_s3_the_health_check_tries_what_a_commit_does_needs_root() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("store");
    prepare(&root, &Blob::noise(7, 1000));
    let server = Launch::new(Program::Wharf, &root).under(with_the_rights_of_one_user()).start();
    expect_writable(&server, 2);
    let shared = [V2, "docker/registry/v2/blobs", "docker/registry/v2/blobs/sha256", "docker/registry/v2/repositories"];
    let own = ["wharf", "wharf/tmp", "wharf/hashes", "wharf/uploads", "wharf/recorded"];
    for at in shared.into_iter().chain(own) {
        give(&root.join(at), 12_345);
        server.http().get("/healthz").expect(503);
        give(&root.join(at), 0);
        server.http().get("/healthz").expect(200);
    }
    let names: Vec<_> = fs::read_dir(root.join(V2)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

/// What is no directory, in the place of one that a push needs, is not passed over.
#[test]
#[ignore = "needs root for a loop mount: run ./test"]
fn report_s3_what_is_in_the_way_of_a_commit_is_said_needs_root() {
    let places = ["docker", "docker/registry", V2, "docker/registry/v2/blobs", "docker/registry/v2/repositories"];
    let links = places.into_iter().chain(["wharf/uploads"]).map(|at| (at, true));
    for (at, is_link) in links.chain(places.map(|at| (at, false))) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(at);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if is_link {
            std::os::unix::fs::symlink("/nowhere", &path).unwrap();
        } else {
            fs::write(&path, "").unwrap();
        }
        let server = Launch::new(Program::Wharf, root.path()).start();
        expect_no_pushes(&server, &format!("{} can't be written", path.display()));
    }
}

/// wharf's own directories are looked at as well.
#[test]
#[ignore = "needs root for a loop mount: run ./test"]
fn report_s3_directories_of_wharf_of_another_user_are_said_needs_root() {
    for at in ["wharf/uploads", "wharf/recorded", "wharf/tmp"] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("store");
        prepare(&root, &Blob::noise(7, 1000));
        fs::create_dir_all(root.join(at)).unwrap();
        give(&root.join(at), 12_345);
        let server = Launch::new(Program::Wharf, &root).under(with_the_rights_of_one_user()).start();
        expect_read_only(&server, &format!("can't write to {}", root.join(at).display()));
    }
}
