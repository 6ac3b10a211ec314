//! Fields that answers have, and that they never have.

use reqwest::Method;

use crate::{
    content::Image,
    registry::TestRegistry,
    support::{answer::Answer, raw},
};

const SECURITY: [(&str, &str); 5] = [
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "default-src 'none'; sandbox; frame-ancestors 'none'"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// A request to every route, with every kind of end.
async fn everywhere(registry: &TestRegistry) -> Vec<(String, Answer)> {
    let image = registry.image("a", "1", "image").await;
    let (subject, layer) = (&image.digest, crate::content::sha256(&image.layer));
    let session = registry.begin_upload("a").await;
    let unknown = Image::new("unknown").digest;
    let mut answers = Vec::new();
    let reads = [
        "/".to_owned(),
        "/healthz".to_owned(),
        "/v2/".to_owned(),
        "/v2/_catalog?n=0".to_owned(),
        "/v2/a/tags/list".to_owned(),
        format!("/v2/a/referrers/{subject}"),
        "/v2/a/manifests/1".to_owned(),
        "/v2/a/manifests/none".to_owned(),
        format!("/v2/a/blobs/{layer}"),
        format!("/v2/a/blobs/{unknown}"),
        "/v2/a/blobs/sha256:short".to_owned(),
        session.clone(),
        "/v2/none/tags/list".to_owned(),
        "/v2/A/tags/list".to_owned(),
        "/v2/a/tags/list?n=-1".to_owned(),
        "/nowhere".to_owned(),
        "/v2/nowhere".to_owned(),
    ];
    for path in reads {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::POST] {
            answers.push((format!("{method} {path}"), registry.send(method, &path).await));
        }
    }
    answers.push(("PATCH".to_owned(), registry.with_body(Method::PATCH, &session, "x").await));
    answers.push(("PUT".to_owned(), registry.with_body(Method::PUT, &format!("{session}?digest={unknown}"), "").await));
    answers.push(("DELETE".to_owned(), registry.delete(&format!("/v2/a/manifests/{subject}")).await));
    answers
}

#[tokio::test]
async fn every_answer_has_the_security_headers_and_none_has_what_it_should_not() {
    let registry = TestRegistry::memory();
    let answers = everywhere(&registry).await;
    assert!(answers.iter().any(|(_, answer)| answer.status == 200) && answers.len() > 80);
    for (request, answer) in answers {
        for (name, value) in SECURITY {
            assert_eq!(answer.value(name), value, "{request}");
        }
        let of_the_api = request.contains(" /v2") || !request.contains('/');
        assert_eq!(
            answer.value("docker-distribution-api-version"),
            if of_the_api { "registry/2.0" } else { "" },
            "{request}"
        );
        for never in ["strict-transport-security", "www-authenticate", "server", "access-control-allow-origin"] {
            assert_eq!(answer.value(never), "", "{request}");
        }
    }
}

#[tokio::test]
async fn a17_there_are_no_cookies_and_no_redirects() {
    let registry = TestRegistry::memory();
    for (request, answer) in everywhere(&registry).await {
        assert!(!(300..400).contains(&answer.status), "{request}: {answer:?}");
        assert_eq!(answer.value("set-cookie"), "", "{request}");
        assert!(answer.status < 500, "{request}: {answer:?}");
    }
}

/// HEAD is GET without the body, for errors as well.
#[tokio::test]
async fn head_is_get_without_the_body() {
    for registry in TestRegistry::each() {
        let answers = everywhere(&registry).await;
        let mut compared = 0;
        for (request, get) in &answers {
            let Some(path) = request.strip_prefix("GET ") else { continue };
            let head = &answers.iter().find(|(other, _)| *other == format!("HEAD {path}")).unwrap().1;
            assert_eq!(head.status, get.status, "{path}");
            assert!(head.body.is_empty(), "{path}");
            let fields = |answer: &Answer| {
                let mut fields = answer.headers.clone();
                fields.remove("date");
                fields
            };
            assert_eq!(fields(head), fields(get), "{path}");
            if get.status != 204 {
                assert_eq!(head.value("content-length"), get.body.len().to_string(), "{path}");
            }
            compared += 1;
        }
        assert_eq!(compared, 17);
    }
}

/// No answer repeats who the client says that it speaks to, or for.
#[tokio::test]
async fn i2_host_and_forwarded_fields_are_never_echoed() {
    let registry = TestRegistry::memory();
    let image = registry.image("a", "1", "image").await;
    let session = registry.begin_upload("a").await;
    let targets = [
        ("GET", "/v2/".to_owned()),
        ("GET", "/v2/_catalog?n=1".to_owned()),
        ("POST", "/v2/a/blobs/uploads/".to_owned()),
        ("GET", session.clone()),
        ("GET", "/v2/a/tags/list?n=1".to_owned()),
        ("GET", format!("/v2/a/referrers/{}", image.digest)),
        ("GET", "/v2/a/manifests/1".to_owned()),
        ("GET", "/nowhere".to_owned()),
        ("GET", "/v2/A/manifests/1".to_owned()),
        ("PUT", session),
    ];
    let fields = [
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Proto: evil.example",
        "X-Forwarded-For: evil.example",
        "X-Forwarded-Prefix: /evil.example",
        "X-Original-URL: /evil.example",
        "Forwarded: host=evil.example;proto=https;for=evil.example",
        "Origin: https://evil.example",
        "Referer: https://evil.example/",
    ];
    for (method, target) in targets {
        let mut request = format!("{method} {target} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n");
        for field in fields {
            request.push_str(field);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        let answer = String::from_utf8(raw::exchange(&registry, request.as_bytes())).unwrap();
        assert!(answer.starts_with("HTTP/1.1 "), "{target}");
        assert!(!answer.contains("evil"), "{answer}");
        assert!(!answer.contains("Location: http"), "{answer}");
    }
}

#[tokio::test]
async fn a_host_that_is_set_stands_before_every_location() {
    let host = "https://registry.example.test/";
    let set = |config: &mut wharf::config::Config| config.http.host = Some(host.parse().unwrap());
    let registry = TestRegistry::with(set);
    let begun = registry.post("/v2/a/blobs/uploads/").await.expect(202);
    assert!(begun.value("location").starts_with("https://registry.example.test/v2/a/blobs/uploads/"), "{begun:?}");
    let relative = TestRegistry::with(|config| {
        set(config);
        config.http.relative_urls = Some(true);
    });
    assert!(relative.begin_upload("a").await.starts_with("/v2/a/"));
}

#[tokio::test]
async fn fields_of_the_settings_replace_ours() {
    let registry = TestRegistry::with(|config| {
        config.http.headers =
            vec![("X-Frame-Options".into(), vec!["SAMEORIGIN".into()]), ("X-Own".into(), vec!["1".into(), "2".into()])];
    });
    for path in ["/v2/", "/nowhere", "/v2/a/manifests/1"] {
        let answer = registry.get(path).await;
        assert_eq!(answer.value("x-frame-options"), "SAMEORIGIN", "{path}");
        assert_eq!(answer.all("x-own"), ["1", "2"], "{path}");
        assert_eq!(answer.value("x-content-type-options"), "nosniff", "{path}");
    }
}

/// What a pull of an attacker's bytes with a browser must not run.
#[tokio::test]
async fn j3_nothing_that_was_pushed_is_served_as_a_page() {
    let registry = TestRegistry::memory();
    let html = b"<html><script>alert(1)</script></html>";
    let digest = crate::content::sha256(html);
    let push = registry
        .request(Method::POST, &format!("/v2/a/blobs/uploads/?digest={digest}"))
        .header("Content-Type", "text/html")
        .body(html.to_vec());
    Answer::of(push).await.expect(201);
    let blob = registry.get(&format!("/v2/a/blobs/{digest}")).await.expect(200);
    assert_eq!(blob.value("content-type"), "application/octet-stream");
    assert_eq!(blob.value("content-disposition"), "attachment");
    for media_type in
        ["text/html", "text/html; charset=utf-8", "image/svg+xml", "application/xhtml+xml", "application/json"]
    {
        for named in [true, false] {
            let image = Image::changed("page", |manifest| {
                let manifest = manifest.as_object_mut().unwrap();
                manifest.remove("mediaType");
                if named {
                    manifest.insert("mediaType".to_owned(), media_type.into());
                }
            });
            registry.push_blobs("a", &image).await;
            let refused = registry.put_manifest("/v2/a/manifests/page", media_type, image.manifest).await;
            refused.refused(400, "MANIFEST_INVALID");
        }
    }
    let echo = raw::get(&registry, "/v2/%3Cscript%3Ealert(1)%3C/script%3E/manifests/1");
    assert_eq!(echo.value("content-type"), "application/json; charset=utf-8");
    assert!(!String::from_utf8_lossy(&echo.body).contains("script"), "{echo:?}");
}

#[tokio::test]
async fn caches_are_told_what_changes() {
    let registry = TestRegistry::memory();
    let image = registry.image("a", "1", "image").await;
    let layer = crate::content::sha256(&image.layer);
    for (path, expected) in [
        ("/v2/a/manifests/1".to_owned(), "no-cache"),
        (format!("/v2/a/manifests/{}", image.digest), "no-cache"),
        ("/v2/a/tags/list".to_owned(), "no-cache"),
        ("/v2/_catalog".to_owned(), "no-cache"),
        (format!("/v2/a/referrers/{}", image.digest), "no-cache"),
        (format!("/v2/a/blobs/{layer}"), "max-age=31536000, immutable"),
    ] {
        assert_eq!(registry.get(&path).await.expect(200).value("cache-control"), expected, "{path}");
    }
}
