//! Tokens that the registry issues itself: the challenge, and the way from it to an answer.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    basic::BODY_OF_401,
    client::{Challenge, Exchange},
    site::{Mode, Site, basic},
    support::{http::send, image::Image},
};

/// What a token says, whoever signed it.
pub(crate) fn claims(token: &str) -> Value {
    let part = token.trim_start_matches("Bearer ").split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

const DOCKER_HUB: &str = r#"
[auth]
mode = "token"
[auth.htpasswd]
path = "DIRECTORY/htpasswd"
[auth.token]
realm = "https://auth.docker.io/token"
service = "registry.docker.io"
"#;

#[test]
fn row_10_the_bearer_challenge_in_docker_hubs_form() {
    let site = Site::of(DOCKER_HUB);
    for (method, body) in [(Method::HEAD, ""), (Method::GET, BODY_OF_401)] {
        let answer = send(site.http().request(method, "/v2/")).expect(401);
        assert_eq!(answer.body, body.as_bytes());
        for (name, value) in [
            ("content-type", "application/json; charset=utf-8"),
            ("docker-distribution-api-version", "registry/2.0"),
            ("www-authenticate", r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io""#),
            ("content-length", "87"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
    }
}

/// The token endpoint on the registry's own host, under `/v2/`.
#[test]
fn row_11_the_bearer_challenge_in_quays_form() {
    // The port is not known before, so it is the endpoint's path that is written into the settings, and the port found
    // again.
    let port = crate::support::server::free_port();
    let realm = format!("http://localhost:{port}/v2/auth");
    let settings = format!(
        "[http]\naddr = \"localhost:{port}\"\n[auth]\nmode = \"token\"\n[auth.htpasswd]\npath = \"DIRECTORY/htpasswd\"\n\
         [auth.token]\nrealm = \"{realm}\"\nservice = \"quay.io\"\n"
    );
    let site = Site::start(Site::directory(), &settings).unwrap();
    let answer = send(site.http().request(Method::HEAD, "/v2/")).expect(401);
    assert_eq!(
        answer.header("www-authenticate"),
        Some(format!(r#"Bearer realm="{realm}",service="quay.io""#).as_str())
    );
    let request = site.http().request(Method::GET, "/v2/auth?service=quay.io&account=alice");
    let answer = send(request.header("Authorization", basic("alice", "alice-pw"))).expect(200);
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    site.get("/v2/", &format!("Bearer {token}")).expect(200);
}

/// As the engine does it: `/v2/` bare, a token without a scope, `/v2/` with it; then tokens for what is done.
#[test]
fn row_13_login_push_and_pull() {
    let site = Site::new(Mode::Token);
    let challenge = Challenge::of(&site.http().get("/v2/").expect(401));
    let expected = Challenge {
        realm: format!("{}/token", site.origin()),
        service: "registry.example".to_owned(),
        scope: None,
        error: None,
    };
    assert_eq!(challenge, expected);
    let query = "account=alice&client_id=docker&offline_token=true&service=registry.example";
    let answer = site.token_answer(query, Some(&basic("alice", "alice-pw"))).expect(200).json();
    // docker keeps a refresh token as identity token, and never logs in again; here there is none.
    assert!(answer.get("refresh_token").is_none(), "{answer}");
    let token = answer["token"].as_str().unwrap();
    assert_eq!(claims(token)["access"], json!([]));
    assert_eq!(site.get("/v2/", &format!("Bearer {token}")).expect(200).body, "{}");
    let (alice, image) = (site.user("alice"), Image::new(1, "amd64"));
    alice.push("a", "1", &image);
    assert_eq!(alice.get("/v2/a/manifests/1").expect(200).body, image.manifest().bytes());
    site.user("alice").by(Exchange::Post).push("a", "2", &image);
    site.nobody().get("/v2/a/manifests/1").expect(401);
}

#[test]
fn row_14_the_token_flow_by_hand() {
    let site = Site::new(Mode::Token);
    site.user("alice").push("a", "1", &Image::new(1, "amd64"));
    let first = site.http().get("/v2/a/tags/list").expect(401);
    let challenge = Challenge::of(&first);
    assert_eq!(challenge.scope.as_deref(), Some("repository:a:pull"));
    assert_eq!(challenge.error, None);
    let query = format!("service={}&scope={}", challenge.service, challenge.scope.unwrap());
    let answer = site.token_answer(&query, Some(&basic("ro", "ro-pw"))).expect(200).json();
    let token = answer["token"].as_str().unwrap();
    assert_eq!(answer["access_token"], token);
    let said = claims(token);
    assert_eq!(said["access"], json!([{"type": "repository", "name": "a", "actions": ["pull"]}]));
    assert_eq!((&said["sub"], &said["aud"]), (&json!("ro"), &json!("registry.example")));
    let list = site.get("/v2/a/tags/list", &format!("Bearer {token}")).expect(200).json();
    assert_eq!(list, json!({"name": "a", "tags": ["1"]}));
}

/// What was asked and is allowed, and no more; what is missing is said by the next answer.
#[test]
fn row_14_and_b31_a_token_holds_no_more_than_is_allowed() {
    let site = Site::new(Mode::Token);
    site.user("alice").push("a", "1", &Image::new(1, "amd64"));
    let token = site.bearer(Some("ro"), &["repository:a:pull,push"]);
    assert_eq!(claims(&token)["access"][0]["actions"], json!(["pull"]));
    site.get("/v2/a/manifests/1", &token).expect(200);
    let answer = site.ask(Method::POST, "/v2/a/blobs/uploads/", &token).expect(401);
    let challenge = Challenge::of(&answer);
    assert_eq!(challenge.error.as_deref(), Some("insufficient_scope"));
    assert_eq!(challenge.scope.as_deref(), Some("repository:a:pull,push"));
    assert_eq!(answer.code(), "DENIED");
    let errors = &answer.json()["errors"][0];
    assert_eq!(errors["message"], "requested access to the resource is denied");
    assert_eq!(
        errors["detail"],
        json!([
            {"Type": "repository", "Class": "", "Name": "a", "Action": "pull"},
            {"Type": "repository", "Class": "", "Name": "a", "Action": "push"},
        ])
    );
}

/// The scope that each request is challenged with.
#[test]
fn the_scope_of_each_challenge() {
    let site = Site::new(Mode::Token);
    let digest = crate::support::image::sha256(b"x");
    let session = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    let table = [
        (Method::GET, "/v2/".to_owned(), None),
        (Method::GET, "/v2/_catalog".to_owned(), Some("registry:catalog:*")),
        (Method::GET, "/v2/x/y/tags/list".to_owned(), Some("repository:x/y:pull")),
        (Method::HEAD, "/v2/x/y/manifests/1".to_owned(), Some("repository:x/y:pull")),
        (Method::PUT, "/v2/x/y/manifests/1".to_owned(), Some("repository:x/y:pull,push")),
        (Method::DELETE, "/v2/x/y/manifests/1".to_owned(), Some("repository:x/y:delete")),
        (Method::GET, format!("/v2/x/y/blobs/{digest}"), Some("repository:x/y:pull")),
        (Method::DELETE, format!("/v2/x/y/blobs/{digest}"), Some("repository:x/y:delete")),
        (Method::GET, format!("/v2/x/y/referrers/{digest}"), Some("repository:x/y:pull")),
        (Method::POST, "/v2/x/y/blobs/uploads/".to_owned(), Some("repository:x/y:pull,push")),
        (Method::PATCH, format!("/v2/x/y/blobs/uploads/{session}"), Some("repository:x/y:pull,push")),
        (Method::GET, format!("/v2/x/y/blobs/uploads/{session}"), Some("repository:x/y:pull,push")),
        (Method::DELETE, format!("/v2/x/y/blobs/uploads/{session}"), Some("repository:x/y:pull,push")),
        (
            Method::POST,
            format!("/v2/x/y/blobs/uploads/?mount={digest}&from=z"),
            Some("repository:x/y:pull,push repository:z:pull"),
        ),
    ];
    for (method, path, scope) in table {
        let challenge = Challenge::of(&send(site.http().request(method.clone(), &path)).expect(401));
        assert_eq!(challenge.scope.as_deref(), scope, "{method} {path}");
    }
}
