//! `/v2/<name>/referrers/<digest>`.

use serde_json::{Value, json};
use wharf::oci::MediaType;

use crate::{
    content::{CONFIG, Image, descriptor, sha256},
    registry::TestRegistry,
};

const SBOM: &str = "application/vnd.example.sbom.v1";
const SIGNATURE: &str = "application/vnd.example.signature.v1";

async fn listed(registry: &TestRegistry, path: &str) -> Vec<Value> {
    let answer = registry.get(path).await.expect(200);
    assert_eq!(answer.value("content-type"), MediaType::OCI_INDEX);
    let index = answer.json();
    assert_eq!((&index["schemaVersion"], &index["mediaType"]), (&json!(2), &json!(MediaType::OCI_INDEX)));
    index["manifests"].as_array().unwrap().clone()
}

fn digests(descriptors: &[Value]) -> Vec<&str> {
    descriptors.iter().map(|descriptor| descriptor["digest"].as_str().unwrap()).collect()
}

fn sorted(mut digests: Vec<&str>) -> Vec<&str> {
    digests.sort_unstable();
    digests
}

#[tokio::test]
async fn referrers_are_listed_with_what_they_say_of_themselves() {
    for mut registry in TestRegistry::each() {
        let subject = registry.image("a", "1", "subject").await;
        let path = format!("/v2/a/referrers/{}", subject.digest);
        assert!(listed(&registry, &path).await.is_empty());
        let sbom = Image::referrer("sbom", &subject, Some(SBOM));
        let plain = Image::referrer("plain", &subject, None);
        for image in [&sbom, &plain] {
            registry.push_blobs("a", image).await;
            let put = format!("/v2/a/manifests/{}", image.digest);
            let answer = registry.put_manifest(&put, &image.media_type(), image.manifest.clone()).await.expect(201);
            assert_eq!(answer.value("oci-subject"), subject.digest);
        }
        let index = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_INDEX,
            "manifests": [],
            "subject": descriptor(MediaType::OCI_MANIFEST, &subject.manifest),
        })
        .to_string();
        registry.put_manifest("/v2/a/manifests/index", MediaType::OCI_INDEX, index.clone()).await.expect(201);
        let of = |body: &[u8], media_type: &str, more: Value| {
            let mut descriptor = descriptor(media_type, body);
            descriptor.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            descriptor
        };
        let mut expected = vec![
            of(
                &sbom.manifest,
                MediaType::OCI_MANIFEST,
                json!({ "artifactType": SBOM, "annotations": { "of": "sbom" } }),
            ),
            of(
                &plain.manifest,
                MediaType::OCI_MANIFEST,
                json!({ "artifactType": CONFIG, "annotations": { "of": "plain" } }),
            ),
            of(index.as_bytes(), MediaType::OCI_INDEX, json!({})),
        ];
        expected.sort_by_key(|descriptor| descriptor["digest"].as_str().unwrap().to_owned());
        assert_eq!(listed(&registry, &path).await, expected);
        // Referrers are of one repository.
        assert!(listed(&registry, &path.replace("/a/", "/b/")).await.is_empty());
        if matches!(registry.store(), wharf::config::Store::Filesystem { .. }) {
            registry.restart();
            assert_eq!(listed(&registry, &path).await, expected);
        }
        registry.delete(&format!("/v2/a/manifests/{}", sbom.digest)).await.expect(202);
        assert!(!digests(&listed(&registry, &path).await).contains(&sbom.digest.as_str()));
        // The subject may go: what refers to it stays, and is found.
        registry.delete(&format!("/v2/a/manifests/{}", subject.digest)).await.expect(202);
        assert_eq!(listed(&registry, &path).await.len(), 2);
    }
}

#[tokio::test]
async fn referrers_are_filtered_by_their_artifact_type() {
    let registry = TestRegistry::memory();
    let subject = registry.image("a", "1", "subject").await;
    for (seed, artifact_type) in [("1", Some(SBOM)), ("2", Some(SIGNATURE)), ("3", Some(SBOM)), ("4", None)] {
        registry.push_image("a", seed, &Image::referrer(seed, &subject, artifact_type)).await;
    }
    let path = format!("/v2/a/referrers/{}", subject.digest);
    for (filter, count) in [(SBOM, 2), (SIGNATURE, 1), (CONFIG, 1), ("application/vnd.none", 0), ("application", 0)] {
        // A plus sign in a query is a space.
        let filter = filter.replace('+', "%2B");
        for filter in [filter.clone(), filter.replace('/', "%2F")] {
            let path = format!("{path}?artifactType={filter}");
            assert_eq!(listed(&registry, &path).await.len(), count, "{filter}");
            assert_eq!(registry.get(&path).await.value("oci-filters-applied"), "artifactType");
        }
    }
    assert_eq!(registry.get(&path).await.value("oci-filters-applied"), "");
    assert_eq!(listed(&registry, &path).await.len(), 4);
    let twice = registry.get(&format!("{path}?artifactType={SBOM}&artifactType={SIGNATURE}")).await;
    twice.refused(400, "UNSUPPORTED");
}

/// A referrer may come before its subject, and where none ever comes.
#[tokio::test]
async fn a_subject_may_be_missing() {
    for registry in TestRegistry::each() {
        let subject = Image::new("subject");
        let referrer = Image::referrer("referrer", &subject, Some(SBOM));
        registry.push_image("a", "sbom", &referrer).await;
        let path = format!("/v2/a/referrers/{}", subject.digest);
        assert_eq!(digests(&listed(&registry, &path).await), [&referrer.digest]);
        registry.get(&format!("/v2/a/manifests/{}", subject.digest)).await.refused(404, "MANIFEST_UNKNOWN");
        assert!(listed(&registry, &format!("/v2/none/referrers/{}", subject.digest)).await.is_empty());
        registry.push_image("a", "1", &subject).await;
        assert_eq!(digests(&listed(&registry, &path).await), [&referrer.digest]);
    }
}

/// What was pushed before, to a registry without this list: the referrers are found by themselves, and the index that
/// older clients kept under the tag schema stays what it is, a tag.
#[tokio::test]
async fn what_older_clients_kept_under_the_tag_schema_is_found() {
    let mut registry = TestRegistry::filesystem();
    let subject = registry.image("a", "1", "subject").await;
    let referrers: Vec<Image> = ["x", "y"].map(|seed| Image::referrer(seed, &subject, Some(SBOM))).into();
    for referrer in &referrers {
        registry.push_image("a", &referrer.digest, referrer).await;
    }
    let entries: Vec<Value> = referrers
        .iter()
        .map(|referrer| {
            let mut entry = descriptor(MediaType::OCI_MANIFEST, &referrer.manifest);
            entry["artifactType"] = SBOM.into();
            entry
        })
        .collect();
    let index = json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": entries }).to_string();
    let tag = subject.digest.replace(':', "-");
    registry.put_manifest(&format!("/v2/a/manifests/{tag}"), MediaType::OCI_INDEX, index.clone()).await.expect(201);
    for _ in 0..2 {
        let found = listed(&registry, &format!("/v2/a/referrers/{}", subject.digest)).await;
        let expected = sorted(referrers.iter().map(|referrer| referrer.digest.as_str()).collect());
        assert_eq!(digests(&found), expected);
        assert_eq!(registry.get(&format!("/v2/a/manifests/{tag}")).await.expect(200).body, index);
        assert_eq!(registry.tags("a").await, ["1", &tag]);
        registry.restart();
    }
}

#[tokio::test]
async fn an_artifact_manifest_is_a_referrer() {
    let registry = TestRegistry::memory();
    let subject = registry.image("a", "1", "subject").await;
    let body = json!({
        "mediaType": MediaType::OCI_ARTIFACT_MANIFEST,
        "artifactType": SIGNATURE,
        "blobs": [],
        "subject": descriptor(MediaType::OCI_MANIFEST, &subject.manifest),
    })
    .to_string();
    let path = format!("/v2/a/manifests/{}", sha256(body.as_bytes()));
    let put = registry.put_manifest(&path, MediaType::OCI_ARTIFACT_MANIFEST, body).await.expect(201);
    assert_eq!(put.value("oci-subject"), subject.digest);
    let found = listed(&registry, &format!("/v2/a/referrers/{}?artifactType={SIGNATURE}", subject.digest)).await;
    assert_eq!(found[0]["mediaType"], MediaType::OCI_ARTIFACT_MANIFEST);
}

/// All pages of a list of referrers, by their links.
async fn pages(registry: &TestRegistry, first: &str) -> Vec<(usize, Vec<String>)> {
    let (mut pages, mut next) = (Vec::new(), first.to_owned());
    loop {
        let answer = registry.get(&next).await.expect(200);
        let index = answer.json();
        let digests = digests(index["manifests"].as_array().unwrap()).into_iter().map(str::to_owned).collect();
        pages.push((answer.body.len(), digests));
        assert!(pages.len() < 1000, "the pages don't end");
        match answer.next() {
            None => return pages,
            Some(link) => next = link,
        }
    }
}

/// Hundreds of them, some very long: no answer is longer than a manifest may be, and none is left out.
#[tokio::test]
async fn f10_many_referrers_come_in_pages() {
    const LIMIT: usize = 4 * 1024 * 1024;
    let registry = TestRegistry::memory();
    let subject = registry.image("a", "1", "subject").await;
    let large = "x".repeat(200_000);
    let mut expected = Vec::new();
    for n in 0..600 {
        let body = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_INDEX,
            "manifests": [],
            "artifactType": if n % 24 == 0 { SBOM } else { SIGNATURE },
            "annotations": { "n": n.to_string(), "large": if n % 24 == 0 { &large } else { "" } },
            "subject": descriptor(MediaType::OCI_MANIFEST, &subject.manifest),
        })
        .to_string();
        let digest = sha256(body.as_bytes());
        registry.put_manifest(&format!("/v2/a/manifests/{digest}"), MediaType::OCI_INDEX, body).await.expect(201);
        expected.push((n % 24 == 0, digest));
    }
    let path = format!("/v2/a/referrers/{}", subject.digest);
    for (query, only_large, fewest) in
        [("", false, 2), ("?n=100", false, 6), (&format!("?artifactType={SBOM}"), true, 2)]
    {
        let pages = pages(&registry, &format!("{path}{query}")).await;
        assert!(pages.len() >= fewest, "{query}: {}", pages.len());
        assert!(pages.iter().all(|(bytes, page)| *bytes <= LIMIT && !page.is_empty()), "{query}");
        let listed = pages.into_iter().flat_map(|(_, page)| page).collect::<Vec<_>>();
        let mut wanted: Vec<_> =
            expected.iter().filter(|(large, _)| *large || !only_large).map(|(_, digest)| digest.clone()).collect();
        wanted.sort_unstable();
        assert_eq!(listed, wanted, "{query}");
    }
}
