//! The archive, its checksum, and the list of what is in the binary.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    path::Path,
    process::Command,
};

use serde_json::Value;

use crate::{
    released::{SOURCES, architecture, name, released, unpacked},
    support::client::run,
};

#[test]
#[ignore = "needs ./release: run ./test"]
fn checksums_hold_needs_release() {
    for file in ["linux_ARCH.tar.gz.sha256", "ARCH.deb.sha256"] {
        let file = released(file);
        let check = run(Command::new("sha256sum").arg("--check").arg(&file).current_dir(file.parent().unwrap()));
        assert!(check.stdout.ends_with(": OK\n"), "{check}");
    }
}

/// The binary needs nothing beside it, and its settings are valid.
#[test]
#[ignore = "needs ./release: run ./test"]
fn the_archive_runs_where_it_is_unpacked_needs_release() {
    let (_directory, root) = unpacked();
    let wharf = root.join("wharf");
    assert_eq!(run(Command::new(&wharf).arg("--version")).stdout, concat!("wharf ", env!("CARGO_PKG_VERSION"), "\n"));
    assert!(run(Command::new("ldd").arg(&wharf)).text().contains("statically linked"));
    let shown = run(Command::new(&wharf).args(["config", "show", "registry.toml"]).current_dir(&root)).stdout;
    assert!(shown.contains("/var/lib/wharf"), "{shown}");
    for file in ["LICENSE", "README.md", "packages.md", "systemd/wharf.service", "compose.yaml", "wharf.container"] {
        assert!(root.join(file).is_file(), "{file} is missing");
    }
    let unit = fs::read_to_string(root.join("systemd/wharf.service")).unwrap();
    assert!(unit.contains("ExecStart=/usr/local/bin/wharf serve /etc/wharf/registry.toml\n"), "{unit}");
}

/// Each crate of the list is in Cargo.lock with the same checksum, and the list has all that are compiled.
#[test]
#[ignore = "needs ./release: run ./test"]
fn the_list_of_crates_is_that_of_the_lock_file_needs_release() {
    let list: Value = serde_json::from_slice(&fs::read(released("linux_ARCH.cdx.json")).unwrap()).unwrap();
    assert_eq!((list["bomFormat"].as_str(), list["specVersion"].as_str()), (Some("CycloneDX"), Some("1.5")));
    assert_eq!(list["metadata"]["component"]["name"], "wharf");
    assert!(!list.to_string().contains(SOURCES), "the list says where it was built");
    let lock: toml::Table = fs::read_to_string(Path::new(SOURCES).join("Cargo.lock")).unwrap().parse().unwrap();
    let locked = |name: &str, version: &str| {
        let packages = lock["package"].as_array().unwrap().iter();
        packages
            .filter(|package| package["name"].as_str() == Some(name) && package["version"].as_str() == Some(version))
            .find_map(|package| package.get("checksum")?.as_str())
    };
    let (mut listed, mut references) = (BTreeSet::new(), BTreeSet::new());
    for component in list["components"].as_array().unwrap() {
        references.insert(component["bom-ref"].as_str().unwrap());
        let (name, version) = (component["name"].as_str().unwrap(), component["version"].as_str().unwrap());
        if name == "glibc" {
            continue;
        }
        let checksum = component["hashes"][0]["content"].as_str();
        assert!(checksum.is_some() && checksum == locked(name, version), "{name} {version}: {checksum:?}");
        listed.insert(format!("{name} v{version}"));
    }
    references.insert(list["metadata"]["component"]["bom-ref"].as_str().unwrap());
    for dependency in list["dependencies"].as_array().unwrap() {
        let below = dependency["dependsOn"].as_array().into_iter().flatten();
        for reference in below.chain([&dependency["ref"]]) {
            assert!(references.contains(reference.as_str().unwrap()), "{reference} is no component");
        }
    }
    let machine = if architecture() == "arm64" { "aarch64" } else { "x86_64" };
    let target = format!("{machine}-unknown-linux-gnu");
    let mut tree = Command::new("cargo");
    tree.args(["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--target", &target]);
    let tree = run(tree.current_dir(SOURCES)).stdout;
    let lines = tree.lines().filter(|line| !line.is_empty() && !line.starts_with("wharf "));
    let compiled: BTreeSet<_> = lines.map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert!(compiled.len() > 100 && listed == compiled, "{:?}", listed.symmetric_difference(&compiled));
}

/// The user's mask, the time zone and the place make no difference.
#[test]
#[ignore = "needs ./release: run ./test"]
fn two_releases_are_the_same_byte_for_byte_needs_release() {
    let build = |mask: &str, zone: &str| -> BTreeMap<OsString, Vec<u8>> {
        let directory = tempfile::tempdir().unwrap();
        let line = format!("umask {mask}; exec ./release {}", architecture());
        let mut release = Command::new("sh");
        release.args(["-c", &line]).current_dir(SOURCES).env("PACKAGES_DIR", directory.path()).env("TZ", zone);
        run(&mut release);
        let entries = fs::read_dir(directory.path()).unwrap().map(Result::unwrap);
        entries.map(|entry| (entry.file_name(), fs::read(entry.path()).unwrap())).collect()
    };
    let (one, two) = (build("022", "UTC"), build("077", "Asia/Tokyo"));
    let names = ["ARCH.deb", "ARCH.deb.sha256", "linux_ARCH.cdx.json", "linux_ARCH.tar.gz", "linux_ARCH.tar.gz.sha256"];
    assert!(one.keys().eq(names.map(|rest| OsString::from(name(rest))).iter()), "{:?}", one.keys());
    assert!(one == two, "files of the same name differ");
}
