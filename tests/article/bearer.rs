//! Rows 10, 11, 13, 14, 15 and 19: tokens.

use std::fs;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::{
    issuer::{ISSUER, Issuer, Named, SERVICE},
    registry::{HTPASSWD, OPEN, PASSWORD, Protected, READER, RULES, TOKEN, USER},
    support::wait::eventually,
    user::User,
};

#[test]
#[ignore = "needs docker: run ./test"]
fn row_10_the_challenge_in_docker_hubs_form_needs_docker() {
    let names = "[auth.token]\nrealm = \"https://auth.docker.io/token\"\nservice = \"registry.docker.io\"\n";
    let registry = Protected::new(&format!("{TOKEN}{names}"));
    let reply = registry.curl(&["-I"], "/v2/").expect(
        "401 Unauthorized",
        &[
            ("Docker-Distribution-Api-Version", "registry/2.0"),
            ("Www-Authenticate", "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\""),
            ("Content-Length", "87"),
        ],
    );
    let content_type = reply.field("Content-Type").unwrap();
    assert_eq!(content_type.split(';').next(), Some("application/json"));
}

/// docker gets its tokens from `/v2/auth`, as the challenge says.
#[test]
#[ignore = "needs docker: run ./test"]
fn row_11_the_challenge_in_quays_form_needs_docker() {
    let registry = Protected::with_port(|port| {
        format!("{TOKEN}[auth.token]\nrealm = \"http://localhost:{port}/v2/auth\"\nservice = \"localhost:{port}\"\n")
    });
    let expected = format!("Bearer realm=\"{}\",service=\"{}\"", registry.url("/v2/auth"), registry.host());
    registry.curl(&["-I"], "/v2/").expect("401 Unauthorized", &[("Www-Authenticate", &expected)]);
    let user = User::new();
    user.login(&registry.host(), USER, PASSWORD);
    let image = format!("{}/alpine:3.10", registry.host());
    user.push(&image);
    user.pull(&image);
}

#[test]
#[ignore = "needs docker: run ./test"]
fn row_13_login_push_pull_and_logout_needs_docker() {
    let (registry, user) = (Protected::new(TOKEN), User::new());
    let image = format!("{}/alpine:3.10", registry.host());
    user.login(&registry.host(), USER, PASSWORD);
    user.push(&image);
    user.pull(&image);
    user.run(&["logout", &registry.host()]);
    user.fail_push(&image);
}

/// What docker keeps is not the password, and it is enough.
#[test]
#[ignore = "needs docker: run ./test"]
fn row_13_an_identity_token_alone_needs_docker() {
    let (registry, user) = (Protected::new(&format!("{TOKEN}[auth.token]\nidentity_tokens = true\n")), User::new());
    let login = json!({"username": USER, "password": PASSWORD, "serveraddress": registry.url("/v2")});
    let answer: Value = serde_json::from_str(&user.auth(&login)).unwrap();
    assert_eq!(answer["Status"], "Login Succeeded");
    assert!(answer["IdentityToken"].as_str().is_some_and(|token| !token.is_empty()), "{answer}");
    user.login(&registry.host(), USER, PASSWORD);
    let kept = user.configuration();
    let entry = &kept["auths"][registry.host()];
    assert!(entry["identitytoken"].as_str().is_some_and(|token| !token.is_empty()), "{kept}");
    // docker writes a name of `<token>` or the user's beside it; the password it writes nowhere.
    let auth = entry["auth"].as_str().unwrap_or_default();
    assert!(!kept.to_string().contains(PASSWORD) && !base64_text(auth).contains(PASSWORD), "{kept}");
    let image = format!("{}/alpine:3.10", registry.host());
    user.push(&image);
    user.pull(&image);
    // Were the password set anew, the token would be dead, and docker says so instead of waiting.
    crate::registry::write_users(&registry.path("htpasswd"));
    eventually("the identity token ends with the password", || !user.attempt(&["push", &image]).success);
}

fn base64_text(text: &str) -> String {
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
#[ignore = "needs docker: run ./test"]
fn row_14_the_token_flow_by_hand_needs_docker() {
    let (registry, user) = (Protected::new(&format!("{TOKEN}{RULES}")), User::new());
    user.login(&registry.host(), USER, PASSWORD);
    user.push(&format!("{}/alpine:3.10", registry.host()));
    let refused = registry.curl(&[], "/v2/alpine/tags/list").expect("401 Unauthorized", &[]);
    let challenge = refused.field("Www-Authenticate").unwrap().to_owned();
    let part = |name: &str| {
        let after = challenge.split_once(&format!("{name}=\"")).unwrap_or_else(|| panic!("{challenge}")).1;
        after.split_once('"').unwrap().0.to_owned()
    };
    assert!(challenge.starts_with("Bearer "));
    assert_eq!(part("scope"), "repository:alpine:pull");
    // More is asked than the reader may have.
    let (service, scope) = (part("service"), "repository:alpine:pull,push");
    let path = part("realm").strip_prefix(&registry.url("")).unwrap().to_owned();
    let arguments = [
        "-u",
        &format!("{READER}:{PASSWORD}"),
        "-G",
        "-d",
        &format!("service={service}"),
        "-d",
        &format!("scope={scope}"),
    ];
    let answer = registry.curl(&arguments, &path).expect("200 OK", &[]).json();
    let token = answer["token"].as_str().unwrap();
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["access"], json!([{"type": "repository", "name": "alpine", "actions": ["pull"]}]));
    let list = registry.curl(&["-H", &format!("Authorization: Bearer {token}")], "/v2/alpine/tags/list");
    assert_eq!(list.expect("200 OK", &[]).json(), json!({"name": "alpine", "tags": ["3.10"]}));
}

/// docker logs in at a token server of another, and pushes and pulls with its tokens; with those of a stranger it does
/// not.
#[test]
#[ignore = "needs docker: run ./test"]
fn row_15_an_issuer_that_is_not_us_needs_docker() {
    let user = User::new();
    for (algorithm, named) in [
        (Algorithm::RS256, Named::Libtrust),
        (Algorithm::ES256, Named::Thumbprint),
        (Algorithm::RS256, Named::Certificate),
    ] {
        let (issuer, stranger) = (Issuer::new(algorithm), Issuer::new(algorithm));
        let (bundle, jwks) = (issuer.bundle(), issuer.jwks());
        let trusting = |realm: &str| {
            let directory = tempfile::tempdir().unwrap();
            let (key, text) = if named == Named::Thumbprint { ("jwks", &jwks) } else { ("rootcertbundle", &bundle) };
            fs::write(directory.path().join("keys"), text).unwrap();
            let settings = format!(
                "[auth]\nmode = \"token\"\n[auth.token]\nrealm = \"{realm}\"\nservice = \"{SERVICE}\"\nissuer = \"{ISSUER}\"\n{key} = \
                 \"DIRECTORY/keys\"\n"
            );
            Protected::prepared(directory, &settings)
        };
        let registry = trusting(&issuer.serve(named, USER, PASSWORD));
        let image = format!("{}/alpine:3.10", registry.host());
        user.login(&registry.host(), USER, PASSWORD);
        user.push(&image);
        user.pull(&image);
        let said = user.fail(&["login", "-u", USER, "-p", "wrong", &registry.host()]);
        assert!(said.contains("401 Unauthorized") || said.contains("unauthorized"), "{said}");
        let registry = trusting(&stranger.serve(named, USER, PASSWORD));
        user.fail(&["login", "-u", USER, "-p", PASSWORD, &registry.host()]);
    }
}

#[test]
#[ignore = "needs docker: run ./test"]
fn row_19_which_mode_is_it_needs_docker() {
    let open = Protected::new(OPEN).curl(&["-I"], "/v2/").expect("200 OK", &[]);
    assert_eq!(open.field("Www-Authenticate"), None);
    for (settings, scheme) in [(HTPASSWD, "Basic "), (TOKEN, "Bearer ")] {
        let reply = Protected::new(settings).curl(&["-I"], "/v2/").expect("401 Unauthorized", &[]);
        assert!(reply.field("Www-Authenticate").is_some_and(|value| value.starts_with(scheme)));
    }
}
