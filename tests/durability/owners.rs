//! A store that several users work on: a server, the commands of root, and another registry.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    mounts::{expect_read_only, expect_writable, give, of_two_users, prepare, with_the_rights_of_one_user},
    support::{
        client::{find, run},
        image::{Blob, Image},
        server::{Launch, Program, Server},
        wait::eventually,
    },
};

const NOBODY: u32 = 65_534;

/// Begins a program as another user, who may write to the directory that it is begun in.
const AS_NOBODY: [&str; 4] =
    ["sh", "-c", r#"chmod 0777 . && exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@""#, "sh"];

/// A directory that every user may pass through, and in it the root of a store that nobody has.
fn store_of_nobody() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let root = folder.path().join("store");
    fs::create_dir(&root).unwrap();
    give(&root, NOBODY);
    (folder, root)
}

fn serve(program: Program, root: &Path) -> Server {
    Launch::new(program, root).under(AS_NOBODY).start()
}

fn by_root(root: &Path, arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
    command.args(arguments).env("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", root);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Those that are root's.
fn of_root(path: &Path) -> Vec<PathBuf> {
    let metadata = path.symlink_metadata().unwrap();
    let below = if metadata.is_dir() { fs::read_dir(path).unwrap().collect() } else { Vec::new() };
    let mut found: Vec<_> = below.into_iter().flat_map(|entry| of_root(&entry.unwrap().path())).collect();
    if metadata.uid() != NOBODY || metadata.gid() != NOBODY {
        found.push(path.to_owned());
    }
    found
}

#[test]
#[ignore = "needs root to work as several users: run ./test"]
fn report_s3_a_command_of_root_leaves_the_store_writable_needs_root() {
    let commands: [&[&str]; 4] = [&["fsck"], &["gc", "--dry-run"], &["gc"], &["gc", "--untagged"]];
    for arguments in commands {
        for is_known in [false, true] {
            let (_folder, root) = store_of_nobody();
            if is_known {
                serve(Program::Wharf, &root).stop();
            }
            serve(Program::Registry2, &root).http().repository("team/app").push("before", &Image::new(1, "amd64"));
            by_root(&root, arguments);
            assert_eq!(of_root(&root), [] as [PathBuf; 0], "{arguments:?} {is_known}");
            let server = serve(Program::Wharf, &root);
            server.http().get("/healthz").expect(200);
            server.http().repository("team/app").expect_image("before", &Image::new(1, "amd64"));
            for (seed, name) in [(2, "team/new"), (3, "team/app"), (4, "other")] {
                server.http().repository(name).push("after", &Image::new(seed, "amd64"));
            }
        }
    }
}

/// What root serves is the owner's, too: another registry rewrites links in their place.
#[test]
#[ignore = "needs root to work as several users: run ./test"]
fn report_s3_what_root_serves_stays_the_owners_needs_root() {
    let (_folder, root) = store_of_nobody();
    let blob = Blob::noise(7, 300_000);
    prepare(&root, &blob);
    assert_eq!(of_root(&root), [] as [PathBuf; 0]);
    for (seed, program) in [(2, Program::Registry2), (3, Program::Wharf)] {
        serve(program, &root).http().repository("a").push("before", &Image::new(seed, "amd64"));
    }
}

/// A volume that isn't mounted, above all.
#[test]
#[ignore = "needs root to work as several users: run ./test"]
fn report_s3_what_is_no_directory_is_said_and_nothing_is_taken_needs_root() {
    let places = [
        "docker",
        "docker/registry",
        "docker/registry/v2",
        "docker/registry/v2/blobs",
        "docker/registry/v2/blobs/sha256",
        "docker/registry/v2/repositories",
        "wharf/uploads",
        "wharf/recorded",
    ];
    for at in places {
        for is_link in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().join("store");
            prepare(&root, &Blob::noise(7, 1000));
            let (place, aside) = (root.join(at), folder.path().join("aside"));
            let server = Server::start(&root);
            put_in_place(&place, &aside, is_link);
            server.http().get("/healthz").expect(503);
            server.stop();
            let server = Server::start(&root);
            let refused = server.http().repository("b").try_blob(&Blob::noise(9, 100)).unwrap();
            assert_eq!(refused.status, 405, "{at}: {}", server.log());
            let what = if is_link { "it is a symbolic link that leads nowhere" } else { "it is no directory" };
            let why = format!("{at} can't be written: {what}");
            let is_said = |line: &str| line.contains("served read-only") && line.contains(&why);
            eventually(&why, || server.log().lines().any(is_said));
            server.stop();
            fs::remove_file(&place).unwrap();
            fs::rename(&aside, &place).unwrap();
            expect_writable(&Server::start(&root), 2);
        }
    }
}

fn put_in_place(place: &Path, aside: &Path, is_link: bool) {
    fs::rename(place, aside).unwrap();
    if is_link {
        symlink("/nowhere/volume", place).unwrap();
    } else {
        fs::write(place, "").unwrap();
    }
}

#[test]
#[ignore = "needs root to work as several users: run ./test"]
fn report_s3_own_directories_of_another_user_are_said_needs_root() {
    for at in ["wharf", "wharf/tmp", "wharf/hashes", "wharf/uploads", "wharf/recorded"] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("store");
        prepare(&root, &Blob::noise(7, 1000));
        // The lock of a store can be had where nothing else can.
        run(Command::new(find("chown")).args(["--recursive", "12345:12345"]).arg(root.join(at)));
        if at == "wharf" {
            give(&root.join("wharf/lock"), 0);
        }
        let start = || Launch::new(Program::Wharf, &root).under(with_the_rights_of_one_user()).start();
        let server = start();
        expect_read_only(&server, &format!("can't write to {}", root.join(at).display()));
        server.stop();
        run(Command::new(find("chown")).args(["--recursive", "0:0"]).arg(root.join("wharf")));
        expect_writable(&start(), 2);
    }
}

/// Also further down than the first component of a name.
#[test]
#[ignore = "needs root to work as several users: run ./test"]
fn report_s3_a_repository_below_another_is_told_of_needs_root() {
    let places = [
        "docker/registry/v2/repositories/team/app",
        "docker/registry/v2/repositories/team/app/_layers",
        "wharf/recorded/team",
    ];
    for at in places {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("store");
        of_two_users(&root, ".");
        give(&root, 0);
        Server::start(&root).http().repository("team/app").push("x", &Image::new(5, "amd64"));
        give(&root.join(at), 12_345);
        let server = Launch::new(Program::Wharf, &root).under(with_the_rights_of_one_user()).start();
        expect_writable(&server, 2);
        let at = root.join(at).display().to_string();
        let is_said = |line: &str| line.contains("parts of the store can't be written") && line.contains(&at);
        eventually(&at, || server.log().lines().any(is_said));
    }
}
