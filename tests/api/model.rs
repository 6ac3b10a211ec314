//! Random sequences of requests, against a model that is a few maps. What the one answers the other must, and after it
//! both hold the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use proptest::prelude::*;
use reqwest::Method;
use wharf::oci::MediaType;

use crate::{
    content::{Image, index, sha256, texts},
    registry::TestRegistry,
};

/// Names that lie in and beside one another.
const NAMES: [&str; 3] = ["a", "a/b", "a-b"];
const TAGS: [&str; 3] = ["1", "latest", "x"];

/// A manifest that may be pushed, and what it needs.
struct Known {
    body: bytes::Bytes,
    digest: String,
    media_type: &'static str,
    blobs: Vec<usize>,
    children: Vec<usize>,
    subject: Option<usize>,
}

/// Two blobs each of three images; the third refers to the first. Then an index of two of them.
static MANIFESTS: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let images = images();
    let known = |number: usize, image: &Image, subject| Known {
        body: image.manifest.clone(),
        digest: image.digest.clone(),
        media_type: MediaType::OCI_MANIFEST,
        blobs: vec![2 * number, 2 * number + 1],
        children: Vec::new(),
        subject,
    };
    let body = index(&[&images[0], &images[1]]);
    vec![
        known(0, &images[0], None),
        known(1, &images[1], None),
        known(2, &images[2], Some(0)),
        Known {
            digest: sha256(&body),
            body,
            media_type: MediaType::OCI_INDEX,
            blobs: Vec::new(),
            children: vec![0, 1],
            subject: None,
        },
    ]
});

static BLOBS: LazyLock<Vec<bytes::Bytes>> =
    LazyLock::new(|| images().iter().flat_map(|image| [image.config.clone(), image.layer.clone()]).collect());

fn images() -> [Image; 3] {
    let first = Image::new("first");
    let referrer = Image::referrer("third", &first, None);
    [first, Image::new("second"), referrer]
}

#[derive(Clone, Debug)]
enum Step {
    PushBlob { name: usize, blob: usize, chunked: bool },
    PushBlobsOf { name: usize, manifest: usize },
    Mount { from: Option<usize>, to: usize, blob: usize },
    DeleteBlob { name: usize, blob: usize },
    PushManifest { name: usize, manifest: usize, tags: Vec<usize> },
    DeleteManifest { name: usize, manifest: usize },
    DeleteTag { name: usize, tag: usize },
    Cancelled { name: usize, blob: usize },
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (name, blob, manifest, tag) = (0..NAMES.len(), 0..6_usize, 0..4_usize, 0..TAGS.len());
    let step = prop_oneof![
        3 => (name.clone(), blob.clone(), any::<bool>()).prop_map(|(name, blob, chunked)| Step::PushBlob { name, blob, chunked }),
        5 => (name.clone(), manifest.clone()).prop_map(|(name, manifest)| Step::PushBlobsOf { name, manifest }),
        2 => (proptest::option::of(name.clone()), name.clone(), blob.clone()).prop_map(|(from, to, blob)| Step::Mount { from, to, blob }),
        2 => (name.clone(), blob.clone()).prop_map(|(name, blob)| Step::DeleteBlob { name, blob }),
        9 => (name.clone(), manifest.clone(), prop::collection::vec(tag.clone(), 0..3))
            .prop_map(|(name, manifest, tags)| Step::PushManifest { name, manifest, tags }),
        4 => (name.clone(), manifest).prop_map(|(name, manifest)| Step::DeleteManifest { name, manifest }),
        3 => (name.clone(), tag).prop_map(|(name, tag)| Step::DeleteTag { name, tag }),
        1 => (name, blob).prop_map(|(name, blob)| Step::Cancelled { name, blob }),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..40)
}

/// What a repository holds.
#[derive(Default)]
struct Repository {
    blobs: BTreeSet<usize>,
    manifests: BTreeSet<usize>,
    tags: BTreeMap<usize, usize>,
}

impl Repository {
    fn has_all_of(&self, manifest: usize) -> bool {
        let known = &MANIFESTS[manifest];
        known.blobs.iter().all(|blob| self.blobs.contains(blob))
            && known.children.iter().all(|child| self.manifests.contains(child))
    }
}

#[derive(Default)]
struct Model([Repository; NAMES.len()]);

impl Model {
    /// Does a step, and says which statuses it is answered with.
    fn step(&mut self, step: &Step) -> Vec<u16> {
        match *step {
            Step::PushBlob { name, blob, .. } => {
                self.0[name].blobs.insert(blob);
                vec![201]
            }
            Step::PushBlobsOf { name, manifest } => {
                let blobs = &MANIFESTS[manifest].blobs;
                self.0[name].blobs.extend(blobs);
                vec![201; blobs.len()]
            }
            Step::Mount { from, to, blob } => {
                let found = match from {
                    Some(from) => self.0[from].blobs.contains(&blob),
                    None => self.0.iter().any(|repository| repository.blobs.contains(&blob)),
                };
                if found {
                    self.0[to].blobs.insert(blob);
                }
                vec![if found { 201 } else { 202 }]
            }
            Step::DeleteBlob { name, blob } => vec![if self.0[name].blobs.remove(&blob) { 202 } else { 404 }],
            Step::PushManifest { name, manifest, ref tags } => {
                let repository = &mut self.0[name];
                if !repository.has_all_of(manifest) {
                    return vec![400];
                }
                repository.manifests.insert(manifest);
                repository.tags.extend(tags.iter().map(|tag| (*tag, manifest)));
                vec![201]
            }
            Step::DeleteManifest { name, manifest } => {
                let repository = &mut self.0[name];
                repository.tags.retain(|_, target| *target != manifest);
                vec![if repository.manifests.remove(&manifest) { 202 } else { 404 }]
            }
            Step::DeleteTag { name, tag } => vec![if self.0[name].tags.remove(&tag).is_some() { 202 } else { 404 }],
            Step::Cancelled { .. } => vec![202, 204],
            Step::Restart => Vec::new(),
        }
    }

    /// Fails unless the registry holds what the model does: no more, and no less.
    async fn compare(&self, registry: &TestRegistry) {
        let mut catalog = Vec::new();
        for (name, repository) in NAMES.iter().zip(&self.0) {
            if !repository.manifests.is_empty() {
                catalog.push((*name).to_owned());
            }
            self::compare(registry, name, repository).await;
        }
        catalog.sort_unstable();
        assert_eq!(registry.catalog().await, catalog);
    }
}

async fn compare(registry: &TestRegistry, name: &str, repository: &Repository) {
    let list = registry.get(&format!("/v2/{name}/tags/list")).await;
    if repository.blobs.is_empty() && repository.manifests.is_empty() {
        list.refused(404, "NAME_UNKNOWN");
    } else {
        let tags: Vec<_> = repository.tags.keys().map(|tag| TAGS[*tag].to_owned()).collect();
        assert_eq!(texts(&list.expect(200).json()["tags"]), tags, "{name}");
    }
    for (number, bytes) in BLOBS.iter().enumerate() {
        let status = if repository.blobs.contains(&number) { 200 } else { 404 };
        let blob = registry.get(&format!("/v2/{name}/blobs/{}", sha256(bytes))).await;
        assert_eq!(blob.status, status, "blob {number} of {name}");
        assert!(status == 404 || blob.body == *bytes, "blob {number} of {name}");
    }
    for (number, known) in MANIFESTS.iter().enumerate() {
        let status = if repository.manifests.contains(&number) { 200 } else { 404 };
        let manifest = registry.get(&format!("/v2/{name}/manifests/{}", known.digest)).await;
        assert_eq!(manifest.status, status, "manifest {number} of {name}");
        assert!(status == 404 || manifest.body == known.body, "manifest {number} of {name}");
        let referrers = registry.get(&format!("/v2/{name}/referrers/{}", known.digest)).await.expect(200);
        let expected = repository.manifests.iter().filter(|referrer| MANIFESTS[**referrer].subject == Some(number));
        let expected: Vec<_> = expected.map(|referrer| MANIFESTS[*referrer].digest.as_str()).collect();
        let listed = referrers.json();
        let listed: Vec<_> =
            listed["manifests"].as_array().unwrap().iter().map(|one| one["digest"].as_str().unwrap()).collect();
        assert_eq!(listed, expected, "referrers of {number} in {name}");
    }
    for (number, tag) in TAGS.iter().enumerate() {
        let answer = registry.head(&format!("/v2/{name}/manifests/{tag}")).await;
        let digest = repository.tags.get(&number).map_or("", |manifest| &MANIFESTS[*manifest].digest);
        assert_eq!(answer.value("docker-content-digest"), digest, "tag {tag} of {name}");
    }
}

/// Does a step for real, and says which statuses it was answered with.
async fn perform(registry: &mut TestRegistry, step: &Step) -> Vec<u16> {
    match *step {
        Step::PushBlob { name, blob, chunked } => vec![push(registry, NAMES[name], &BLOBS[blob], chunked).await],
        Step::PushBlobsOf { name, manifest } => {
            let mut statuses = Vec::new();
            for blob in &MANIFESTS[manifest].blobs {
                statuses.push(push(registry, NAMES[name], &BLOBS[*blob], false).await);
            }
            statuses
        }
        Step::Mount { from, to, blob } => {
            let from = from.map_or_else(String::new, |from| format!("&from={}", NAMES[from]));
            let digest = sha256(&BLOBS[blob]);
            vec![registry.post(&format!("/v2/{}/blobs/uploads/?mount={digest}{from}", NAMES[to])).await.status]
        }
        Step::DeleteBlob { name, blob } => {
            vec![registry.delete(&format!("/v2/{}/blobs/{}", NAMES[name], sha256(&BLOBS[blob]))).await.status]
        }
        Step::PushManifest { name, manifest, ref tags } => {
            let known = &MANIFESTS[manifest];
            let query: Vec<_> = tags.iter().map(|tag| format!("tag={}", TAGS[*tag])).collect();
            let path = format!("/v2/{}/manifests/{}?{}", NAMES[name], known.digest, query.join("&"));
            vec![registry.put_manifest(&path, known.media_type, known.body.clone()).await.status]
        }
        Step::DeleteManifest { name, manifest } => {
            vec![registry.delete(&format!("/v2/{}/manifests/{}", NAMES[name], MANIFESTS[manifest].digest)).await.status]
        }
        Step::DeleteTag { name, tag } => {
            vec![registry.delete(&format!("/v2/{}/manifests/{}", NAMES[name], TAGS[tag])).await.status]
        }
        Step::Cancelled { name, blob } => {
            let session = registry.begin_upload(NAMES[name]).await;
            let patched = registry.with_body(Method::PATCH, &session, BLOBS[blob].clone()).await.status;
            vec![patched, registry.delete(&session).await.status]
        }
        Step::Restart => {
            // What is in memory is meant to be gone then.
            if matches!(registry.store(), wharf::config::Store::Filesystem { .. }) {
                registry.restart();
            }
            Vec::new()
        }
    }
}

async fn push(registry: &TestRegistry, name: &str, bytes: &bytes::Bytes, chunked: bool) -> u16 {
    let digest = sha256(bytes);
    if !chunked {
        let path = format!("/v2/{name}/blobs/uploads/?digest={digest}");
        return registry.with_body(Method::POST, &path, bytes.clone()).await.status;
    }
    let session = registry.begin_upload(name).await;
    registry.with_body(Method::PATCH, &session, bytes.slice(..10)).await.expect(202);
    registry.with_body(Method::PUT, &format!("{session}?digest={digest}"), bytes.slice(10..)).await.status
}

/// Does all the steps, comparing now and then, and at the end once more after a restart.
fn run(mut registry: TestRegistry, steps: &[Step]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut model = Model::default();
        for (number, step) in steps.iter().enumerate() {
            let expected = model.step(step);
            assert_eq!(perform(&mut registry, step).await, expected, "step {number}: {step:?}");
            if number % 15 == 14 {
                model.compare(&registry).await;
            }
        }
        model.compare(&registry).await;
        perform(&mut registry, &Step::Restart).await;
        model.compare(&registry).await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_registry_in_memory_does_as_the_model(steps in steps()) {
        run(TestRegistry::memory(), &steps);
    }

    #[test]
    fn a_registry_on_a_filesystem_does_as_the_model(steps in steps()) {
        run(TestRegistry::filesystem(), &steps);
    }
}
