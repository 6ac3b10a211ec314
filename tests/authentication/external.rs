//! Tokens of an issuer elsewhere, whose certificates or keys the registry was given.

use std::fs;

use jsonwebtoken::Algorithm;
use reqwest::Method;
use serde_json::json;

use crate::{
    client::Challenge,
    issuer::{ISSUER, Issuer, Named, SERVICE, access, claims},
    site::{Site, basic, write_private},
    support::wait::eventually,
    support::{
        http::send,
        image::{Blob, Image},
    },
};

/// How the registry was told of the issuer's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Bundle,
    Jwks,
}

pub(crate) fn trusting(issuer: &Issuer, by: By, more: &str) -> Site {
    let directory = Site::directory();
    let (name, text) = match by {
        By::Bundle => ("rootcertbundle", issuer.bundle()),
        By::Jwks => ("jwks", issuer.jwks()),
    };
    write_private(&directory.path().join(name), &text);
    let settings = format!(
        "[auth]\nmode = \"token\"\n[auth.token]\nrealm = \"https://auth.example/token\"\nservice = \"{SERVICE}\"\nissuer = \
         \"{ISSUER}\"\n{name} = \"DIRECTORY/{name}\"\n{more}"
    );
    Site::start(directory, &settings).unwrap()
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[test]
fn row_15_tokens_of_an_issuer_that_is_not_us() {
    for algorithm in [Algorithm::ES256, Algorithm::RS256] {
        let (issuer, stranger) = (Issuer::new(algorithm), Issuer::new(algorithm));
        for by in [By::Bundle, By::Jwks] {
            let site = trusting(&issuer, by, "");
            for named in Named::ALL {
                // A JWK set has neither certificates nor libtrust's names.
                let is_known = by == By::Bundle || named == Named::Thumbprint;
                let rights = access("a", &["pull", "push"]);
                let token = bearer(&issuer.token(named, "alice", &rights));
                let answer = site.ask(Method::POST, "/v2/a/blobs/uploads/", &token);
                let expected = if is_known { 202 } else { 401 };
                assert_eq!(answer.status, expected, "{algorithm:?} {by:?} {named:?}: {answer:?}");
                let foreign = stranger.token(named, "alice", &rights);
                let refused = site.ask(Method::POST, "/v2/a/blobs/uploads/", &bearer(&foreign)).expect(401);
                assert_eq!(Challenge::of(&refused).error.as_deref(), Some("invalid_token"));
                // The stranger's signature under the issuer's name.
                let claimed = stranger.sign(&issuer.header(named), &claims("alice", &rights));
                site.ask(Method::POST, "/v2/a/blobs/uploads/", &bearer(&claimed)).expect(401);
            }
        }
    }
}

/// A certificate that one of the bundle has signed counts as well; one that says so itself does not.
#[test]
fn row_15_a_chain_that_leads_to_the_bundle() {
    let authority = Issuer::new(Algorithm::ES256);
    let site = trusting(&authority, By::Bundle, "");
    let below = authority.certify(Algorithm::ES256);
    let token = below.token(Named::Certificate, "alice", &access("a", &["pull"]));
    site.get("/v2/", &bearer(&token)).expect(200);
    let mut header = below.header(Named::Certificate);
    header["x5c"] = json!([below.x5c(), authority.x5c()]);
    site.get("/v2/", &bearer(&below.sign(&header, &claims("alice", &json!([]))))).expect(200);
    let stranger = Issuer::new(Algorithm::ES256).certify(Algorithm::ES256);
    header["x5c"] = json!([stranger.x5c(), authority.x5c()]);
    site.get("/v2/", &bearer(&stranger.sign(&header, &claims("alice", &json!([]))))).expect(401);
}

/// The issuer decides who may do what, and gives tokens itself.
#[test]
fn the_issuers_word_is_what_counts() {
    let issuer = Issuer::new(Algorithm::ES256);
    let site = trusting(&issuer, By::Jwks, "");
    let challenge = Challenge::of(&site.http().get("/v2/a/tags/list").expect(401));
    assert_eq!((challenge.realm.as_str(), challenge.service.as_str()), ("https://auth.example/token", SERVICE));
    for path in ["/token", "/v2/auth"] {
        site.http().get(path).expect(404);
    }
    site.get("/v2/", &basic("alice", "alice-pw")).expect(401);
    let token =
        |name: &str, actions: &[&str]| bearer(&issuer.token(Named::Thumbprint, "anybody", &access(name, actions)));
    let blob = Blob::noise(1, 100);
    let path = format!("/v2/a/blobs/uploads/?digest={}", blob.digest());
    let push = site.http().request(Method::POST, &path).header("Authorization", token("a", &["*"]));
    send(push.body(blob.bytes().to_vec())).expect(201);
    site.get(&format!("/v2/a/blobs/{}", blob.digest()), &token("a", &["pull"])).expect(200);
    site.get(&format!("/v2/a/blobs/{}", blob.digest()), &token("b", &["pull"])).expect(401);
    site.ask(Method::DELETE, &format!("/v2/a/blobs/{}", blob.digest()), &token("a", &["pull", "push"])).expect(401);
    site.ask(Method::DELETE, &format!("/v2/a/blobs/{}", blob.digest()), &token("a", &["delete"])).expect(202);
}

/// The list is whole: who may see what is not known here.
#[test]
fn the_catalog_is_whole() {
    let issuer = Issuer::new(Algorithm::ES256);
    let site = trusting(&issuer, By::Jwks, "");
    let image = Image::new(1, "amd64");
    for name in ["a", "b"] {
        let token = bearer(&issuer.token(Named::Thumbprint, "pusher", &access(name, &["pull", "push"])));
        for blob in image.blobs() {
            let path = format!("/v2/{name}/blobs/uploads/?digest={}", blob.digest());
            let request = site.http().request(Method::POST, &path).header("Authorization", &token);
            send(request.body(blob.bytes().to_vec())).expect(201);
        }
        let request =
            site.http().request(Method::PUT, &format!("/v2/{name}/manifests/1")).header("Authorization", &token);
        let request = request.header("Content-Type", image.manifest().media_type());
        send(request.body(image.manifest().bytes().to_vec())).expect(201);
    }
    let all = json!([{"type": "registry", "name": "catalog", "actions": ["*"]}]);
    let list = site.get("/v2/_catalog", &bearer(&issuer.token(Named::Thumbprint, "x", &all))).expect(200).json();
    assert_eq!(list, json!({"repositories": ["a", "b"]}));
}

#[test]
fn only_the_algorithms_that_are_allowed() {
    let issuer = Issuer::new(Algorithm::ES256);
    let token = bearer(&issuer.token(Named::Libtrust, "alice", &json!([])));
    trusting(&issuer, By::Bundle, "signingalgorithms = [\"ES256\"]\n").get("/v2/", &token).expect(200);
    trusting(&issuer, By::Bundle, "signingalgorithms = [\"RS256\", \"EdDSA\"]\n").get("/v2/", &token).expect(401);
}

/// Keys change while the server runs, and with a key goes all that it has signed, however often it was accepted.
#[test]
fn keys_are_followed() {
    let (first, second) = (Issuer::new(Algorithm::ES256), Issuer::new(Algorithm::ES256));
    let site = trusting(&first, By::Jwks, "");
    let token = |issuer: &Issuer| bearer(&issuer.token(Named::Thumbprint, "alice", &json!([])));
    let (old, new) = (token(&first), token(&second));
    site.get("/v2/", &old).expect(200);
    site.get("/v2/", &new).expect(401);
    fs::write(site.path("jwks"), second.jwks()).unwrap();
    eventually("the new key counts", || site.get("/v2/", &new).status == 200);
    site.get("/v2/", &old).expect(401);
    // A file that is bad keeps the last good one.
    fs::write(site.path("jwks"), "{").unwrap();
    let settings = fs::read_to_string(site.path("registry.toml")).unwrap();
    site.reload(&settings);
    site.get("/v2/", &new).expect(200);
}

/// Both sources of users, or neither, is no mode.
#[test]
fn an_issuer_here_or_there_and_not_both() {
    let problem =
        |settings: &str| Site::start(Site::directory(), settings).err().unwrap_or_else(|| panic!("{settings}"));
    let external = "[auth]\nmode = \"token\"\n[auth.token]\nrealm = \"https://x/\"\nservice = \"x\"\nissuer = \"x\"\njwks = \"DIRECTORY/jwks\"\n";
    assert!(
        problem(&format!("{external}[auth.htpasswd]\npath = \"DIRECTORY/htpasswd\"\n")).contains("remove one of them")
    );
    assert!(problem(external).contains("jwks"), "the file is not there");
    for key in ["realm", "service", "issuer"] {
        let lacking = external.lines().filter(|line| !line.starts_with(key)).collect::<Vec<_>>().join("\n");
        assert!(problem(&lacking).contains(&format!("auth.token.{key}")), "{key}");
    }
}
