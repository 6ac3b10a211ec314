//! Upload sessions: what they survive, and two clients at one.

use reqwest::Method;

use crate::{
    content::sha256,
    registry::TestRegistry,
    support::answer::Answer,
    support::raw::{self, Connection},
};

#[tokio::test]
async fn d7_a_session_survives_a_restart() {
    let mut registry = TestRegistry::filesystem();
    let session = registry.begin_upload("a/b").await;
    let fresh = registry.begin_upload("a/b").await;
    registry.with_body(Method::PATCH, &session, "01234").await.expect(202);
    registry.restart();
    assert_eq!(registry.get(&session).await.expect(204).value("range"), "0-4");
    registry.with_body(Method::PATCH, &session, "56").await.expect(202);
    registry.restart();
    let digest = sha256(b"0123456789");
    registry.with_body(Method::PUT, &format!("{session}?digest={digest}"), "789").await.expect(201);
    assert_eq!(registry.get(&format!("/v2/a/b/blobs/{digest}")).await.expect(200).body, "0123456789");
    registry.with_body(Method::PUT, &format!("{fresh}?digest={}", sha256(b"x")), "x").await.expect(201);
    registry.restart();
    registry.get(&session).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    registry.get(&format!("/v2/a/b/blobs/{digest}")).await.expect(200);
}

/// The client holds nothing of a session but its name.
#[tokio::test]
async fn d6_no_other_name_leads_to_a_session() {
    let registry = TestRegistry::filesystem();
    let session = registry.begin_upload("a").await;
    registry.with_body(Method::PATCH, &session, "01234").await.expect(202);
    let (path, id) = session.rsplit_once('/').unwrap();
    for at in 0..id.len() {
        let mut flipped = id.as_bytes().to_vec();
        flipped[at] ^= 1;
        let stray = format!("{path}/{}", String::from_utf8(flipped).unwrap());
        let answer = raw::get(&registry, &stray);
        assert!(matches!(answer.status, 404 | 400), "{stray}: {answer:?}");
    }
    // Parameters that others' registries put their state into mean nothing.
    let answer = registry.get(&format!("{session}?_state=eyJPZmZzZXQiOjB9")).await.expect(204);
    assert_eq!(answer.value("range"), "0-4");
    assert_eq!(answer.value("location"), session);
}

#[tokio::test]
async fn e3_a_session_is_named_by_its_uuid_alone() {
    let registry = TestRegistry::filesystem();
    let session = registry.begin_upload("a").await;
    let id = session.rsplit('/').next().unwrap();
    let before = registry.tree();
    for stray in [
        "..".to_owned(),
        ".".to_owned(),
        "%2e%2e".to_owned(),
        "%2e".to_owned(),
        "a%2Fb".to_owned(),
        format!("{id}0"),
        id[..35].to_owned(),
        id.to_uppercase(),
        format!("%7B{id}%7D"),
        id.replace('-', ""),
        format!("urn:uuid:{id}"),
        format!("{id}%00"),
        format!("{id}/"),
        format!("..%2f{id}"),
        format!("./{id}"),
        "0".repeat(3000),
    ] {
        for method in ["GET", "PATCH", "PUT", "DELETE"] {
            let digest = sha256(b"x");
            let target = format!("/v2/a/blobs/uploads/{stray}?digest={digest}");
            // No letter of a UUID without any is upper case.
            if stray == id {
                continue;
            }
            let answer = raw::send(&registry, method, &target, &[], if method == "GET" { b"" } else { b"x" });
            assert!(matches!(answer.status, 400 | 404 | 405), "{method} {stray}: {answer:?}");
            answer.code();
        }
    }
    assert_eq!(registry.tree(), before);
    registry.get(&session).await.expect(204);
}

/// Two chunks for one place: one is taken, the other is told that it came late, and no byte is mixed.
#[tokio::test]
async fn d9_of_two_patches_for_the_same_range_one_wins() {
    for registry in TestRegistry::each() {
        for round in 0..10 {
            let session = registry.begin_upload("a").await;
            let patch = |byte: u8| {
                let request = registry.request(Method::PATCH, &session).header("Content-Range", "0-99999");
                Answer::of(request.body(vec![byte; 100_000]))
            };
            let (a, b) = tokio::join!(patch(b'a'), patch(b'b'));
            let winner = match (a.status, b.status) {
                (202, 416 | 409) => b'a',
                (416 | 409, 202) => b'b',
                statuses => panic!("round {round}: {statuses:?}"),
            };
            assert_eq!(registry.get(&session).await.expect(204).value("range"), "0-99999");
            let digest = sha256(&vec![winner; 100_000]);
            registry.send(Method::PUT, &format!("{session}?digest={digest}")).await.expect(201);
        }
    }
}

#[tokio::test]
async fn d9_of_two_puts_one_wins() {
    let registry = TestRegistry::filesystem();
    for round in 0..10 {
        let bytes = format!("round {round}").repeat(1000).into_bytes();
        let digest = sha256(&bytes);
        let session = registry.begin_upload("a").await;
        let path = format!("{session}?digest={digest}");
        let put = || registry.with_body(Method::PUT, &path, bytes.clone());
        let (a, b) = tokio::join!(put(), put());
        let mut statuses = [a.status, b.status];
        statuses.sort_unstable();
        assert!(matches!(statuses, [201, 400..500]), "{statuses:?}");
        assert!(registry.get(&format!("/v2/a/blobs/{digest}")).await.expect(200).body == bytes);
    }
    must_be_no_session(&registry);
}

#[tokio::test]
async fn d9_patch_against_put_and_against_delete() {
    let registry = TestRegistry::filesystem();
    for _ in 0..10 {
        let session = registry.begin_upload("a").await;
        let first = vec![b'1'; 50_000];
        let both = [first.clone(), vec![b'2'; 50_000]].concat();
        registry.with_body(Method::PATCH, &session, first.clone()).await.expect(202);
        let patch =
            registry.request(Method::PATCH, &session).header("Content-Range", "50000-99999").body(vec![b'2'; 50_000]);
        let end = format!("{session}?digest={}", sha256(&first));
        let (patched, put) = tokio::join!(Answer::of(patch), registry.send(Method::PUT, &end));
        match (patched.status, put.status) {
            // The PUT came first.
            (400..500, 201) => assert!(registry.get(put.value("location")).await.expect(200).body == first),
            // The PATCH did, so the digest is not that of what is there, and the session stays.
            (202, 400) => {
                registry.get(&format!("/v2/a/blobs/{}", sha256(&both))).await.refused(404, "BLOB_UNKNOWN");
                registry.delete(&session).await.expect(204);
            }
            statuses => panic!("{statuses:?}"),
        }
        let session = registry.begin_upload("a").await;
        let patch = registry.with_body(Method::PATCH, &session, first.clone());
        let (patched, deleted) = tokio::join!(patch, registry.delete(&session));
        assert_eq!(deleted.status, 204);
        assert!(matches!(patched.status, 202 | 404 | 409), "{patched:?}");
        registry.get(&session).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    }
    must_be_no_session(&registry);
}

/// A client that goes away in the middle: no more is there than the status says, and the upload goes on from it.
#[tokio::test]
async fn d11_a_body_that_breaks_off_is_never_taken_for_whole() {
    for registry in TestRegistry::each() {
        let digest = sha256(b"012");
        let host = registry.address();
        let session = registry.begin_upload("a").await;
        let put = format!("{session}?digest={digest}");
        let single = format!("/v2/a/blobs/uploads/?digest={digest}");
        for (method, target) in [("PUT", &put), ("POST", &single)] {
            for framing in [
                "Content-Length: 10\r\n\r\n012",
                "Transfer-Encoding: chunked\r\n\r\n3\r\n012\r\n",
                "Transfer-Encoding: chunked\r\n\r\na\r\n012",
            ] {
                let request = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{framing}");
                let answer = Connection::to(&registry).write(request.as_bytes()).finish().rest();
                assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
                registry.get(&format!("/v2/a/blobs/{digest}")).await.refused(404, "BLOB_UNKNOWN");
                if method == "PUT" {
                    let offset = offset_of(&registry, &session).await;
                    assert!(offset <= 3 * 3, "{offset}");
                }
            }
        }
        let fresh = registry.begin_upload("a").await;
        let request = format!("PATCH {fresh} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 10\r\n\r\n01234");
        Connection::to(&registry).write(request.as_bytes()).finish().rest();
        let offset = offset_of(&registry, &fresh).await;
        assert!(matches!(offset, 0 | 5), "{offset}");
        let whole = sha256(b"0123456789");
        let rest = &"0123456789"[offset..];
        let last = registry.request(Method::PUT, &format!("{fresh}?digest={whole}"));
        let last = last.header("Content-Range", format!("{offset}-9")).body(rest);
        Answer::of(last).await.expect(201);
        assert_eq!(registry.get(&format!("/v2/a/blobs/{whole}")).await.expect(200).body, "0123456789");
    }
}

/// How many bytes a session has. Its status tells nothing apart from one byte, which no test here sends alone.
async fn offset_of(registry: &TestRegistry, session: &str) -> usize {
    let status = registry.get(session).await.expect(204);
    match status.value("range").strip_prefix("0-").unwrap().parse().unwrap() {
        0 => 0,
        last => last + 1_usize,
    }
}

/// No session's file is left.
fn must_be_no_session(registry: &TestRegistry) {
    let left: Vec<_> = registry
        .tree()
        .into_iter()
        .filter(|path| path.is_file() && path.to_string_lossy().contains("_uploads"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
