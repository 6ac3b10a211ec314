//! What a client only proposes, and other ways of saying a thing: none is a reason to refuse.

use reqwest::Method;

use crate::{
    content::{Image, sha256, sha512, texts},
    registry::TestRegistry,
    support::raw,
};

/// A mount that can't be, for whatever reason, is a new upload, which works.
#[tokio::test]
async fn report_p3_a_mount_that_can_not_be_is_an_upload() {
    for registry in TestRegistry::each() {
        registry.push_blob("team/base", b"other").await;
        let digest = sha256(b"bytes");
        let there = sha256(b"other");
        let mut queries = vec![
            "mount=sha256:1&from=team/base".to_owned(),
            "mount=&from=team/base".to_owned(),
            "mount".to_owned(),
            "mount=%ff&from=%ff".to_owned(),
            format!("mount={}&from=team/base", sha512(b"bytes")),
            format!("mount={}&from=team/base", digest.replace("sha256", "md5")),
            format!("mount={}&from=team/base", digest.to_uppercase()),
            format!("mount={digest}"),
            format!("mount={digest}&from=team/base&mount={digest}"),
            format!("mount={digest}&digest-algorithm=blake3"),
            "from=team/base".to_owned(),
            "from=Old_Team/Base".to_owned(),
            "digest=".to_owned(),
            "digest-algorithm=".to_owned(),
            "digest-algorithm=md5".to_owned(),
            "digest-algorithm=sha512&digest-algorithm=x".to_owned(),
        ];
        let sources = [
            "Old_Team/Base",
            "none",
            "",
            "-",
            "a//b",
            "../a",
            "team%2Fbase%2F",
            "%00",
            "%ff",
            "_",
            "a:b",
            "a@b",
            "/",
            "team/base&from=none",
        ];
        for from in sources {
            queries.push(format!("mount={digest}&from={from}"));
            // Also where the content is in the store.
            if !from.is_empty() {
                queries.push(format!("mount={there}&from={from}"));
            }
        }
        queries.push(format!("mount={digest}&from={}", "a".repeat(300)));
        for query in queries {
            let begun = raw::send(&registry, "POST", &format!("/v2/b/blobs/uploads/?{query}"), &[], b"");
            assert_eq!(begun.status, 202, "{query}: {begun:?}");
            registry.get(&format!("/v2/b/blobs/{there}")).await.expect(404);
            let end = format!("{}?digest={digest}", begun.value("location"));
            registry.with_body(Method::PUT, &end, "bytes").await.expect(201);
            registry.delete(&format!("/v2/b/blobs/{digest}")).await.expect(202);
        }
        // The hint about the algorithm does not decide which digest ends the upload.
        let path = "/v2/b/blobs/uploads/?digest-algorithm=md5";
        let session = registry.post(path).await.expect(202).value("location").to_owned();
        registry.with_body(Method::PUT, &format!("{session}?digest={}", sha512(b"bytes")), "bytes").await.expect(201);
    }
}

/// A cursor is text to compare with.
#[tokio::test]
async fn report_p4_a_cursor_is_any_text() {
    for registry in TestRegistry::each() {
        let subject = Image::new("subject");
        for name in ["a", "b/c", "z"] {
            registry.push_image(name, "T", &subject).await;
        }
        for tag in ["1", "_", "latest"] {
            registry.push_image("a", tag, &subject).await;
        }
        let mut referrers = vec![Image::referrer("first", &subject, None), Image::referrer("second", &subject, None)];
        referrers.sort_by(|left, right| left.digest.cmp(&right.digest));
        for referrer in &referrers {
            registry.push_image("a", &referrer.digest, referrer).await;
        }
        let (repositories, tags) = (["a", "b/c", "z"], ["1", "T", "_", "latest"]);
        let digests = [referrers[0].digest.as_str(), referrers[1].digest.as_str()];
        let texts_of = |list: &serde_json::Value| -> Vec<String> {
            list.as_array().unwrap().iter().map(|one| one["digest"].as_str().unwrap().to_owned()).collect()
        };
        let between = format!("{}~", digests[0]);
        for (escaped, last) in [
            ("U", "U"),
            ("-", "-"),
            ("%20", " "),
            ("a%00", "a\0"),
            ("%ff", "\u{fffd}"),
            ("%c3%a9", "é"),
            ("..%2f", "../"),
            ("B%2FC", "B/C"),
            ("b%2F", "b/"),
            ("`", "`"),
            ("sha256", "sha256"),
            ("sha256%3A", "sha256:"),
            ("sha512%3A", "sha512:"),
            (&between, &between),
            (digests[0], digests[0]),
            (&digests[0][..70], &digests[0][..70]),
            ("%0a", "\n"),
            ("%", "%"),
        ] {
            let after = |all: &[&str]| -> Vec<String> {
                all.iter().filter(|entry| **entry > last).map(|entry| (*entry).to_owned()).collect()
            };
            let list = raw::get(&registry, &format!("/v2/_catalog?last={escaped}")).expect(200);
            assert_eq!(texts(&list.json()["repositories"]), after(&repositories), "{escaped}");
            let list = raw::get(&registry, &format!("/v2/a/tags/list?last={escaped}")).expect(200);
            assert_eq!(texts(&list.json()["tags"]), after(&tags), "{escaped}");
            let path = format!("/v2/a/referrers/{}?last={escaped}", subject.digest);
            let list = raw::get(&registry, &path).expect(200);
            assert_eq!(texts_of(&list.json()["manifests"]), after(&digests), "{escaped}");
        }
        let long = "x".repeat(1000);
        for path in ["/v2/_catalog".to_owned(), "/v2/a/tags/list".to_owned()] {
            raw::get(&registry, &format!("{path}?last={long}")).expect(200);
            // The first of two counts.
            raw::get(&registry, &format!("{path}?last=zz&last=0&n=5")).expect(200);
        }
    }
}

/// Scripts that know only registries whose `Location` has a query append to it with `&`.
#[tokio::test]
async fn report_p7_parameters_may_be_appended_to_an_upload_with_an_ampersand() {
    for registry in TestRegistry::each() {
        let digest = sha256(b"bytes");
        let escaped = digest.replace(':', "%3A");
        for end in [
            format!("&digest={digest}"),
            format!("&digest={escaped}"),
            format!("?digest={digest}"),
            format!("?_state=x&digest={digest}"),
            format!("&_state=x&digest={digest}"),
            format!("&_state=a%2Fb?digest={digest}"),
            format!("&digest={digest}?_state=x"),
            format!("&&digest={digest}&"),
        ] {
            let session = registry.begin_upload("a/b").await;
            let appended = format!("{session}{}", end.split('?').next().unwrap());
            assert_eq!(registry.get(&appended).await.expect(204).value("location"), session);
            let patched = raw::send(&registry, "PATCH", &appended, &["Content-Range: 0-2"], b"byt").expect(202);
            assert_eq!((patched.value("location"), patched.value("range")), (session.as_str(), "0-2"));
            raw::send(&registry, "PUT", &format!("{session}{end}"), &[], b"es").expect(201);
            assert_eq!(registry.get(&format!("/v2/a/b/blobs/{digest}")).await.expect(200).body, "bytes");
            let session = registry.begin_upload("a/b").await;
            registry.delete(&format!("{session}&x=y")).await.expect(204);
            registry.get(&session).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
        }
        // Two digests are still one too many, and nothing but an upload is named so.
        let session = registry.begin_upload("a/b").await;
        let twice = format!("{session}&digest={digest}?digest={digest}");
        raw::send(&registry, "PUT", &twice, &[], b"bytes").refused(400, "UNSUPPORTED");
        raw::send(&registry, "PUT", &session, &[], b"bytes").refused(400, "DIGEST_INVALID");
        raw::get(&registry, "/v2/a/b/tags/list&n=1").expect(404);
        raw::get(&registry, "/v2/_catalog&n=1").expect(404);
        raw::get(&registry, &format!("/v2/a/b/blobs/{digest}&x=y")).refused(400, "DIGEST_INVALID");
        raw::get(&registry, "/v2/a/b/manifests/1&x=y").refused(400, "MANIFEST_INVALID");
        let other = format!("/v2/a/b/blobs/uploads/&digest={digest}");
        raw::send(&registry, "POST", &other, &[], b"").expect(404);
    }
}
