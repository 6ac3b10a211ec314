//! What is a name, a tag or a digest, and what is not.

use std::fs;

use crate::{
    content::{Image, sha256, sha512},
    registry::TestRegistry,
    support::raw,
};

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const SESSION: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

#[tokio::test]
async fn e2_only_a_digest_is_a_digest() {
    let registry = TestRegistry::filesystem();
    registry.push_blob("a", b"").await;
    let hex = &DIGEST["sha256:".len()..];
    let before = registry.tree();
    let mut bad = vec![
        format!("sha256:{}", &hex[..63]),
        format!("{DIGEST}0"),
        DIGEST.to_uppercase(),
        format!("sha256:{}", hex.to_uppercase()),
        format!("SHA256:{hex}"),
        format!("sha256:{}g", &hex[..63]),
        "sha256:%2e%2e".to_owned(),
        "sha256:".to_owned(),
        ":".to_owned(),
        "sha256::".to_owned(),
        format!("sha256:{hex}:{hex}"),
        "md5:d41d8cd98f00b204e9800998ecf8427e".to_owned(),
        "md5:..".to_owned(),
        format!("sha384:{hex}{}", &hex[..32]),
        format!("sha512:{hex}"),
        format!("sha256+b64:{hex}"),
        format!("sha256.x:{hex}"),
        format!("sha256:{}%d9%a1", &hex[..62]),
        format!("sha256:{}%00", &hex[..63]),
        format!("%20{DIGEST}"),
        format!("{DIGEST}%20"),
        format!("{DIGEST}%0a"),
        format!("sha256:{}", "a".repeat(3000)),
        hex.to_owned(),
    ];
    bad.push(sha512(b"").replace("sha512", "sha256"));
    // With slashes it is another path, which is none of ours.
    for path in ["/v2/a/blobs/sha256:../../x", "/v2/a/blobs/sha256:..%2f..%2fx"] {
        raw::get(&registry, path).refused(404, "UNSUPPORTED");
    }
    for bad in bad {
        for (method, target) in [
            ("GET", format!("/v2/a/blobs/{bad}")),
            ("HEAD", format!("/v2/a/blobs/{bad}")),
            ("DELETE", format!("/v2/a/blobs/{bad}")),
            ("GET", format!("/v2/a/referrers/{bad}")),
            ("POST", format!("/v2/a/blobs/uploads/?digest={bad}")),
            ("PUT", format!("/v2/a/blobs/uploads/{SESSION}?digest={bad}")),
        ] {
            let answer = raw::send(&registry, method, &target, &[], b"");
            // A digest with a slash is no digest of a path, so there is no such path.
            let expected = if bad.contains('/') && !target.contains('?') { 404 } else { 400 };
            assert_eq!(answer.status, expected, "{method} {target}: {answer:?}");
            if method != "HEAD" && expected == 400 {
                // No path has a NUL.
                let is_path = !target.contains('?') && bad.contains("%00");
                let code = if is_path { "UNSUPPORTED" } else { "DIGEST_INVALID" };
                assert_eq!(answer.code(), code, "{method} {target}");
            }
        }
        if bad.contains(':') && !bad.contains('/') {
            let code = if bad.contains("%00") { "UNSUPPORTED" } else { "DIGEST_INVALID" };
            raw::get(&registry, &format!("/v2/a/manifests/{bad}")).refused(400, code);
        }
    }
    assert_eq!(registry.tree(), before);
    registry.get(&format!("/v2/a/blobs/{DIGEST}")).await.expect(200);
}

/// A repository may be called like a part of a path. The last keyword decides, and what is stored is where it is named.
#[tokio::test]
async fn e5_repositories_may_be_called_like_routes() {
    let registry = TestRegistry::filesystem();
    let names = [
        "x/manifests/y",
        "x/blobs/uploads",
        "v2",
        "v2/v2",
        "x/tags",
        "x/tags/list",
        "x/referrers",
        "manifests",
        "blobs",
        "blobs/uploads",
        "tags/list",
        "healthz",
    ];
    for name in names {
        let image = registry.image(name, "1", name).await;
        assert_eq!(registry.get(&format!("/v2/{name}/manifests/1")).await.expect(200).body, image.manifest, "{name}");
        let layer = registry.get(&format!("/v2/{name}/blobs/{}", sha256(&image.layer))).await.expect(200);
        assert_eq!(layer.body, image.layer, "{name}");
        assert_eq!(registry.tags(name).await, ["1"], "{name}");
        registry.get(&format!("/v2/{name}/referrers/{}", image.digest)).await.expect(200);
        let session = registry.begin_upload(name).await;
        assert!(session.starts_with(&format!("/v2/{name}/blobs/uploads/")), "{session}");
        registry.delete(&session).await.expect(204);
        let link =
            registry.root().join(format!("docker/registry/v2/repositories/{name}/_manifests/tags/1/current/link"));
        assert_eq!(fs::read_to_string(link).unwrap(), image.digest, "{name}");
    }
    let mut sorted = names;
    sorted.sort_unstable();
    assert_eq!(registry.catalog().await, sorted);
    for own in ["_catalog", "_uploads", "a/_layers", "_manifests/a"] {
        raw::get(&registry, &format!("/v2/{own}/tags/list")).refused(400, "NAME_INVALID");
    }
}

#[tokio::test]
async fn e6_names_and_tags_have_a_longest() {
    for registry in TestRegistry::each() {
        let image = Image::new("image");
        let deep = "a/".repeat(127) + "a";
        for name in ["a".repeat(255), deep] {
            assert_eq!(name.len(), 255);
            registry.push_image(&name, &"t".repeat(128), &image).await;
            registry.get(&format!("/v2/{name}/manifests/{}", "t".repeat(128))).await.expect(200);
            let longer = format!("/v2/{name}a");
            registry.get(&format!("{longer}/tags/list")).await.refused(400, "NAME_INVALID");
            registry.post(&format!("{longer}/blobs/uploads/")).await.refused(400, "NAME_INVALID");
            let tag = format!("/v2/{name}/manifests/{}", "t".repeat(129));
            registry
                .put_manifest(&tag, &image.media_type(), image.manifest.clone())
                .await
                .refused(400, "MANIFEST_INVALID");
            registry.get(&tag).await.refused(400, "MANIFEST_INVALID");
        }
    }
}

#[tokio::test]
async fn e7_only_the_grammar_is_a_name() {
    let registry = TestRegistry::filesystem();
    let before = registry.tree();
    for bad in [
        "A",
        "aB",
        "%ef%bd%81",
        "a..b",
        "a___b",
        "-a",
        "a-",
        ".a",
        "a.",
        "a/.b",
        "a/b-",
        "a._b",
        "a:b",
        "a+b",
        "%41",
        "a,b",
    ] {
        for (method, target) in [
            ("GET", format!("/v2/{bad}/manifests/1")),
            ("GET", format!("/v2/{bad}/tags/list")),
            ("POST", format!("/v2/{bad}/blobs/uploads/")),
            ("PUT", format!("/v2/{bad}/manifests/1")),
            ("DELETE", format!("/v2/{bad}/manifests/1")),
        ] {
            raw::send(&registry, method, &target, &[], b"").refused(400, "NAME_INVALID");
        }
    }
    for good in ["a__b", "a--b", "a-----b", "a.b_c__d-e/0"] {
        registry.push_blob(good, b"x").await;
    }
    assert!(registry.tree().is_superset(&before));
}
