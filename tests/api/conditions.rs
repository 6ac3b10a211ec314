//! `If-Match` and `If-None-Match` (RFC 9110, section 13): who says what it expects is not surprised.

use bytes::Bytes;
use reqwest::Method;
use wharf::oci::MediaType;

use crate::{
    content::{Image, sha256},
    registry::TestRegistry,
    support::answer::Answer,
    support::raw,
};

/// A manifest that differs from others by a number.
fn numbered(number: u64) -> Bytes {
    let index = serde_json::json!({
        "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": [], "annotations": { "number": number.to_string() },
    });
    index.to_string().into()
}

fn number_of(manifest: &Answer) -> u64 {
    manifest.json()["annotations"]["number"].as_str().unwrap().parse().unwrap()
}

fn put(registry: &TestRegistry, reference: &str, fields: &[&str], body: &[u8]) -> Answer {
    let fields = [&["Content-Type: application/vnd.oci.image.index.v1+json"], fields].concat();
    raw::send(registry, "PUT", &format!("/v2/a/manifests/{reference}"), &fields, body)
}

/// Fields, `A` standing for the tag of what is there and `B` for that of something else: whether a write goes through
/// where it is there, and where nothing is, and the status of a read.
const CONDITIONS: &[(&[&str], bool, bool, u16)] = &[
    (&[], true, true, 200),
    (&["If-Match: *"], true, false, 200),
    (&["If-Match: \"A\""], true, false, 200),
    (&["If-Match: A"], true, false, 200),
    (&["If-Match: W/\"A\""], false, false, 412),
    (&["If-Match: \"B\""], false, false, 412),
    (&["If-Match: \"B\", \"A\""], true, false, 200),
    (&["If-Match: \"B\"", "If-Match: \"A\""], true, false, 200),
    (&["If-Match: \"B\"", "If-Match: W/\"A\""], false, false, 412),
    (&["If-Match:"], false, false, 412),
    (&["If-Match: \"A"], false, false, 412),
    (&["If-Match: \"B\", *"], false, false, 412),
    (&["If-Match: \u{e9}"], false, false, 412),
    (&["If-None-Match: *"], false, true, 304),
    (&["If-None-Match: \"A\""], false, true, 304),
    (&["If-None-Match: W/\"A\""], false, true, 304),
    (&["If-None-Match: \"B\""], true, true, 200),
    (&["If-None-Match: \"B\", W/\"A\""], false, true, 304),
    (&["If-None-Match: \"B\"", "If-None-Match: \"A\""], false, true, 304),
    (&["If-None-Match:"], true, true, 200),
    (&["If-None-Match: \"B"], false, false, 200),
    (&["If-Match: \"A\"", "If-None-Match: \"A\""], false, false, 304),
    (&["If-Match: \"B\"", "If-None-Match: \"A\""], false, false, 412),
    (&["If-Match: \"A\"", "If-None-Match: \"B\""], true, false, 200),
    // Content has no time of its own, so conditions on it are not looked at.
    (&["If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT"], true, true, 200),
];

fn named(fields: &[&str], here: &str, other: &str) -> Vec<String> {
    // Only the tags have capital letters that stand alone.
    let name = |field: &&str| {
        let (name, value) = field.split_once(':').unwrap();
        if value.contains("GMT") {
            return (*field).to_owned();
        }
        format!("{name}:{}", value.replace('A', here).replace('B', other))
    };
    fields.iter().map(name).collect()
}

#[tokio::test]
async fn report_p6_a_manifest_is_changed_only_under_its_conditions() {
    for registry in TestRegistry::each() {
        let (old, new, other) = (numbered(1), numbered(2), sha256(b"other"));
        let (here, moved) = (sha256(&old), sha256(&new));
        for (fields, there, absent, read) in CONDITIONS {
            let fields = named(fields, &here, &other);
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            let must = |answer: &Answer, allowed: bool, status: u16| {
                assert_eq!(answer.status, if allowed { status } else { 412 }, "{fields:?}: {answer:?}");
                assert!(allowed || answer.code() == "PRECONDITION_FAILED", "{answer:?}");
            };
            let of = async |reference: &str| {
                let answer = registry.head(&format!("/v2/a/manifests/{reference}")).await;
                answer.value("docker-content-digest").to_owned()
            };
            put(&registry, "t", &[], &old).expect(201);
            for method in ["GET", "HEAD"] {
                for reference in ["t", &here] {
                    let answer = raw::send(&registry, method, &format!("/v2/a/manifests/{reference}"), &fields, b"");
                    assert_eq!(answer.status, *read, "{method} {fields:?}: {answer:?}");
                }
            }
            // A tag that is there moves or stays; one that is not begins or does not. What else it would be called does
            // not count.
            must(&put(&registry, "t?tag=u", &fields, &new), *there, 201);
            assert_eq!(of("t").await, if *there { &moved[..] } else { &here[..] });
            assert_eq!(of("u").await, if *there { &moved[..] } else { "" });
            assert_eq!(of(&moved).await.is_empty(), !*there, "no link of what was refused");
            must(&put(&registry, "new?tag=t", &fields, &new), *absent, 201);
            assert_eq!(of("new").await, if *absent { &moved[..] } else { "" });
            // By digest it is the manifest itself that is there or not.
            registry.delete(&format!("/v2/a/manifests/{moved}")).await;
            put(&registry, &here, &[], &old).expect(201);
            must(&put(&registry, &format!("{here}?tag=v"), &fields, &old), *there, 201);
            assert_eq!(of("v").await, if *there { &here[..] } else { "" });
            must(&put(&registry, &moved, &fields, &new), *absent, 201);
            // Deletes: of a tag, whose tag is that of its manifest, and of the manifest.
            put(&registry, "t", &[], &old).expect(201);
            for reference in ["t", &here] {
                let path = format!("/v2/a/manifests/{reference}");
                must(&raw::send(&registry, "DELETE", &path, &fields, b""), *there, 202);
                assert_eq!(of(reference).await.is_empty(), *there, "{fields:?}");
                // What is not there is that, whatever was expected of it.
                registry.delete(&path).await;
                raw::send(&registry, "DELETE", &path, &fields, b"").refused(404, "MANIFEST_UNKNOWN");
                raw::send(&registry, "GET", &path, &fields, b"").refused(404, "MANIFEST_UNKNOWN");
            }
            for tag in ["u", "v", "new"] {
                registry.delete(&format!("/v2/a/manifests/{tag}")).await;
            }
            registry.delete(&format!("/v2/a/manifests/{moved}")).await;
        }
    }
}

#[tokio::test]
async fn report_p6_a_blob_is_read_and_deleted_only_under_its_conditions() {
    for registry in TestRegistry::each() {
        let other = sha256(b"other");
        for (fields, there, _, read) in CONDITIONS {
            let here = registry.push_blob("a", b"bytes").await;
            let path = format!("/v2/a/blobs/{here}");
            let fields = named(fields, &here, &other);
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            for method in ["GET", "HEAD"] {
                let answer = raw::send(&registry, method, &path, &fields, b"");
                assert_eq!(answer.status, *read, "{method} {fields:?}: {answer:?}");
                let ranged = [&fields[..], &["Range: bytes=1-2"]].concat();
                let answer = raw::send(&registry, method, &path, &ranged, b"");
                let ranged = if (method, *read) == ("GET", 200) { 206 } else { *read };
                assert_eq!(answer.status, ranged, "{method} {fields:?}: {answer:?}");
            }
            let deleted = raw::send(&registry, "DELETE", &path, &fields, b"");
            assert_eq!(deleted.status, if *there { 202 } else { 412 }, "{fields:?}: {deleted:?}");
            assert_eq!(registry.head(&path).await.status, if *there { 404 } else { 200 }, "{fields:?}");
        }
    }
}

/// What an upload becomes is not what its URL names: conditions mean nothing there.
#[tokio::test]
async fn report_p6_uploads_have_no_conditions() {
    for registry in TestRegistry::each() {
        let digest = registry.push_blob("a", b"bytes").await;
        for field in ["If-Match: \"x\"", "If-None-Match: *", "If-Match: *", "If-Match: \""] {
            let begun = raw::send(&registry, "POST", "/v2/a/blobs/uploads/", &[field], b"").expect(202);
            let session = begun.value("location").to_owned();
            raw::send(&registry, "PATCH", &session, &[field], b"byt").expect(202);
            raw::send(&registry, "GET", &session, &[field], b"").expect(204);
            raw::send(&registry, "PUT", &format!("{session}?digest={digest}"), &[field], b"es").expect(201);
        }
    }
}

/// What a push is wrong for otherwise is said first.
#[tokio::test]
async fn report_p6_other_errors_come_first() {
    let registry = TestRegistry::filesystem();
    let image = Image::new("image");
    let before = registry.tree();
    let fields = ["If-Match: \"x\""];
    put(&registry, "t", &fields, b"{").refused(400, "MANIFEST_INVALID");
    put(&registry, &sha256(b"x"), &fields, &numbered(1)).refused(400, "DIGEST_INVALID");
    let fields = ["If-Match: \"x\"", "Content-Type: application/vnd.oci.image.manifest.v1+json"];
    let answer = raw::send(&registry, "PUT", "/v2/a/manifests/t", &fields, &image.manifest);
    answer.refused(400, "MANIFEST_BLOB_UNKNOWN");
    assert_eq!(registry.tree(), before);
    let mut registry = registry;
    put(&registry, "t", &[], &numbered(1)).expect(201);
    registry.restart_with(|config| config.storage.delete = false);
    raw::send(&registry, "DELETE", "/v2/a/manifests/t", &fields, b"").refused(405, "UNSUPPORTED");
}

/// Many clients that each read a tag, count one up, and write it only if nobody else did: not one step is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn report_p6_compare_and_swap_loses_no_update() {
    const CLIENTS: u64 = 8;
    const STEPS: u64 = 12;
    for registry in TestRegistry::each() {
        let count = async |_: u64| {
            let (mut steps, mut refused) = (0, 0);
            while steps < STEPS {
                let now = registry.get("/v2/a/manifests/counter").await;
                let (condition, next) = match now.status {
                    404 => (("If-None-Match", "*".to_owned()), numbered(1)),
                    _ => (("If-Match", now.value("etag").to_owned()), numbered(number_of(&now) + 1)),
                };
                let request = registry.request(Method::PUT, "/v2/a/manifests/counter").header(condition.0, condition.1);
                let request = request.header("Content-Type", MediaType::OCI_INDEX).body(next);
                match Answer::of(request).await.status {
                    201 => steps += 1,
                    412 => refused += 1,
                    status => panic!("{status}"),
                }
            }
            refused
        };
        let refused: u64 = futures_util::future::join_all((0..CLIENTS).map(count)).await.into_iter().sum();
        assert_eq!(number_of(&registry.get("/v2/a/manifests/counter").await.expect(200)), CLIENTS * STEPS);
        assert!(refused > 0, "nobody was ever in the way of another");
    }
}
