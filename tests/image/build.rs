//! `./image` itself.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use crate::{
    container::{architecture, built},
    podman::Podman,
    support::client::run,
};

/// The files below a directory, with what is in them.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root).unwrap().map(Result::unwrap) {
        let (name, path) = (entry.file_name().into_string().unwrap(), entry.path());
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(below, content)| (format!("{name}/{below}"), content)));
        } else {
            found.insert(name, fs::read(path).unwrap());
        }
    }
    found
}

/// Two builds under other circumstances: the time, the user's mask, the language.
#[test]
#[ignore = "needs docker: run ./test --long"]
fn two_builds_are_the_same_byte_for_byte_needs_docker() {
    let folder = tempfile::tempdir().unwrap();
    let build = |name: &str, mask: &str, zone: &str| {
        let out = folder.path().join(name);
        let line = format!("umask {mask}; exec ./image {}", architecture());
        let mut command = Command::new("sh");
        command.args(["-c", &line]).current_dir(env!("CARGO_MANIFEST_DIR"));
        run(command.env("IMAGE_DIR", &out).env("TZ", zone).env("LC_ALL", "C.UTF-8"));
        files(&out)
    };
    let (one, two) = (build("one", "022", "UTC"), build("two", "077", "Asia/Tokyo"));
    assert_eq!(one.keys().collect::<Vec<_>>(), two.keys().collect::<Vec<_>>());
    assert!(one.len() >= 6 && one == two, "files of the same name differ");
}

#[test]
#[ignore = "needs docker: run ./test"]
fn an_image_has_no_more_than_7_mb_needs_docker() {
    let archives = fs::read_dir(built("")).unwrap().map(|entry| entry.unwrap().path());
    let sizes: Vec<_> = archives
        .filter(|path| path.extension().is_some_and(|e| e == "tar"))
        .map(|path| fs::metadata(path).unwrap().len())
        .collect();
    assert!(!sizes.is_empty() && sizes.iter().all(|size| *size <= 7_000_000), "{sizes:?}");
}

#[test]
#[ignore = "needs podman: run ./test"]
fn podman_takes_the_layout_with_its_check_of_health_needs_podman() {
    let podman = Podman::new();
    podman.run(&["pull", &format!("oci:{}", built("oci").display())]);
    let id = podman.run(&["images", "--quiet", "--no-trunc"]);
    let id = id.trim();
    let check = podman.run(&["image", "inspect", "--format", "{{json .HealthCheck}}", id]);
    assert!(check.contains("/healthcheck.sh"), "{check}");
    // A file that is mounted over one place of the settings is at the other, as with docker.
    let mount = format!("{}:/etc/docker/registry/config.yml:ro", podman.file("config.yml", b"mine\n"));
    let words = ["--read-only", "--volume", &mount, id, "cat", "/etc/distribution/config.yml"];
    assert_eq!(podman.say(&words), "mine\n");
}

#[test]
#[ignore = "needs docker: run ./test"]
fn an_unknown_architecture_is_told_so_needs_docker() {
    let mut command = Command::new("./image");
    let output = command.arg("mips").current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(said, "./image: 'mips' can't be built: amd64 and arm64 can\n");
}
