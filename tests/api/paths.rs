//! Names, references and digests, and whatever else may stand in their places.

use crate::{registry::TestRegistry, support::raw};

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const SESSION: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

/// What has led out of a store somewhere, once.
fn traversals() -> Vec<String> {
    let mut corpus: Vec<String> = [
        "..",
        "../x",
        "../../../../../../etc/passwd",
        "..%2f",
        "..%2F..%2Fetc%2Fpasswd",
        "%2e%2e/",
        "%2e%2e",
        "%252e%252e",
        "..\\",
        "%5c..%5c",
        "....//",
        "%c0%ae%c0%ae",
        "%00",
        "a%00",
        ".",
        "./x",
        "x/.",
        "//x",
        "x//y",
        "/abs",
        "~",
        "con:",
        "x/",
        "x;a=b",
        "x%3fb",
        "x%23b",
        "%",
        "%zz",
        "%ff",
        "%EF%BC%8E%EF%BC%8E",
        "x%0d%0aSet-Cookie:%20a=b",
        "%1b[31m",
        "x%20y",
        "-",
        "_",
        "%2F%2F..%2F..",
        "..;/x",
        "x@y",
    ]
    .map(str::to_owned)
    .into();
    corpus.push("a/".repeat(1000) + "a");
    corpus.push("A".repeat(300));
    corpus
}

#[tokio::test]
async fn e1_no_path_leads_out_of_the_store() {
    let registry = TestRegistry::filesystem();
    registry.image("a", "1", "image").await;
    let outside = registry.root().parent().unwrap().join(format!("outside-{}", registry.address().port()));
    let before = registry.tree();
    for bad in traversals() {
        let mut targets = vec![
            ("GET", format!("/v2/{bad}/manifests/1")),
            ("PUT", format!("/v2/{bad}/manifests/1")),
            ("GET", format!("/v2/{bad}/blobs/{DIGEST}")),
            ("POST", format!("/v2/{bad}/blobs/uploads/")),
            ("POST", format!("/v2/{bad}/blobs/uploads/?digest={DIGEST}")),
            ("GET", format!("/v2/{bad}/tags/list")),
            ("GET", format!("/v2/{bad}/referrers/{DIGEST}")),
            ("PATCH", format!("/v2/{bad}/blobs/uploads/{SESSION}")),
            ("DELETE", format!("/v2/{bad}/blobs/{DIGEST}")),
            ("GET", format!("/v2/a/blobs/{bad}")),
            ("DELETE", format!("/v2/a/blobs/{bad}")),
            ("GET", format!("/v2/a/referrers/{bad}")),
            ("GET", format!("/v2/a/blobs/uploads/{bad}")),
            ("PUT", format!("/v2/a/blobs/uploads/{bad}?digest={DIGEST}")),
            ("GET", format!("/v2/a/blobs/sha256:{bad}")),
            ("PUT", format!("/v2/a/manifests/sha256:{bad}")),
            ("POST", format!("/v2/a/blobs/uploads/?digest={bad}")),
        ];
        // This is a tag.
        if bad != "_" {
            targets.extend(["GET", "PUT", "DELETE"].map(|method| (method, format!("/v2/a/manifests/{bad}"))));
        }
        for (method, target) in targets {
            // A body that is not read would make each of these wait.
            let answer = raw::send(&registry, method, &target, &[], b"");
            let expected = matches!(answer.status, 400 | 404 | 405 | 414);
            assert!(expected, "{method} {target}: {answer:?}");
            let text = String::from_utf8_lossy(&answer.body);
            assert!(!text.contains("root:"), "{target}: {text}");
            assert_eq!(answer.value("set-cookie"), "", "{target}");
        }
    }
    for target in [
        "/../../../../etc/passwd",
        "/%2F%2F..%2F..%2F..%2Fetc%2Fpasswd",
        "/v2/../../etc/passwd",
        "/v2/a/../../../etc/passwd",
        "/static/../../x",
    ] {
        raw::get(&registry, target).refused(404, "UNSUPPORTED");
    }
    assert_eq!(registry.tree(), before);
    assert!(!outside.exists());
}

/// `last` and `from` may be any text, and none of it leads anywhere.
#[tokio::test]
async fn e1_parameters_that_are_no_names_lead_nowhere() {
    let registry = TestRegistry::filesystem();
    registry.image("a", "1", "image").await;
    let before = registry.tree();
    for bad in ["..", "../x", "%2e%2e%2f", "a%00", "/", "a//b", "%ff", "a%0a", "A", "%5c"] {
        let mount = format!("/v2/b/blobs/uploads/?mount={DIGEST}&from={bad}");
        let begun = raw::send(&registry, "POST", &mount, &[], b"").expect(202);
        registry.delete(begun.value("location")).await.expect(204);
        raw::get(&registry, &format!("/v2/_catalog?last={bad}")).expect(200);
        raw::get(&registry, &format!("/v2/a/referrers/{DIGEST}?last={bad}")).expect(200);
    }
    let files = |tree: std::collections::BTreeSet<std::path::PathBuf>| -> Vec<_> {
        tree.into_iter().filter(|path| path.is_file()).collect()
    };
    assert_eq!(files(registry.tree()), files(before));
}

#[test]
fn e4_bytes_that_are_no_text_are_no_names() {
    let registry = TestRegistry::memory();
    for bad in ["%00", "a%00b", "%ff", "%c3%28", "%e2%82", "%f0%80%80%80", "%ed%a0%80", "a%c0%afb", "%", "%4", "%zz"] {
        for target in [
            format!("/v2/{bad}/tags/list"),
            format!("/v2/a/manifests/{bad}"),
            format!("/v2/a/blobs/{bad}"),
            format!("/v2/a/blobs/uploads/{bad}"),
            format!("/{bad}"),
        ] {
            raw::get(&registry, &target).refused(400, "UNSUPPORTED");
        }
    }
}

/// Nothing makes a path pretty: after it is decoded it is ours or it is not, and nobody is sent elsewhere.
#[test]
fn e8_no_path_is_normalised_and_none_redirects() {
    let registry = TestRegistry::memory();
    for target in [
        "//evil.example/v2/",
        "//v2/",
        "//v2/_catalog",
        "/v2//_catalog",
        "/v2/_catalog/",
        "/V2/_catalog",
        "/v2/_catalog;x",
        "/v2/a/../_catalog",
        "/v2/./_catalog",
        "/v2/%2e/",
        "/v2/a/%2e%2e/_catalog",
        "/v2/a//tags/list",
        "/v2/a%2F%2Ftags/list",
        "/v2/a/tags/list/",
        "/v2/a/tags//list",
        "/v2/a/manifests/",
        "/\\evil.example",
    ] {
        let answer = raw::get(&registry, target);
        answer.refused(404, "UNSUPPORTED");
        assert_eq!(answer.value("location"), "", "{target}");
    }
    // The absolute form names the same resource, and whose it claims to be is not repeated.
    let answer = raw::get(&registry, "http://evil.example/v2/");
    assert!(matches!(answer.status, 200 | 400 | 404), "{answer:?}");
    assert!(!format!("{answer:?}").contains("evil"), "{answer:?}");
}

/// Clients and proxies escape what needs none; a resource is the same however it is written.
#[tokio::test]
async fn report_p8_a_path_is_decoded_once_and_whole() {
    let registry = TestRegistry::filesystem();
    let image = registry.image("owner/image", "1.0", "image").await;
    let digest = image.digest.replace(':', "%3A");
    for target in [
        "/v2/owner%2Fimage/tags/list",
        "/v2/%6fwner/image/tags/list",
        "/v2/owner/image%2ftags%2flist",
        "/v2/owner%2Fimage/manifests/1%2E0",
        "/v2/owner/image/m%61nifests/1.0",
        &format!("/v2/owner%2Fimage/manifests/{digest}"),
        &format!("/v2/owner%2Fimage/referrers/{digest}"),
        "/%76%32/",
        "/v2/%5fcatalog",
        "/%68ealthz",
    ] {
        let answer = raw::get(&registry, target).expect(200);
        let version = answer.value("docker-distribution-api-version");
        assert_eq!(version, if target == "/%68ealthz" { "" } else { "registry/2.0" }, "{target}");
    }
    // What is written through such a path is where it is named.
    let begun = raw::send(&registry, "POST", "/v2/new%2Fone/blobs/uploads/", &[], b"").expect(202);
    assert!(begun.value("location").starts_with("/v2/new/one/blobs/uploads/"), "{begun:?}");
    for target in ["/v2/owner%252Fimage/tags/list", "/v2/%2561/tags/list"] {
        raw::get(&registry, target).refused(400, "NAME_INVALID");
    }
}
