//! Name and password with each request.

use reqwest::Method;
use wharf::{config::Sources, server};

use crate::{
    site::{Mode, Site, basic},
    support::{
        http::{Registry, send},
        image::Image,
    },
};

pub(crate) const BODY_OF_401: &str =
    "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"authentication required\",\"detail\":null}]}\n";

/// A registry that is set up by nothing but the variables of registry:2.
#[test]
fn row_03_set_up_by_the_environment_alone() {
    let directory = Site::directory();
    let users = directory.path().join("htpasswd").display().to_string();
    let root = directory.path().join("store").display().to_string();
    let variables = [
        ("REGISTRY_AUTH", "htpasswd"),
        ("REGISTRY_AUTH_HTPASSWD_REALM", "Registry Realm"),
        ("REGISTRY_AUTH_HTPASSWD_PATH", &users),
        ("REGISTRY_HTTP_ADDR", "127.0.0.1:0"),
        ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", &root),
    ];
    let environment = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
    // The file is there, so that none is looked for; it says nothing.
    let file = directory.path().join("empty.toml");
    std::fs::write(&file, "").unwrap();
    let loaded = Sources { file: Some(file), environment, ..Sources::default() }.load().unwrap();
    let server = server::start(loaded.config).unwrap();
    let registry = Registry::new(&format!("http://127.0.0.1:{}", server.port()));
    registry.get("/v2/").expect(401);
    let request = registry.request(Method::GET, "/v2/").header("Authorization", basic("alice", "alice-pw"));
    send(request).expect(200);
}

#[test]
fn row_04_the_basic_challenge() {
    let site = Site::with(Mode::Htpasswd, "");
    for method in [Method::HEAD, Method::GET] {
        let answer = send(site.http().request(method.clone(), "/v2/")).expect(401);
        for (name, value) in [
            ("content-type", "application/json; charset=utf-8"),
            ("docker-distribution-api-version", "registry/2.0"),
            ("www-authenticate", r#"Basic realm="Registry Realm""#),
            ("x-content-type-options", "nosniff"),
            ("content-length", "87"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{method} {name}");
        }
        assert_eq!(answer.headers.get("strict-transport-security"), None);
        let expected = if method == Method::GET { BODY_OF_401 } else { "" };
        assert_eq!(answer.body, expected.as_bytes());
    }
    assert_eq!(BODY_OF_401.len(), 87);
}

#[test]
fn row_05_basic_credentials() {
    let site = Site::with(Mode::Htpasswd, "");
    for (method, body) in [(Method::HEAD, ""), (Method::GET, "{}")] {
        let answer = site.ask(method, "/v2/", &basic("alice", "alice-pw")).expect(200);
        for (name, value) in [
            ("content-length", "2"),
            ("content-type", "application/json; charset=utf-8"),
            ("docker-distribution-api-version", "registry/2.0"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
        assert_eq!((answer.header("www-authenticate"), &answer.body[..]), (None, body.as_bytes()));
    }
}

/// `docker login` and the engine's `/auth`, by whatever way the password came to them: `/v2/` bare, then with Basic.
#[test]
fn row_06_and_07_a_login() {
    let site = Site::new(Mode::Htpasswd);
    site.user("alice").get("/v2/").expect(200);
    // A second time, with what was kept.
    site.user("alice").get("/v2/").expect(200);
}

/// The body's code and message are the default's and its detail is null: docker prints the status, and does not try
/// again.
#[test]
fn row_08_a_wrong_password() {
    let site = Site::new(Mode::Htpasswd);
    for (user, password) in [("alice", "wrong"), ("nobody", "wrong"), ("alice", ""), ("", "alice-pw")] {
        let answer = site.get("/v2/", &basic(user, password)).expect(401);
        assert_eq!(answer.body, BODY_OF_401, "{user}:{password}");
        assert_eq!(answer.header("www-authenticate"), Some(r#"Basic realm="Registry Realm""#));
    }
}

#[test]
fn row_09_push_then_list() {
    let site = Site::with(Mode::Htpasswd, "");
    let alice = site.user("alice");
    alice.push("alpine", "3.10", &Image::new(1, "amd64"));
    let answer = site.get("/v2/_catalog", &basic("alice", "alice-pw")).expect(200);
    assert_eq!(answer.body, "{\"repositories\":[\"alpine\"]}\n");
    site.http().get("/v2/_catalog").expect(401);
}

const GITHUB: &str = r#"
[auth]
mode = "htpasswd"
message = "GitHub Docker Registry needs login"
content_type = "text/plain; charset=utf-8"
[auth.htpasswd]
realm = "GitHub Package Registry"
path = "DIRECTORY/htpasswd"
[http.headers]
Server = ["GitHub Registry"]
Content-Security-Policy = ["default-src 'none';"]
X-Content-Type-Options = ["nosniff"]
X-Frame-Options = ["DENY"]
X-Xss-Protection = ["1; mode=block"]
"#;

#[test]
fn row_12_a_challenge_in_words_of_the_operators_own() {
    let site = Site::of(GITHUB);
    let body = "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"GitHub Docker Registry needs login\"}]}\n";
    for (method, expected) in [(Method::HEAD, ""), (Method::GET, body)] {
        let answer = send(site.http().request(method, "/v2/")).expect(401);
        assert_eq!(answer.body, expected.as_bytes());
        for (name, value) in [
            ("www-authenticate", r#"Basic realm="GitHub Package Registry""#),
            ("content-type", "text/plain; charset=utf-8"),
            ("content-length", "84"),
            ("server", "GitHub Registry"),
            ("content-security-policy", "default-src 'none';"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("x-xss-protection", "1; mode=block"),
        ] {
            let values: Vec<_> = answer.headers.get_all(name).iter().collect();
            assert_eq!(values, [value], "{name}");
        }
    }
    // It is the answer of /v2/ alone: other errors stay what clients read.
    let other = site.http().get("/v2/a/tags/list").expect(401);
    assert_eq!(other.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(other.code(), "UNAUTHORIZED");
    site.get("/v2/", &basic("alice", "alice-pw")).expect(200);
}

/// Password and request alone decide: the scheme's case and the padding are not what they were.
#[test]
fn c12_headers_that_are_read_and_headers_that_are_not() {
    let site = Site::with(Mode::Htpasswd, "");
    let right = basic("alice", "alice-pw");
    let value = right.strip_prefix("Basic ").unwrap();
    for read in
        [format!("basic {value}"), format!("BASIC {value}"), format!("Basic  {value}"), value_without_padding(&right)]
    {
        site.get("/v2/", &read).expect(200);
    }
    let long = format!("Basic {}", "A".repeat(9 * 1024));
    for unreadable in [
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic YWxpY2U=",
        "Basic /////w==",
        "Bearer",
        "Negotiate x",
        "alice-pw",
        value,
        &long,
        "Basic YWxpY2U6YWxpY2UtcHc= x",
        "Basic YWxpY2U6YWxpY2UtcHc=,Basic YWxpY2U6YWxpY2UtcHc=",
    ] {
        assert_eq!(site.get("/v2/", unreadable).expect(401).body, BODY_OF_401, "{unreadable}");
    }
    let twice =
        site.http().request(Method::GET, "/v2/").header("Authorization", &right).header("Authorization", &right);
    assert_eq!(send(twice).expect(400).code(), "UNSUPPORTED");
    let too_long = format!("Basic {}", "A".repeat(16 * 1024));
    assert!([400, 401, 431].contains(&site.get("/v2/", &too_long).status));
}

fn value_without_padding(header: &str) -> String {
    header.trim_end_matches('=').to_owned()
}
