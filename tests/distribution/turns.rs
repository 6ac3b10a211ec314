//! One store, served and collected in turns.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use serde_json::json;

use crate::support::{
    client::{self, command},
    http::{Registry, send},
    image::{Blob, IMAGE_INDEX, IMAGE_MANIFEST, Image, Index, Manifest, sha512},
    server::{Launch, Program, registry2_config},
    store,
};

/// What a tag holds.
#[derive(Clone)]
enum Content {
    Image(Image),
    Index(Index),
}

/// What must be there, by repository and tag.
#[derive(Default)]
struct Expected(BTreeMap<(String, String), Content>);

impl Expected {
    fn push(&mut self, registry: &Registry, repository: &str, tag: &str, content: Content) {
        match &content {
            Content::Image(image) => registry.repository(repository).push(tag, image),
            Content::Index(index) => registry.repository(repository).push_index(tag, index),
        }
        self.0.insert((repository.to_owned(), tag.to_owned()), content);
    }

    /// Deletes the manifest of an image, which takes its tag along.
    fn delete(&mut self, registry: &Registry, repository: &str, tag: &str) {
        if let Some(Content::Image(image)) = self.0.remove(&(repository.to_owned(), tag.to_owned())) {
            let digest = image.manifest().digest();
            registry.repository(repository).delete(&format!("manifests/{digest}")).expect(202);
        }
    }

    /// Lists and pulls all of it.
    fn check(&self, registry: &Registry) {
        let mut tags: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for ((repository, tag), content) in &self.0 {
            tags.entry(repository).or_default().push(tag);
            match content {
                Content::Image(image) => registry.repository(repository).expect_image(tag, image),
                Content::Index(index) => registry.repository(repository).expect_index(tag, index),
            }
        }
        let catalog = registry.catalog();
        for (repository, tags) in tags {
            assert!(catalog.iter().any(|listed| listed == repository), "{repository} is not in {catalog:?}");
            let mut listed = registry.repository(repository).tags();
            listed.sort();
            assert_eq!(listed, tags, "{repository}");
        }
    }
}

/// Garbage collection, by one of them, of a store that nobody serves.
fn collect_by(program: Program, root: &Path) {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config.yml");
    fs::write(&config, registry2_config(root, 0)).unwrap();
    let mut command = match program {
        Program::Wharf => {
            let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
            // The others would take it for the name of a storage driver.
            command.env("REGISTRY_STORAGE_GC_GRACE", "0s");
            command
        }
        Program::Registry2 => command("docker-registry", home.path()),
        Program::Registry3 => command("registry", home.path()),
    };
    command.env("OTEL_TRACES_EXPORTER", "none");
    client::run(command.arg("garbage-collect").arg(config));
    store::expect_honest_blobs(root);
}

/// registry:2's.
fn collect(root: &Path) {
    collect_by(Program::Registry2, root);
}

/// In each turn one program reads all there is, pushes to what others made, makes a repository of its own and deletes
/// what an earlier turn made.
fn in_turns(programs: &[Program], collectors: &[Program]) {
    let (root, mut expected) = (tempfile::tempdir().unwrap(), Expected::default());
    for (turn, program) in programs.iter().copied().enumerate() {
        let seed = 1000 * turn as u64;
        let server = Launch::new(program, root.path()).start();
        let registry = server.http();
        expected.check(&registry);
        expected.push(&registry, "shared/app", &format!("turn-{turn}"), Content::Image(Image::new(seed, "amd64")));
        expected.push(
            &registry,
            "shared/app",
            &format!("doomed-{turn}"),
            Content::Image(Image::new(seed + 1, "amd64")),
        );
        expected.push(&registry, "shared/multi", "all", Content::Index(Index::two_platforms(seed + 2)));
        expected.push(&registry, &format!("turn/{turn}"), "1", Content::Index(Index::two_platforms(seed + 4)));
        if let Some(before) = turn.checked_sub(1) {
            expected.delete(&registry, "shared/app", &format!("doomed-{before}"));
            registry.repository("shared/app").manifest(&format!("doomed-{before}")).expect(404);
        }
        expected.check(&registry);
        drop(registry);
        server.stop();
        for collector in collectors {
            collect_by(*collector, root.path());
        }
    }
    for program in programs.iter().copied() {
        expected.check(&Launch::new(program, root.path()).start().http());
    }
}

#[test]
#[ignore = "needs docker-registry: run ./test"]
fn a_store_that_registry2_began_is_used_in_turns_needs_docker_registry() {
    in_turns(&[Program::Registry2, Program::Wharf, Program::Registry2, Program::Wharf], &[Program::Registry2]);
}

#[test]
#[ignore = "needs docker-registry: run ./test"]
fn a_store_that_wharf_began_is_used_in_turns_needs_docker_registry() {
    in_turns(&[Program::Wharf, Program::Registry2, Program::Wharf, Program::Registry2], &[Program::Registry2]);
}

#[test]
#[ignore = "needs docker-registry: run ./test"]
fn what_wharf_collected_is_collected_by_registry2_and_nothing_is_lost_needs_docker_registry() {
    let collectors = [Program::Wharf, Program::Registry2, Program::Wharf];
    in_turns(&[Program::Wharf, Program::Registry2, Program::Wharf, Program::Registry2], &collectors);
}

#[test]
#[ignore = "needs registry:3: run ./test"]
fn a_store_goes_through_wharf_and_registry3_in_turns_and_is_collected_by_both_needs_registry3() {
    let collectors = [Program::Wharf, Program::Registry3];
    in_turns(&[Program::Registry3, Program::Wharf, Program::Registry3, Program::Wharf], &collectors);
}

#[test]
#[ignore = "needs docker-registry and registry:3: run ./test"]
fn a_store_goes_through_all_three_and_is_collected_by_all_needs_docker_registry_and_registry3() {
    const ALL: [Program; 3] = [Program::Wharf, Program::Registry2, Program::Registry3];
    in_turns(&[Program::Wharf, Program::Registry2, Program::Registry3, Program::Wharf], &ALL);
}

/// registry:2 keeps such a blob under its sha256 name.
#[test]
#[ignore = "needs docker-registry: run ./test"]
fn a_blob_pushed_to_registry2_by_sha512_is_read_needs_docker_registry() {
    let root = tempfile::tempdir().unwrap();
    let (blob, name) = (Blob::noise(1, 10_000), "by/sha512");
    let digest = sha512(blob.bytes());
    let server = Launch::new(Program::Registry2, root.path()).start();
    let repository = server.http().repository(name);
    repository.finish(&repository.begin(), &digest, blob.bytes()).unwrap().expect(201);
    server.stop();
    let server = Launch::new(Program::Wharf, root.path()).start();
    let answer = server.http().repository(name).get(&format!("blobs/{digest}")).expect(200);
    assert!(answer.body == blob.bytes());
}

/// sha512 all through: blob, manifest, and the manifest that names them.
#[test]
#[ignore = "needs docker-registry: run ./test"]
fn sha512_content_of_wharf_is_served_and_collected_by_registry2_needs_docker_registry() {
    let root = tempfile::tempdir().unwrap();
    let (config, layer) = (Blob::noise(2, 100), Blob::noise(3, 10_000));
    let describe = |blob: &Blob| {
        let mut descriptor = blob.descriptor();
        descriptor["digest"] = sha512(blob.bytes()).into();
        descriptor
    };
    let body = json!({
        "schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": describe(&config), "layers": [describe(&layer)],
    });
    let manifest = Manifest::new(&body, IMAGE_MANIFEST);
    let digest = sha512(manifest.bytes());

    let server = Launch::new(Program::Wharf, root.path()).start();
    let repository = server.http().repository("sha/512");
    for blob in [&config, &layer] {
        repository.finish(&repository.begin(), &sha512(blob.bytes()), blob.bytes()).unwrap().expect(201);
    }
    repository.try_manifest(&digest, &manifest).unwrap().expect(201);
    server.stop();

    collect(root.path());
    let server = Launch::new(Program::Registry2, root.path()).start();
    let repository = server.http().repository("sha/512");
    assert!(repository.manifest(&digest).expect(200).body == manifest.bytes());
    for blob in [&config, &layer] {
        let answer = repository.get(&format!("blobs/{}", sha512(blob.bytes()))).expect(200);
        assert!(answer.body == blob.bytes());
    }
}

#[test]
#[ignore = "needs docker-registry: run ./test"]
fn referrers_and_cache_indexes_outlive_the_collection_of_registry2_needs_docker_registry() {
    referrers_and_cache_indexes_outlive_a_collection(Program::Registry2);
}

#[test]
#[ignore = "needs registry:3: run ./test"]
fn referrers_and_cache_indexes_outlive_the_collection_of_registry3_needs_registry3() {
    referrers_and_cache_indexes_outlive_a_collection(Program::Registry3);
}

fn referrers_and_cache_indexes_outlive_a_collection(other: Program) {
    let root = tempfile::tempdir().unwrap();
    let (image, layer) = (Image::new(1, "amd64"), Blob::noise(4, 10_000));
    let config = image.blobs().last().unwrap();
    let referrer = Manifest::new(
        &json!({
            "schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "artifactType": "application/spdx+json",
            "config": config.descriptor(), "layers": [], "subject": image.manifest().descriptor(),
        }),
        IMAGE_MANIFEST,
    );
    let cache = json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": [layer.descriptor()]});
    let cache = Manifest::new(&cache, IMAGE_INDEX);

    let server = Launch::new(Program::Wharf, root.path()).start();
    let repository = server.http().repository("app");
    repository.push("1", &image);
    repository.push_blob(&layer);
    repository.push_manifest(referrer.digest(), &referrer);
    repository.push_manifest("cache", &cache);
    server.stop();

    collect_by(Program::Wharf, root.path());
    collect_by(other, root.path());
    let server = Launch::new(other, root.path()).start();
    let repository = server.http().repository("app");
    repository.expect_manifest(referrer.digest(), &referrer);
    repository.expect_manifest("cache", &cache);
    server.stop();

    let server = Launch::new(Program::Wharf, root.path()).start();
    let repository = server.http().repository("app");
    assert!(repository.get(&format!("blobs/{}", layer.digest())).expect(200).body == layer.bytes());
    let request = repository.request(reqwest::Method::GET, &format!("referrers/{}", image.manifest().digest()));
    assert_eq!(send(request).expect(200).json()["manifests"][0]["digest"], referrer.digest());
}

/// A referrer that registry:2 took, or whose manifest it deleted, while it had the volume: the answer follows the
/// store.
#[test]
#[ignore = "needs docker-registry: run ./test"]
fn referrers_follow_what_registry2_did_in_between_needs_docker_registry() {
    referrers_follow_what_was_done_in_between(Program::Registry2);
}

#[test]
#[ignore = "needs registry:3: run ./test"]
fn referrers_follow_what_registry3_did_in_between_needs_registry3() {
    referrers_follow_what_was_done_in_between(Program::Registry3);
}

fn referrers_follow_what_was_done_in_between(other: Program) {
    let root = tempfile::tempdir().unwrap();
    let image = Image::new(1, "amd64");
    let config = image.blobs().last().unwrap();
    let referrer = |artifact_type: &str| {
        let body = json!({
            "schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "artifactType": artifact_type,
            "config": config.descriptor(), "layers": [], "subject": image.manifest().descriptor(),
        });
        Manifest::new(&body, IMAGE_MANIFEST)
    };
    let (old, new) = (referrer("application/old"), referrer("application/new"));
    let listed = |registry: &Registry| {
        let answer = registry.repository("app").get(&format!("referrers/{}", image.manifest().digest())).expect(200);
        let listed = answer.json()["manifests"].as_array().unwrap().clone();
        listed.iter().map(|found| found["digest"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };

    let server = Launch::new(Program::Wharf, root.path()).start();
    server.http().repository("app").push("1", &image);
    server.http().repository("app").push_manifest(old.digest(), &old);
    assert_eq!(listed(&server.http()), [old.digest()]);
    server.stop();

    let server = Launch::new(other, root.path()).start();
    server.http().repository("app").push_manifest(new.digest(), &new);
    server.http().repository("app").delete(&format!("manifests/{}", old.digest())).expect(202);
    server.stop();

    let server = Launch::new(Program::Wharf, root.path()).start();
    assert_eq!(listed(&server.http()), [new.digest()]);
}
