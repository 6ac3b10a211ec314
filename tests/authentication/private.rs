//! What is not for everybody can't be seen, and can't be told from what is not there.

use reqwest::Method;

use crate::{
    client::Client,
    site::{Mode, Site, basic},
    support::{
        http::{Answer, send},
        image::{Blob, Image, sha256},
    },
};

struct Private {
    site: Site,
    image: Image,
    blob: Blob,
    session: String,
}

impl Private {
    fn new(mode: Mode) -> Self {
        let (site, image, blob) = (Site::new(mode), Image::new(1, "amd64"), Blob::noise(2, 300));
        let alice = site.user("alice");
        alice.push("a", "t", &image);
        alice.put_blob("a", &blob).expect(201);
        let location = alice.begin("a").expect(202).header("location").unwrap().to_owned();
        let session = location.rsplit_once('/').unwrap().1.to_owned();
        Self { site, image, blob, session }
    }

    /// Paths of a repository for what is in `a`.
    fn paths(&self, repository: &str) -> Vec<String> {
        let (manifest, blob) = (self.image.manifest().digest(), self.blob.digest());
        [
            "manifests/t",
            &format!("manifests/{manifest}"),
            &format!("blobs/{blob}"),
            "tags/list",
            &format!("referrers/{manifest}"),
        ]
        .iter()
        .map(|rest| format!("/v2/{repository}/{rest}"))
        .chain([format!("/v2/{repository}/blobs/uploads/{}", self.session)])
        .collect()
    }
}

#[test]
fn a1_without_a_login_nothing_is_served() {
    for mode in Mode::BOTH {
        let private = Private::new(mode);
        let paths = private.paths("a").into_iter().chain(["/v2/_catalog".to_owned()]);
        for path in paths {
            for method in [Method::GET, Method::HEAD] {
                let bare = send(private.site.http().request(method.clone(), &path)).expect(401);
                assert!(bare.headers.contains_key("www-authenticate"));
                // With a token for nobody, too.
                private.site.nobody().ask(method, &path).expect(401);
            }
        }
    }
}

/// Bob asks for what is in `a`, which is there, and in `z`, which never was: the answers are the same, to the last
/// byte.
#[test]
fn a13_what_is_there_and_what_is_not_look_the_same() {
    for mode in Mode::BOTH {
        let private = Private::new(mode);
        for client in [private.site.user("bob"), private.site.nobody()] {
            for (there, missing) in private.paths("a").iter().zip(private.paths("z")) {
                for method in [Method::GET, Method::HEAD, Method::DELETE, Method::PUT, Method::PATCH, Method::POST] {
                    let (seen, expected) = (client.ask(method.clone(), there), client.ask(method.clone(), &missing));
                    expect_same(&seen, &expected, &format!("{mode:?} {method} {there}"));
                }
            }
            let upload = |repository: &str| client.begin(repository);
            expect_same(&upload("a"), &upload("z"), "POST");
            let from = |repository: &str| mount(&client, repository, private.blob.digest());
            expect_same(&from("a"), &from("z"), "mount");
        }
    }
}

/// What is of `a` is not in `b`, where bob may do everything: by its digest, by its session, by its subject.
#[test]
fn a15_what_is_of_another_repository_is_not_here() {
    for mode in Mode::BOTH {
        let private = Private::new(mode);
        let bob = private.site.user("bob");
        bob.push("b", "own", &Image::new(50, "amd64"));
        let foreign = private.paths("b");
        let unknown: Vec<_> = foreign
            .iter()
            .map(|path| {
                let path = path.replace(private.image.manifest().digest(), &sha256(b"nothing"));
                let path = path.replace(private.blob.digest(), &sha256(b"nothing"));
                path.replace(&private.session, "67e55044-10b1-426f-9247-bb680e5fe0c8")
            })
            .collect();
        for (foreign, unknown) in foreign.iter().zip(&unknown).filter(|(path, _)| !path.ends_with("tags/list")) {
            for method in [Method::GET, Method::HEAD] {
                let (seen, expected) = (bob.ask(method.clone(), foreign), bob.ask(method.clone(), unknown));
                let expected_status = if foreign.contains("referrers") { 200 } else { 404 };
                assert_eq!(seen.status, expected_status, "{foreign}");
                expect_same(&seen, &expected, foreign);
            }
        }
    }
}

fn mount(client: &Client, from: &str, digest: &str) -> Answer {
    client.ask(Method::POST, &format!("/v2/b/blobs/uploads/?mount={digest}&from={from}"))
}

/// Status, fields and body are the same, once the name, the digest and what is made at random are taken out.
#[track_caller]
fn expect_same(seen: &Answer, expected: &Answer, what: &str) {
    let plain = |answer: &Answer| {
        let mut lines: Vec<_> = answer
            .headers
            .iter()
            .filter(|(name, _)| !["date", "location", "docker-upload-uuid", "content-length"].contains(&name.as_str()))
            .map(|(name, value)| format!("{name}: {}", without_names(value.to_str().unwrap())))
            .collect();
        lines.sort();
        (answer.status, lines, without_names(&String::from_utf8_lossy(&answer.body)))
    };
    assert_eq!(plain(seen), plain(expected), "{what}");
    assert_eq!(
        seen.headers.get("content-length").is_some(),
        expected.headers.get("content-length").is_some(),
        "{what}"
    );
}

fn without_names(text: &str) -> String {
    let mut text = text.to_owned();
    for name in ["a", "z"] {
        text = text.replace(&format!("repository:{name}:"), "repository:NAME:");
        text = text.replace(&format!("\"Name\":\"{name}\""), "\"Name\":NAME");
        text = text.replace(&format!("\"name\":\"{name}\""), "\"name\":NAME");
    }
    let mut parts = text.split("sha256:");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| format!("{text}DIGEST{}", part.get(64..).unwrap_or_default()))
}

/// The few paths that are for everybody, and no others.
#[test]
fn a14_what_is_public() {
    for mode in Mode::BOTH {
        let site = Site::new(mode);
        let token_endpoint = if mode == Mode::Token { 200 } else { 404 };
        for (path, expected) in
            [("/", 200), ("/healthz", 200), ("/token", token_endpoint), ("/v2/auth", token_endpoint)]
        {
            let answer = site.http().get(path).expect(expected);
            assert!(!String::from_utf8_lossy(&answer.body).contains("store"), "{answer:?}");
        }
        for path in [
            "/metrics",
            "/debug/vars",
            "/debug/pprof",
            "/v2",
            "/v1/",
            "/api",
            "/admin",
            "/users",
            "/swagger",
            "/v2/_health",
            "/token/x",
            "/tokens",
            "/v2/token",
            "/healthz/x",
            "/index.html",
            "/v2/auth/",
        ] {
            site.http().get(path).expect(401);
            let known = site.user("alice").get(path);
            assert!([200, 404].contains(&known.status) && (known.status == 404 || path == "/v2"), "{path}: {known:?}");
        }
    }
}

/// What one may not know is not told by the answer to nonsense either.
#[test]
fn nobody_learns_from_a_malformed_request() {
    for mode in Mode::BOTH {
        let site = Site::new(mode);
        for path in [
            "/v2/A/manifests/x",
            "/v2/a/blobs/sha256:x",
            "/v2/a/manifests/%ff",
            "/v2/a/blobs/uploads/x",
            "/v2/_catalog?n=x",
            "/v2/x",
        ] {
            site.http().get(path).expect(401);
        }
        let answer = match mode {
            Mode::Htpasswd => site.get("/v2/a/blobs/sha256:x", &basic("bob", "bob-pw")),
            Mode::Token => site.get("/v2/a/blobs/sha256:x", &site.bearer(Some("bob"), &[])),
        };
        answer.expect(400);
    }
}
