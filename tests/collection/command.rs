//! The commands: `wharf gc` and registry:2's `garbage-collect`.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
    process::Command,
};

use crate::{
    support::{
        image::{Blob, Image},
        server::{Launch, Program},
        store,
        wait::{eventually, pass},
    },
    wharf::{collect, figures, hasty, refusal, wharf},
};

fn loose(root: &std::path::Path) -> Blob {
    let blob = Blob::noise(1, 1000);
    let server = hasty(root);
    server.http().repository("team/app").push_blob(&blob);
    server.stop();
    blob
}

#[test]
fn without_a_server_it_works_by_itself() {
    let root = tempfile::tempdir().unwrap();
    let blob = loose(root.path());
    assert_eq!(figures(&collect(root.path(), &[])), [1, 1, 0, 1]);
    assert!(!store::blob(root.path(), blob.digest()).exists());
    assert!(!root.path().join("wharf/control").exists());
}

#[test]
fn registry2s_name_and_arguments_do_the_same() {
    let root = tempfile::tempdir().unwrap();
    let blob = loose(root.path());
    let config = root.path().join("config.yml");
    let settings = format!(
        "version: 0.1\nstorage:\n  filesystem: {{rootdirectory: {}}}\n  gc: {{grace: 0s}}\n",
        root.path().display()
    );
    fs::write(&config, settings).unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_wharf")).args(arguments).arg(&config).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let listed = run(&["garbage-collect", "--dry-run"]);
    assert!(listed.contains(&format!("would remove content @{}", blob.digest())), "{listed}");
    assert!(listed.contains("would free 1000 B (1000 bytes)"), "{listed}");
    assert!(store::blob(root.path(), blob.digest()).exists());
    assert!(run(&["garbage-collect", "-m"]).contains("freed 1000 B (1000 bytes): 1 blobs"));
    assert_eq!(run(&["garbage-collect", "-m", "--quiet"]), "");
    assert!(!store::blob(root.path(), blob.digest()).exists());
}

/// Go's forms of flags, as scripts for registry:2 have them: what each means, or that it is refused.
#[test]
fn report_flags_of_registry2_take_gos_forms() {
    let root = tempfile::tempdir().unwrap();
    let server = hasty(root.path());
    server.http().repository("team/app").push(Image::new(1, "amd64").manifest().digest(), &Image::new(1, "amd64"));
    server.stop();
    let config = root.path().join("config.yml");
    let settings = format!(
        "version: 0.1\nstorage:\n  filesystem: {{rootdirectory: {}}}\n  gc: {{grace: 0s}}\n",
        root.path().display()
    );
    fs::write(&config, settings).unwrap();
    let (all, none) = ("1 untagged manifests", "0 untagged manifests");
    for (flags, code, said) in [
        (&["--dry-run", "--delete-untagged=true"][..], 0, all),
        (&["--dry-run=true", "--delete-untagged"], 0, all),
        (&["-d", "-m"], 0, all),
        (&["-dm"], 0, all),
        (&["-d=true", "-m=true"], 0, all),
        (&["-d=1", "-m=T"], 0, all),
        (&["-d=t", "-m=TRUE", "--quiet=false"], 0, all),
        (&["-d", "-m=false"], 0, none),
        (&["-d", "--delete-untagged=0"], 0, none),
        (&["-d", "--delete-untagged=False"], 0, none),
        (&["--dry-run=false", "-d", "-m"], 0, all),
        (&["-d", "-m", "-q"], 0, ""),
        (&["-d", "-m", "--quiet=true"], 0, ""),
        (&["-d", "-m=yes"], 2, ""),
        (&["--dry-run="], 2, ""),
        (&["--dry-run=false", "-m=f"], 0, none),
    ] {
        for config_first in [true, false] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
            command.arg("garbage-collect");
            if config_first {
                command.arg(&config).args(flags);
            } else {
                command.args(flags).arg(&config);
            }
            let output = command.output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert_eq!(output.status.code(), Some(code), "{flags:?}: {output:?}");
            assert!(text.contains(said) && (!said.is_empty() || text.is_empty()), "{flags:?}: {text}");
        }
    }
}

#[test]
fn a_server_is_found_by_its_store_however_long_the_path_is() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("d".repeat(100)).join("e".repeat(100));
    fs::create_dir_all(&root).unwrap();
    let server = hasty(&root);
    server.http().repository("team/app").push_blob(&Blob::noise(1, 1000));
    assert_eq!(figures(&collect(&root, &[])), [1, 1, 0, 1]);
    assert!(server.http().catalog().is_empty());
    server.stop();
    assert!(!root.join("wharf/control").exists());
}

#[test]
fn a_killed_server_is_no_server() {
    let root = tempfile::tempdir().unwrap();
    let server = hasty(root.path());
    server.http().repository("team/app").push_blob(&Blob::noise(1, 1000));
    server.kill();
    assert!(root.path().join("wharf/control").exists());
    assert_eq!(figures(&collect(root.path(), &[])), [1, 1, 0, 1]);
    let server = hasty(root.path());
    server.http().repository("team/app").push_blob(&Blob::noise(1, 1000));
    assert_eq!(figures(&collect(root.path(), &[])), [1, 1, 0, 1]);
}

#[test]
fn a_store_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("nowhere");
    let refusal = refusal(&root, &[]);
    assert!(refusal.contains("there is no store at") && !root.exists(), "{refusal}");
    let output = Command::new(env!("CARGO_BIN_EXE_wharf")).arg("gc").env("REGISTRY_STORAGE", "inmemory").output();
    let output = output.unwrap();
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("in memory"), "{output:?}");
}

#[test]
fn a_server_says_no_to_what_it_does_not_know() {
    let root = tempfile::tempdir().unwrap();
    let server = hasty(root.path());
    for request in ["{}", "", "{\"command\":\"fly\"}", "{\"command\":\"collect\",\"faster\":true}", "\u{0}"] {
        let mut socket = UnixStream::connect(root.path().join("wharf/control")).unwrap();
        writeln!(socket, "{request}").unwrap();
        let mut answer = String::new();
        BufReader::new(socket).read_line(&mut answer).unwrap();
        assert!(answer.contains("refused"), "{request}: {answer}");
    }
    // Long before a newline, and gone without a word.
    let mut socket = UnixStream::connect(root.path().join("wharf/control")).unwrap();
    let _ = socket.write_all(&vec![b'x'; 100_000]);
    drop(socket);
    drop(UnixStream::connect(root.path().join("wharf/control")).unwrap());
    assert_eq!(figures(&collect(root.path(), &[])), [0; 4]);
    drop(server);
}

#[test]
fn it_begins_by_itself_and_is_logged() {
    let root = tempfile::tempdir().unwrap();
    let launch = Launch::new(Program::Wharf, root.path()).set("REGISTRY_STORAGE_GC_GRACE", "1s");
    let server = launch.set("REGISTRY_STORAGE_GC_INTERVAL", "1s").start();
    let (image, loose) = (Image::new(1, "amd64"), Blob::noise(7, 1000));
    server.http().repository("team/app").push("latest", &image);
    server.http().repository("team/app").push_blob(&loose);
    eventually("the collection by itself", || !store::blob(root.path(), loose.digest()).exists());
    server.http().repository("team/app").expect_image("latest", &image);
    server.expect_logged("collected what nothing refers to");
    server.expect_logged("storage.gc.grace is shorter than an hour");
}

#[test]
fn a_store_that_is_read_only_by_the_settings_is_collected_only_if_asked() {
    let root = tempfile::tempdir().unwrap();
    let blob = loose(root.path());
    let launch = Launch::new(Program::Wharf, root.path()).set("REGISTRY_STORAGE_GC_GRACE", "0s");
    let launch = launch.set("REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED", "true");
    let server = launch.set("REGISTRY_STORAGE_GC_INTERVAL", "100ms").start();
    pass(std::time::Duration::from_millis(1500), "collections that would be due");
    assert!(store::blob(root.path(), blob.digest()).exists());
    assert_eq!(figures(&collect(root.path(), &[])), [1, 1, 0, 1]);
    drop(server);
}

#[test]
fn figures_are_said_in_words() {
    let root = tempfile::tempdir().unwrap();
    loose(root.path());
    let output = wharf(root.path(), &["gc"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("freed 1000 B (1000 bytes): 1 blobs and manifests, 1 links, 0 untagged"), "{text}");
}

#[test]
fn report_start_where_no_store_is_the_whole_path_is_named() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();
    for (root, what) in [("./data", "data (storage"), ("file", "file: that is a file")] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_wharf"));
        command.arg("gc").current_dir(directory.path()).env("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", root);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let expected =
            format!("there is no store at {}", directory.path().canonicalize().unwrap().join(what).display());
        assert!(output.status.code() == Some(1) && said.contains(&expected), "{said}");
    }
}
