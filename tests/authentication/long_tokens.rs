//! Tokens of another issuer may be long: they hold a right for each repository of a large organisation.

use jsonwebtoken::Algorithm;
use reqwest::Method;
use serde_json::json;

use crate::{
    external::{By, trusting},
    issuer::{Issuer, Named, access},
    site::{Site, write_users},
    support::{
        http::send,
        server::{Launch, Program},
    },
};

/// What the program logs when each of these values of `Authorization` comes, with the answer's status.
fn logged(auth: &str, values: &[&str]) -> (Vec<u16>, String) {
    let directory = tempfile::tempdir().unwrap();
    write_users(&directory.path().join("htpasswd"), &["alice"]);
    let settings = auth.replace("DIRECTORY", directory.path().to_str().unwrap());
    let server = Launch::new(Program::Wharf, &directory.path().join("store")).settings(&settings).start();
    let ask = |value: &&str| {
        let request = server.http().request(Method::GET, "/v2/").header("Authorization", *value);
        send(request).status
    };
    let statuses = values.iter().map(ask).collect();
    let log = server.end();
    (statuses, log)
}

const TOKEN: &str = "[auth]\nmode = \"token\"\n[auth.token]\nservice = \"registry.example\"\n[auth.htpasswd]\npath = \"DIRECTORY/htpasswd\"\n";
const HTPASSWD: &str = "[auth]\nmode = \"htpasswd\"\n[auth.htpasswd]\npath = \"DIRECTORY/htpasswd\"\n";

#[test]
fn report_a11_the_log_says_why_credentials_are_refused_and_never_repeats_them() {
    let long = format!("Bearer {}", "c4n4ry".repeat(1500));
    let values = [
        (TOKEN, "Bearer c4n4ry", "it has no dots"),
        (TOKEN, "Bearer c4n4ry.x.y", "its header is no base64"),
        (TOKEN, "Bearer e30.c4n4ry.y", "no JSON object of the right form"),
        (TOKEN, "Bearer eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.c4n4ryxx.y", "'none', which is not allowed here"),
        (TOKEN, long.as_str(), "it has no dots"),
        (TOKEN, "Basic YWxpY2U6YzRuNHJ5", "a password, where auth.mode is token"),
        (TOKEN, "Digest c4n4ry", "the Authorization header can't be read"),
        (HTPASSWD, "Bearer c4n4ry", "a token, where auth.mode is htpasswd"),
        (HTPASSWD, "Basic c4n4ry!", "the Authorization header can't be read"),
        (HTPASSWD, "Basic YWxpY2U6YzRuNHJ5", "reason=\"the credentials are not accepted\""),
    ];
    for mode in [TOKEN, HTPASSWD] {
        let of_mode: Vec<_> = values.iter().filter(|(other, ..)| *other == mode).collect();
        let (statuses, log) = logged(mode, &of_mode.iter().map(|(_, value, _)| *value).collect::<Vec<_>>());
        assert!(statuses.iter().all(|status| *status == 401), "{statuses:?}");
        for (_, value, reason) in of_mode {
            assert!(log.contains(reason), "{value:.60}: {reason} is not in {log}");
        }
        assert!(!log.contains("c4n4ry") && !log.contains("YzRuNHJ5"), "{log}");
    }
}

/// 14 KB were taken by registry:3; the bound is that of the head, and said as such.
#[test]
fn report_a11_authorization_is_bounded_as_the_head_is() {
    let site = Site::of(TOKEN);
    for (len, status) in [(9 * 1024, 401), (14 * 1024, 401), (63 * 1024, 401), (70 * 1024, 431)] {
        let field = format!("Authorization: Bearer {}", "x".repeat(len));
        crate::raw::exchange(&site, "GET", "/v2/", &["Host: x", &field]).expect(status);
    }
}

#[test]
fn report_a11_a_token_of_many_rights_holds() {
    let issuer = Issuer::new(Algorithm::ES256);
    let site = trusting(&issuer, By::Jwks, "");
    for entries in [1, 100, 400] {
        let mut rights = access("a", &["pull", "push"]).as_array().unwrap().clone();
        rights.extend(
            (1..entries).map(|n| json!({"type": "repository", "name": format!("team/image-{n}"), "actions": ["pull"]})),
        );
        let token = issuer.token(Named::Thumbprint, "alice", &json!(rights));
        assert!(entries < 400 || token.len() > 14 * 1024, "{}", token.len());
        site.ask(Method::POST, "/v2/a/blobs/uploads/", &format!("Bearer {token}")).expect(202);
    }
}
