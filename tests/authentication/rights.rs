//! Who may do what, on every route and by every way to show who one is.

use std::{collections::BTreeSet, fs, path::Path};

use reqwest::Method;

use crate::{
    client::{Client, Exchange},
    site::{Mode, RULES, Site},
    support::{
        http::{Answer, send},
        image::{Blob, Image},
        store::files,
    },
};

/// What a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Right {
    Pull,
    Push,
    /// Push onto a tag that is there.
    Overwrite,
    Delete,
}

impl Right {
    /// Whether a user has it on `a`, by [`RULES`].
    fn is_held(self, user: Option<&str>) -> bool {
        match user {
            Some("alice") => true,
            Some("ro") => self == Self::Pull,
            Some("maker") => matches!(self, Self::Pull | Self::Push),
            _ => false,
        }
    }
}

/// A repository `a` with what the routes name.
struct Ground {
    image: Image,
    other: Image,
    blob: Blob,
    session: String,
}

/// Every route of a repository with a method, as `src/api/routes.rs` writes it, and what it needs.
const MATRIX: [(&str, Method, Right); 21] = [
    ("/v2/<name>/tags/list", Method::GET, Right::Pull),
    ("/v2/<name>/tags/list", Method::HEAD, Right::Pull),
    ("/v2/<name>/referrers/<digest>", Method::GET, Right::Pull),
    ("/v2/<name>/referrers/<digest>", Method::HEAD, Right::Pull),
    ("/v2/<name>/manifests/<reference>", Method::GET, Right::Pull),
    ("/v2/<name>/manifests/<reference>", Method::HEAD, Right::Pull),
    ("/v2/<name>/blobs/<digest>", Method::GET, Right::Pull),
    ("/v2/<name>/blobs/<digest>", Method::HEAD, Right::Pull),
    ("/v2/<name>/blobs/uploads/", Method::POST, Right::Push),
    ("/v2/<name>/blobs/uploads/ (mount)", Method::POST, Right::Push),
    ("/v2/<name>/blobs/uploads/ (whole)", Method::POST, Right::Push),
    ("/v2/<name>/blobs/uploads/<session>", Method::GET, Right::Push),
    ("/v2/<name>/blobs/uploads/<session>", Method::HEAD, Right::Push),
    ("/v2/<name>/blobs/uploads/<session>", Method::PATCH, Right::Push),
    ("/v2/<name>/blobs/uploads/<session>", Method::PUT, Right::Push),
    ("/v2/<name>/blobs/uploads/<session>", Method::DELETE, Right::Push),
    ("/v2/<name>/manifests/<reference>", Method::PUT, Right::Push),
    ("/v2/<name>/manifests/<reference> (there)", Method::PUT, Right::Overwrite),
    ("/v2/<name>/manifests/<reference>", Method::DELETE, Right::Delete),
    ("/v2/<name>/manifests/<reference> (tag)", Method::DELETE, Right::Delete),
    ("/v2/<name>/blobs/<digest>", Method::DELETE, Right::Delete),
];

impl Ground {
    /// Made by alice, who may.
    fn new(site: &Site) -> Self {
        let (alice, image, blob) = (site.user("alice"), Image::new(7, "amd64"), Blob::noise(8, 500));
        alice.push("a", "there", &image);
        let other = Image::new(17, "amd64");
        alice.push("a", "other", &other);
        alice.put_blob("a", &blob).expect(201);
        let session = alice.begin("a").expect(202).header("location").unwrap().to_owned();
        Self { image, other, blob, session }
    }

    fn ask(&self, client: &Client, route: &str, method: &Method) -> Answer {
        let manifest = self.image.manifest();
        let (digest, new) = (self.blob.digest(), Blob::noise(9, 100));
        let of_manifest = format!("/v2/a/manifests/{}", manifest.digest());
        match (route, method) {
            ("/v2/<name>/tags/list", _) => client.ask(method.clone(), "/v2/a/tags/list"),
            ("/v2/<name>/referrers/<digest>", _) => {
                client.ask(method.clone(), &format!("/v2/a/referrers/{}", manifest.digest()))
            }
            ("/v2/<name>/manifests/<reference>", &Method::PUT) => client.put_manifest("a", "new", manifest),
            ("/v2/<name>/manifests/<reference> (there)", _) => client.put_manifest("a", "there", self.other.manifest()),
            ("/v2/<name>/manifests/<reference> (tag)", _) => client.ask(method.clone(), "/v2/a/manifests/there"),
            ("/v2/<name>/manifests/<reference>", _) => client.ask(method.clone(), &of_manifest),
            ("/v2/<name>/blobs/<digest>", _) => client.ask(method.clone(), &format!("/v2/a/blobs/{digest}")),
            ("/v2/<name>/blobs/uploads/", _) => client.begin("a"),
            ("/v2/<name>/blobs/uploads/ (mount)", _) => {
                client.ask(method.clone(), &format!("/v2/a/blobs/uploads/?mount={digest}&from=a"))
            }
            ("/v2/<name>/blobs/uploads/ (whole)", _) => {
                client.send_bytes(method.clone(), &format!("/v2/a/blobs/uploads/?digest={}", new.digest()), new.bytes())
            }
            (_, &Method::PATCH) => client.send_bytes(method.clone(), &self.session, new.bytes()),
            (_, &Method::PUT) => {
                let path = format!("{}?digest={}", self.session, new.digest());
                client.send_bytes(method.clone(), &path, new.bytes())
            }
            _ => client.ask(method.clone(), &self.session),
        }
    }
}

/// The ways in which one and the same user may come.
fn channels(site: &Site, mode: Mode, user: Option<&str>) -> Vec<Client> {
    let client = user.map_or_else(|| site.nobody(), |user| site.user(user));
    match mode {
        Mode::Htpasswd => vec![client],
        Mode::Token => vec![client.clone(), client.by(Exchange::Post)],
    }
}

/// Each credential, by each way, on each route: refused in the mode's words where the rules do not allow it, and the
/// store is as it was.
fn expect_refusals(mode: Mode) {
    let site = Site::new(mode);
    let ground = Ground::new(&site);
    for user in [Some("ro"), Some("maker"), Some("bob"), None] {
        for client in channels(&site, mode, user) {
            for (route, method, right) in MATRIX.iter().filter(|(_, _, right)| !right.is_held(user)) {
                let before = files(&site.store());
                let answer = ground.ask(&client, route, method);
                expect_refusal(&answer, mode, user, *right, &format!("{mode:?} {user:?} {method} {route}"));
                assert_eq!(files(&site.store()), before, "{mode:?} {user:?} {method} {route} left something");
            }
        }
    }
}

/// And allowed where they do, by each way.
fn expect_successes(mode: Mode) {
    let ways = [("alice", Exchange::Get), ("alice", Exchange::Post), ("maker", Exchange::Get), ("ro", Exchange::Get)];
    for (user, exchange) in ways {
        let site = Site::new(mode);
        let client = site.user(user).by(exchange);
        for (route, method, _) in MATRIX.iter().filter(|(_, _, right)| right.is_held(Some(user))) {
            let answer = Ground::new(&site).ask(&client, route, method);
            assert_eq!(answer.status / 100, 2, "{mode:?} {user} {method} {route}: {answer:?}");
        }
    }
}

#[test]
fn a6_a7_a8_row_16_refusals_by_password() {
    expect_refusals(Mode::Htpasswd);
}

#[test]
fn a6_a7_a8_row_16_refusals_by_token() {
    expect_refusals(Mode::Token);
}

#[test]
fn a7_successes_by_password() {
    expect_successes(Mode::Htpasswd);
}

#[test]
fn a7_successes_by_token() {
    expect_successes(Mode::Token);
}

fn expect_refusal(answer: &Answer, mode: Mode, user: Option<&str>, right: Right, what: &str) {
    let status = answer.status;
    // Who may push new tags is told that this one is not new; by a token too, for no other token would help.
    let expected = match (user, right) {
        (None, _) => 401,
        (Some("maker"), Right::Overwrite) => 403,
        _ => mode.denied(),
    };
    assert_eq!(status, expected, "{what}: {answer:?}");
    if !answer.body.is_empty() {
        let code = if user.is_none() && mode == Mode::Htpasswd { "UNAUTHORIZED" } else { "DENIED" };
        assert_eq!(answer.code(), code, "{what}: {answer:?}");
        assert!(!answer.json()["errors"][0]["detail"].is_null(), "docker would retry for a minute: {what}: {answer:?}");
    }
    assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401, "{what}: {answer:?}");
}

/// No route and no method is forgotten above: they are read from the tables of routes of both routers.
#[test]
fn the_matrix_has_every_route() {
    let read = |path| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let source = read("src/api/routes.rs") + &read("src/ops/mod.rs");
    let rows: Vec<_> =
        MATRIX.iter().map(|(route, method, _)| (route.split(" (").next().unwrap(), method.clone())).collect();
    let mut found = BTreeSet::new();
    for row in source.split("Route { template: \"").skip(1) {
        let (template, rest) = row.split_once('"').unwrap();
        let methods = rest
            .split_once("methods:")
            .unwrap()
            .1
            .split_once('}')
            .unwrap()
            .0
            .replace("READ", "Method::GET, Method::HEAD");
        found.insert(template.to_owned());
        if template.contains("<name>") {
            for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                let is_served = methods.contains(&format!("Method::{method}"));
                assert_eq!(rows.contains(&(template, method.clone())), is_served, "{template} {method}");
            }
        }
    }
    // What belongs to no repository has tests of its own: modes, catalog, token_endpoint, headers.
    let others: Vec<_> = found.iter().filter(|template| !template.contains("<name>")).map(String::as_str).collect();
    assert_eq!(others, ["/", "/healthz", "/token", "/v2/", "/v2/_catalog"]);
}

/// A token for reading is no token for deleting, whoever has it.
#[test]
fn a5_a8_a_token_is_narrower_than_its_owner() {
    let site = Site::new(Mode::Token);
    let ground = Ground::new(&site);
    for (scopes, may) in [
        ("repository:a:pull", [true, false, false]),
        ("repository:a:push", [false, true, false]),
        ("repository:a:pull,push", [true, true, false]),
        ("repository:a:delete", [false, false, true]),
        ("repository:a:*", [true, true, true]),
        ("", [false, false, false]),
    ] {
        let token = site.bearer(Some("alice"), &[scopes]);
        let status = |method: Method, path: &str| site.ask(method, path, &token).status;
        let missing = crate::support::image::sha256(scopes.as_bytes());
        let seen = [
            status(Method::GET, &format!("/v2/a/blobs/{}", ground.blob.digest())),
            status(Method::POST, "/v2/a/blobs/uploads/"),
            status(Method::DELETE, &format!("/v2/a/blobs/{missing}")),
        ];
        let expected = [[200, 401], [202, 401], [404, 401]];
        for ((seen, [allowed, refused]), may) in seen.into_iter().zip(expected).zip(may) {
            assert_eq!(seen, if may { allowed } else { refused }, "{scopes}");
        }
    }
}

/// What no route has is never read as another: not for anybody.
#[test]
fn a5_methods_that_there_are_not() {
    for mode in Mode::BOTH {
        let site = Site::new(mode);
        Ground::new(&site);
        for method in ["TRACE", "PROPFIND", "QUERY", "POST", "get"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let path = "/v2/a/manifests/there";
            send(site.http().request(method.clone(), path)).expect(401);
            let answer = site.user("alice").ask(method.clone(), path).expect(405);
            assert_eq!(answer.header("allow"), Some("GET, HEAD, PUT, DELETE, OPTIONS"), "{method}");
        }
    }
}

/// With `create` alone a tag that is there stays what it is, however one tries.
#[test]
fn a4_new_tags_only() {
    for mode in Mode::BOTH {
        let site = Site::new(mode);
        let ground = Ground::new(&site);
        let maker = site.user("maker");
        let other = Image::new(70, "amd64");
        maker.push("a", "new", &other);
        for tag in ["there", "new", "latest"] {
            site.user("alice").put_manifest("a", tag, ground.image.manifest()).expect(201);
            let answer = maker.put_manifest("a", tag, other.manifest()).expect(403);
            assert_eq!(answer.code(), "DENIED");
            assert!(!answer.json()["errors"][0]["detail"].is_null());
            assert_eq!(site.user("ro").get(&format!("/v2/a/manifests/{tag}")).body, ground.image.manifest().bytes());
        }
        // By digest a manifest may be pushed again, but no tag moved with it.
        let reference = format!("{}?tag=there&tag=latest", other.manifest().digest());
        maker.put_manifest("a", &reference, other.manifest());
        for tag in ["there", "latest"] {
            assert_eq!(site.user("ro").get(&format!("/v2/a/manifests/{tag}")).body, ground.image.manifest().bytes());
        }
    }
}

/// Who has no right is told that, and not whether a condition holds; and a condition gives no right.
#[test]
fn report_p6_rights_come_before_conditions() {
    for mode in Mode::BOTH {
        let site = Site::new(mode);
        let ground = Ground::new(&site);
        let etag = format!("\"{}\"", ground.image.manifest().digest());
        for (field, value) in [("If-Match", etag.as_str()), ("If-Match", "\"x\""), ("If-None-Match", "*")] {
            for (user, method, status) in [
                ("ro", Method::PUT, [401, 403]),
                ("ro", Method::DELETE, [401, 403]),
                ("bob", Method::GET, [401, 403]),
                ("maker", Method::PUT, [403, 403]),
                ("maker", Method::DELETE, [401, 403]),
            ] {
                let request = site.http().request(method.clone(), "/v2/a/manifests/there").header(field, value);
                let answer = site.user(user).send(request.body(ground.other.manifest().bytes().to_vec()));
                assert!(status.contains(&answer.status), "{mode:?} {user} {method} {field}: {answer:?}");
            }
        }
        let now = site.user("ro").get("/v2/a/manifests/there");
        assert_eq!(now.body, ground.image.manifest().bytes());
    }
}

#[test]
fn a3_where_nothing_is_deleted_nobody_deletes() {
    for mode in Mode::BOTH {
        let site = Site::with(mode, &format!("{RULES}[storage.delete]\nenabled = false\n"));
        let ground = Ground::new(&site);
        let alice = site.user("alice");
        for path in [
            "/v2/a/manifests/there".to_owned(),
            format!("/v2/a/manifests/{}", ground.image.manifest().digest()),
            format!("/v2/a/blobs/{}", ground.blob.digest()),
        ] {
            let answer = alice.ask(Method::DELETE, &path).expect(405);
            assert_eq!(answer.code(), "UNSUPPORTED");
        }
        alice.get("/v2/a/manifests/there").expect(200);
        alice.ask(Method::DELETE, &ground.session).expect(204);
    }
}

/// Reading without a login beside writing with one, as docker does it in token mode.
#[test]
fn row_17_anonymous_pull_with_authenticated_push() {
    let rules = "[[access]]\nusers = [\"alice\"]\nrepositories = [\"**\"]\nactions = [\"pull\", \"push\"]\n\
                 [[access]]\nusers = [\"anonymous\"]\nrepositories = [\"public/**\"]\nactions = [\"pull\"]\n";
    for mode in Mode::BOTH {
        let (site, image) = (Site::with(mode, rules), Image::new(1, "amd64"));
        let (alice, nobody) = (site.user("alice"), site.nobody());
        alice.push("public/app", "1", &image);
        alice.push("secret/app", "1", &image);
        // docker asks /v2/ first, and in token mode it gets a token there that holds.
        let login = nobody.get("/v2/");
        assert_eq!(login.status, if mode == Mode::Token { 200 } else { 401 });
        nobody.get("/v2/public/app/manifests/1").expect(200);
        for blob in image.blobs() {
            assert_eq!(nobody.get(&format!("/v2/public/app/blobs/{}", blob.digest())).expect(200).body, blob.bytes());
        }
        nobody.begin("public/app").expect(401);
        nobody.get("/v2/secret/app/manifests/1").expect(401);
        // Whoever logged in reads it too.
        site.user("bob").get("/v2/public/app/manifests/1").expect(200);
        site.user("bob").get("/v2/secret/app/manifests/1").expect(mode.denied());
    }
}

/// Nobody is asked for a login at `/v2/`, then at what it wants; docker shows the words of the second.
#[test]
fn row_17_and_18_not_logged_in() {
    let htpasswd = Site::new(Mode::Htpasswd);
    for path in ["/v2/", "/v2/a/manifests/1"] {
        let answer = htpasswd.nobody().get(path).expect(401);
        assert_eq!(answer.header("www-authenticate"), Some(r#"Basic realm="Registry Realm""#));
    }
    let token = Site::new(Mode::Token);
    for answer in [token.nobody().get("/v2/a/manifests/1"), token.nobody().begin("a")] {
        let answer = answer.expect(401);
        assert_eq!(answer.json()["errors"][0]["message"], "requested access to the resource is denied");
        assert_eq!(answer.code(), "DENIED");
    }
}
