//! Identity tokens: what `docker login` keeps instead of the password, where they are switched on.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
};

use reqwest::Method;
use serde_json::Value;

use crate::{
    bearer::claims,
    site::{Site, basic, write_users},
    support::{
        http::{Answer, send},
        store::files,
    },
};

const SETTINGS: &str = r#"
[auth]
mode = "token"
[auth.token]
service = "registry.example"
identity_tokens = true
[auth.htpasswd]
path = "DIRECTORY/htpasswd"
"#;

const LOGIN: &str = "account=alice&client_id=docker&offline_token=true&service=registry.example";

fn identity(site: &Site) -> String {
    let answer = site.token_answer(LOGIN, Some(&basic("alice", "alice-pw"))).expect(200);
    answer.json()["refresh_token"].as_str().unwrap().to_owned()
}

/// As docker does it: no Authorization, and scopes in one parameter.
fn redeem(site: &Site, identity: &str, scope: &str) -> Answer {
    let form = [
        ("grant_type", "refresh_token"),
        ("service", "registry.example"),
        ("client_id", "docker"),
        ("scope", scope),
        ("refresh_token", identity),
    ];
    send(site.http().request(Method::POST, "/token").form(&form))
}

#[test]
fn row_13_an_identity_token_stands_for_the_password() {
    let site = Site::of(SETTINGS);
    let token = identity(&site);
    for _ in 0..3 {
        let answer = redeem(&site, &token, "repository:a:pull,push").expect(200).json();
        // docker would not keep another one.
        assert_eq!(answer.get("refresh_token"), None);
        let access = answer["access_token"].as_str().unwrap();
        assert_eq!(claims(access)["sub"], "alice");
        site.ask(Method::POST, "/v2/a/blobs/uploads/", &format!("Bearer {access}")).expect(202);
    }
    let form =
        "grant_type=password&username=alice&password=alice-pw&access_type=offline&client_id=x&service=registry.example";
    let answer = send(site.http().request(Method::POST, "/token").body(form)).expect(200).json();
    assert!(answer["refresh_token"].is_string(), "{answer}");
    // Who does not ask for one, or does not log in, gets none.
    let asks =
        [site.token_answer("", Some(&basic("alice", "alice-pw"))), site.token_answer("offline_token=true", None)];
    for answer in asks {
        assert_eq!(answer.expect(200).json().get("refresh_token"), None::<&Value>);
    }
}

/// Each kind of token for its own use alone.
#[test]
fn b11_one_kind_of_token_does_not_stand_for_another() {
    let site = Site::of(SETTINGS);
    let (token, access) = (identity(&site), site.bearer(Some("alice"), &["repository:a:pull"]));
    let access = access.trim_start_matches("Bearer ");
    site.get("/v2/", &format!("Bearer {token}")).expect(401);
    redeem(&site, access, "").expect(401);
    for password in [token.as_str(), access] {
        site.token_answer("", Some(&basic("alice", password))).expect(401);
    }
    redeem(&site, &token, "").expect(200);
}

/// A dead token is said to be dead in both languages, so that clients ask for a login.
#[test]
fn it_dies_with_the_password_and_with_the_user() {
    let site = Site::of(SETTINGS);
    let tokens = [identity(&site), identity(&site)];
    redeem(&site, &tokens[0], "").expect(200);
    // The same password, set anew.
    write_users(&site.path("htpasswd"), &["alice", "bob"]);
    site.reload(SETTINGS);
    let answer = redeem(&site, &tokens[0], "").expect(401);
    assert_eq!((answer.code().as_str(), &answer.json()["error"]), ("UNAUTHORIZED", &Value::from("invalid_grant")));
    let third = identity(&site);
    write_users(&site.path("htpasswd"), &["bob"]);
    site.reload(SETTINGS);
    redeem(&site, &third, "").expect(401);
    redeem(&site, &tokens[1], "").expect(401);
}

/// Nothing that lies on the disk is a token, or a password, or may be read by others.
#[test]
fn what_is_kept_tells_nothing() {
    let site = Site::of(SETTINGS);
    let token = identity(&site);
    let kept: Vec<_> =
        files(&site.store()).into_iter().filter(|path| path.starts_with("wharf/identity-tokens")).collect();
    assert!(!kept.is_empty());
    for path in kept {
        let path = site.store().join(path);
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&token) && !text.contains("alice-pw") && !text.contains("$2"), "{text}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

/// A folder that can't be read is the server's fault: 503, and not one guess is counted for it.
#[test]
fn c13_a_store_that_fails_is_not_a_wrong_token() {
    let site = Site::of(SETTINGS);
    let token = identity(&site);
    let folder = site.store().join("wharf/identity-tokens");
    let aside = site.path("aside");
    fs::rename(&folder, &aside).unwrap();
    // A file in the folder's place fails for root too, whom permissions do not stop.
    fs::write(&folder, "").unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o600)).unwrap();
    for number in 0..30 {
        let answer = redeem(&site, &format!("{token}{number}"), "").expect(503);
        assert_eq!(answer.code(), "UNAVAILABLE");
    }
    redeem(&site, &token, "").expect(503);
    fs::remove_file(&folder).unwrap();
    fs::rename(&aside, &folder).unwrap();
    redeem(&site, &token, "").expect(200);
}

/// Where they are off, an old one is dead and none is given out.
#[test]
fn off_by_default() {
    let site = Site::of(&SETTINGS.replace("identity_tokens = true\n", ""));
    let answer = site.token_answer(LOGIN, Some(&basic("alice", "alice-pw"))).expect(200).json();
    assert_eq!(answer.get("refresh_token"), None);
    redeem(&site, "wharf_x", "").expect(401);
    assert!(!site.store().join("wharf/identity-tokens").exists());
}
