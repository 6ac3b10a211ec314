//! The token endpoint: what it is asked, and what it answers.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    bearer::claims,
    site::{Mode, RULES, Site, basic},
    support::http::{Answer, send},
};

fn post(site: &Site, form: &str) -> Answer {
    let request = site.http().request(Method::POST, "/token");
    send(request.header("Content-Type", "application/x-www-form-urlencoded; charset=utf-8").body(form.to_owned()))
}

fn access_of(answer: &Answer) -> Value {
    claims(answer.json()["token"].as_str().unwrap())["access"].clone()
}

#[test]
fn b33_the_answer_has_what_each_client_reads() {
    let site = Site::new(Mode::Token);
    let alice = basic("alice", "alice-pw");
    let answer = site.token_answer("service=registry.example&scope=repository:a:pull", Some(&alice)).expect(200);
    let json = answer.json();
    assert_eq!(json["token"], json["access_token"]);
    assert!(json["expires_in"].as_u64().unwrap() >= 60);
    let issued = json["issued_at"].as_str().unwrap();
    let form = time::format_description::well_known::Rfc3339;
    assert!(time::OffsetDateTime::parse(issued, &form).is_ok(), "{issued}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    let said = claims(json["token"].as_str().unwrap());
    assert_eq!(said["exp"].as_u64().unwrap() - said["iat"].as_u64().unwrap(), 300);
    // A HEAD says the same of itself.
    let head = send(site.http().request(Method::HEAD, "/token").header("Authorization", &alice)).expect(200);
    assert_eq!(head.header("cache-control"), Some("no-store"));
    // Who gets a wrong answer is told the same: nothing of this is to be kept.
    assert_eq!(site.token_answer("", Some(&basic("alice", "x"))).expect(401).header("cache-control"), Some("no-store"));
}

/// docker says `unauthorized: incorrect username or password` at once, as its message is not the code's own.
#[test]
fn row_08_and_b32_a_wrong_password() {
    let site = Site::new(Mode::Token);
    for (user, password) in [("alice", "wrong"), ("nobody", "wrong"), ("alice", "")] {
        let answer = site.token_answer("service=registry.example", Some(&basic(user, password))).expect(401);
        assert_eq!(answer.header("www-authenticate"), Some(r#"Basic realm="registry.example""#));
        assert_eq!(answer.code(), "UNAUTHORIZED");
        assert_eq!(answer.json()["errors"][0]["message"], "incorrect username or password");
    }
    let by_form = post(&site, "grant_type=password&username=alice&password=wrong&service=registry.example&client_id=x")
        .expect(401);
    assert_eq!(by_form.json()["error"], "invalid_grant");
    assert_eq!(by_form.json()["errors"][0]["message"], "incorrect username or password");
    // A token is no password here, and a name no other.
    let token = site.bearer(Some("alice"), &[]);
    site.token_answer("", Some(&token)).expect(401);
    site.token_answer("", Some(&basic("alice", token.trim_start_matches("Bearer ")))).expect(401);
    let alice = basic("alice", "alice-pw");
    assert_eq!(site.token_answer("service=other", Some(&alice)).expect(400).code(), "UNSUPPORTED");
    assert_eq!(site.token_answer("account=bob", Some(&alice)).expect(400).code(), "UNSUPPORTED");
    site.token_answer("service=", Some(&alice)).expect(200);
    site.token_answer("service=registry.example&account=alice&client_id=anything", Some(&alice)).expect(200);
}

#[test]
fn b34_forms() {
    let site = Site::new(Mode::Token);
    let login = "username=alice&password=alice-pw&service=registry.example&client_id=containerd-client";
    let answer = post(
        &site,
        &format!("grant_type=password&access_type=offline&{login}&scope=repository:a:pull repository:a:pull,push"),
    );
    let json = answer.expect(200).json();
    assert_eq!(json["scope"], "repository:a:pull,push");
    // Identity tokens are off: that one is wanted is passed over.
    assert!(json.get("refresh_token").is_none());
    for (form, error) in [
        ("grant_type=client_credentials", "unsupported_grant_type"),
        ("grant_type=authorization_code&code=x", "unsupported_grant_type"),
        ("grant_type=password&username=alice", "invalid_request"),
        ("username=alice&password=alice-pw", "invalid_request"),
        ("", "invalid_request"),
        ("{}", "invalid_request"),
    ] {
        let answer = post(&site, form).expect(400);
        assert_eq!((answer.json()["error"].as_str(), answer.code().as_str()), (Some(error), "UNSUPPORTED"), "{form}");
    }
    assert_eq!(post(&site, "grant_type=refresh_token&refresh_token=x").expect(401).json()["error"], "invalid_grant");
    let long = format!("grant_type=password&{login}&scope={}", "x".repeat(16 * 1024));
    post(&site, &long).expect(413);
    let within = format!("grant_type=password&{login}&x={}", "x".repeat(16 * 1024 - 200));
    post(&site, &within).expect(200);
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        let answer = send(site.http().request(method, "/token")).expect(405);
        assert_eq!(answer.header("allow"), Some("GET, HEAD, POST, OPTIONS"));
    }
}

/// Whatever scope is asked, the token holds what is asked and allowed, or there is none; never an error of the server's
/// own.
#[test]
fn b30_b31_scopes() {
    let site = Site::new(Mode::Token);
    let alice = basic("alice", "alice-pw");
    let entry = |name: &str, actions: &[&str]| json!({"type": "repository", "name": name, "actions": actions});
    let table = [
        ("scope=repository:a:pull,push", json!([entry("a", &["pull", "push"])])),
        (
            "scope=repository:a:pull&scope=repository:public/x:pull",
            json!([entry("a", &["pull"]), entry("public/x", &["pull"])]),
        ),
        ("scope=repository:a:pull%20repository:a:push", json!([entry("a", &["pull", "push"])])),
        ("scope=repository:a:*", json!([entry("a", &["pull", "push", "delete"])])),
        ("scope=repository:b:pull,push", json!([])),
        ("scope=repository:localhost:5000/a:pull", json!([])),
        ("scope=repository(plugin):a:pull,push", json!([entry("a", &["pull", "push"])])),
        ("scope=registry:catalog:*", json!([{"type": "registry", "name": "catalog", "actions": ["*"]}])),
        ("scope=", json!([])),
        ("scope=:::", json!([])),
        ("scope=repository:A:pull&scope=repository:a/../a:pull&scope=repository:**:*", json!([])),
        ("scope=repository:a:", json!([])),
        ("scope=repository:a:%00&scope=%ff", json!([])),
    ];
    for (query, expected) in table {
        assert_eq!(access_of(&site.token_answer(query, Some(&alice)).expect(200)), expected, "{query}");
    }
    for count in [200, 256, 257, 1000] {
        let form = format!(
            "grant_type=password&username=alice&password=alice-pw&scope={}",
            "repository:a:pull ".repeat(count)
        );
        let status = post(&site, &form).status;
        assert!([200, 400, 413].contains(&status), "{count} scopes: {status}");
    }
    let long = format!("scope=repository:{}:pull", "a".repeat(10 * 1024));
    assert!([200, 400, 414].contains(&site.token_answer(&long, Some(&alice)).status));
}

/// Clients know no action for new tags alone: who may only make some gets that where push was asked for.
#[test]
fn create_where_push_is_asked_and_not_held() {
    let site = Site::new(Mode::Token);
    let answer = site.token_answer("scope=repository:a:pull,push", Some(&basic("maker", "maker-pw"))).expect(200);
    assert_eq!(access_of(&answer)[0]["actions"], json!(["pull", "create"]));
}

/// Who does not log in gets a token with what everybody may do, even if that is nothing.
#[test]
fn anonymous_tokens() {
    let site = Site::new(Mode::Token);
    for (query, expected) in [
        (
            "scope=repository:public/x:pull,push",
            json!([{"type": "repository", "name": "public/x", "actions": ["pull"]}]),
        ),
        ("scope=repository:a:pull", json!([])),
        ("scope=registry:catalog:*", json!([])),
        ("service=registry.example", json!([])),
    ] {
        let answer = site.token_answer(query, None).expect(200);
        assert_eq!(access_of(&answer), expected, "{query}");
        let token = answer.json()["token"].as_str().unwrap().to_owned();
        assert_eq!(claims(&token)["sub"], "");
        site.get("/v2/", &format!("Bearer {token}")).expect(200);
    }
    let nothing = Site::with(Mode::Token, "");
    assert_eq!(access_of(&nothing.token_answer("scope=repository:a:pull", None).expect(200)), json!([]));
}

/// A second registry of the same name has other keys, and its tokens are nothing here; neither are those for another
/// name.
#[test]
fn b7_b16_a_token_of_another_registry() {
    let (one, other) = (Site::new(Mode::Token), Site::new(Mode::Token));
    let token = other.bearer(Some("alice"), &["repository:a:pull"]);
    other.get("/v2/", &token).expect(200);
    let answer = one.get("/v2/", &token).expect(401);
    assert!(answer.header("www-authenticate").unwrap().contains(r#"error="invalid_token""#), "{answer:?}");
    let settings = format!(
        "[auth]\nmode = \"token\"\n[auth.token]\nservice = \"NAME\"\nissuer = \"same\"\nkey = \"{}\"\n[auth.htpasswd]\npath = \
         \"DIRECTORY/htpasswd\"\n{RULES}",
        key(&one).display()
    );
    let (first, second) = (Site::of(&settings.replace("NAME", "first")), Site::of(&settings.replace("NAME", "second")));
    let token = first.bearer(Some("alice"), &[]);
    first.get("/v2/", &token).expect(200);
    second.get("/v2/", &token).expect(401);
}

/// The signing key that a registry made for itself, readable by nobody else.
fn key(site: &Site) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let mut keys = std::fs::read_dir(site.store().join("wharf/token-keys")).unwrap().map(|entry| entry.unwrap().path());
    let key = keys.find(|path| std::fs::read_to_string(path).is_ok_and(|text| text.contains("PRIVATE KEY"))).unwrap();
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    key
}
