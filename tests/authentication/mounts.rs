//! Blobs of a repository that one may not read, and uploads of others.

use reqwest::Method;

use crate::{
    client::Challenge,
    site::{Mode, RULES, Site},
    support::{
        http::send,
        image::{Blob, Image},
    },
};

fn secret(site: &Site) -> Blob {
    let blob = Blob::noise(5, 1000);
    site.user("alice").put_blob("a", &blob).expect(201);
    blob
}

/// A mount from where one may not pull is an upload like any other, never a 401: containerd's push would fail on that.
#[test]
fn d1_b35_what_may_not_be_pulled_is_not_mounted() {
    for mode in Mode::BOTH {
        let site = Site::new(mode);
        let digest = secret(&site).digest().to_owned();
        let bob = site.user("bob");
        for query in [format!("mount={digest}&from=a"), format!("mount={digest}"), format!("mount={digest}&from=zz")] {
            let answer = bob.ask(Method::POST, &format!("/v2/b/blobs/uploads/?{query}")).expect(202);
            assert!(answer.header("location").is_some_and(|location| location.starts_with("/v2/b/blobs/uploads/")));
            bob.ask(Method::HEAD, &format!("/v2/b/blobs/{digest}")).expect(404);
            bob.get(&format!("/v2/b/blobs/{digest}")).expect(404);
        }
    }
}

/// Where both rights are held, the blob is there without a byte sent.
#[test]
fn a_mount_with_both_rights() {
    let rules = format!("{RULES}[[access]]\nusers = [\"bob\"]\nrepositories = [\"a\"]\nactions = [\"pull\"]\n");
    for mode in Mode::BOTH {
        let site = Site::with(mode, &rules);
        let digest = secret(&site).digest().to_owned();
        let bob = site.user("bob");
        bob.ask(Method::POST, &format!("/v2/b/blobs/uploads/?mount={digest}&from=a")).expect(201);
        bob.get(&format!("/v2/b/blobs/{digest}")).expect(200);
    }
}

#[test]
fn b35_the_challenge_of_a_mount_names_both_scopes() {
    let site = Site::new(Mode::Token);
    let digest = secret(&site).digest().to_owned();
    let path = format!("/v2/b/blobs/uploads/?mount={digest}&from=a");
    let challenge = Challenge::of(&send(site.http().request(Method::POST, &path)).expect(401));
    assert_eq!(challenge.scope.as_deref(), Some("repository:b:pull,push repository:a:pull"));
    // A token for the target alone is enough to be told to upload.
    site.ask(Method::POST, &path, &site.bearer(Some("bob"), &["repository:b:pull,push"])).expect(202);
    let source_alone = site.ask(Method::POST, &path, &site.bearer(Some("alice"), &["repository:a:pull"])).expect(401);
    assert_eq!(Challenge::of(&source_alone).error.as_deref(), Some("insufficient_scope"));
}

/// What decides and what is mounted from is one and the same reading of the query.
#[test]
fn d8_a_query_with_two_meanings() {
    for mode in Mode::BOTH {
        let site = Site::new(mode);
        let digest = secret(&site).digest().to_owned();
        let bob = site.user("bob");
        for from in ["b&from=a", "a&from=b", "A", "a%00", "b/../a", "a/", "%61", "a%2f..%2fa", "a&mount=x"] {
            let answer = bob.ask(Method::POST, &format!("/v2/b/blobs/uploads/?mount={digest}&from={from}"));
            assert!([202, 400].contains(&answer.status), "{mode:?} {from}: {answer:?}");
            if answer.status == 400 {
                answer.code();
            }
            bob.get(&format!("/v2/b/blobs/{digest}")).expect(404);
        }
        let form = site.http().request(Method::POST, &format!("/v2/b/blobs/uploads/?mount={digest}"));
        let form = form.header("Content-Type", "application/x-www-form-urlencoded").body("from=a");
        assert!([202, 400].contains(&bob.send(form).status));
        bob.get(&format!("/v2/b/blobs/{digest}")).expect(404);
    }
}

/// Bytes that are there are no reason not to send them, and a manifest is no way to them.
#[test]
fn d2_d3_nothing_is_had_by_naming_it() {
    for mode in Mode::BOTH {
        let (site, image) = (Site::new(mode), Image::new(3, "amd64"));
        site.user("alice").push("a", "1", &image);
        let bob = site.user("bob");
        let answer = bob.put_manifest("b", "1", image.manifest()).expect(400);
        assert_eq!(answer.code(), "MANIFEST_BLOB_UNKNOWN");
        let digest = image.blobs().next().unwrap().digest().to_owned();
        for bytes in [&b""[..], b"other"] {
            let location = bob.begin("b").expect(202).header("location").unwrap().to_owned();
            bob.send_bytes(Method::PUT, &format!("{location}?digest={digest}"), bytes).expect(400);
        }
        bob.send_bytes(Method::POST, &format!("/v2/b/blobs/uploads/?digest={digest}"), b"other").expect(400);
        bob.get(&format!("/v2/b/blobs/{digest}")).expect(404);
    }
}

/// An upload belongs to its repository, and whoever has no right there neither reads nor disturbs it.
#[test]
fn d5_an_upload_of_another() {
    for mode in Mode::BOTH {
        let (site, blob) = (Site::new(mode), Blob::noise(6, 900));
        let (alice, bob) = (site.user("alice"), site.user("bob"));
        let location = alice.begin("a").expect(202).header("location").unwrap().to_owned();
        alice.send_bytes(Method::PATCH, &location, &blob.bytes()[..400]).expect(202);
        let in_b = location.replace("/v2/a/", "/v2/b/");
        for (path, expected) in [(&in_b, 404), (&location, mode.denied())] {
            bob.get(path).expect(expected);
            bob.send_bytes(Method::PATCH, path, b"disturbance").expect(expected);
            bob.send_bytes(Method::PUT, &format!("{path}?digest={}", blob.digest()), b"").expect(expected);
            bob.ask(Method::DELETE, path).expect(expected);
        }
        let path = format!("{location}?digest={}", blob.digest());
        alice.send_bytes(Method::PUT, &path, &blob.bytes()[400..]).expect(201);
        assert_eq!(alice.get(&format!("/v2/a/blobs/{}", blob.digest())).expect(200).body, blob.bytes());
    }
}
