//! Other ways to say who one is, none of which counts.

use reqwest::Method;

use crate::{
    bearer::claims,
    site::{Mode, Site, basic},
    support::{http::send, image::Image},
};

/// What a proxy might set, and anybody can.
#[test]
fn a12_headers_that_name_a_user_are_nothing() {
    for mode in Mode::BOTH {
        let site = Site::new(mode);
        for name in [
            "X-WEBAUTH-USER",
            "X-Remote-User",
            "Remote-User",
            "X-Forwarded-User",
            "X_WEBAUTH_USER",
            "X_Forwarded_User",
            "X-Auth-Request-User",
            "Proxy-Authorization",
            "X-Authorization",
            "Cookie",
        ] {
            for value in ["alice", &basic("alice", "alice-pw")] {
                let request = site.http().request(Method::GET, "/v2/a/tags/list").header(name, value);
                send(request).expect(401);
            }
        }
    }
}

/// A token in the query stands in logs, so it is nothing there.
#[test]
fn b18_a_token_in_the_query_is_nothing() {
    let site = Site::new(Mode::Token);
    let token = site.bearer(Some("alice"), &["repository:a:pull"]);
    let token = token.trim_start_matches("Bearer ");
    for name in ["access_token", "token", "jwt", "authorization"] {
        site.http().get(&format!("/v2/?{name}={token}")).expect(401);
        site.http().get(&format!("/v2/a/tags/list?{name}={token}")).expect(401);
    }
}

/// What a client says of itself changes nothing of what it gets.
#[test]
fn a9_nothing_but_the_rules_decides_what_a_token_holds() {
    let site = Site::new(Mode::Token);
    let more = "role=admin&admin=true&sub=alice&user=alice&username=alice&access=%5B%7B%22type%22%3A%22repository%22%2C%22name%22\
                %3A%22a%22%2C%22actions%22%3A%5B%22push%22%5D%7D%5D&aud=other&exp=99999999999";
    let query = format!("{more}&scope=repository:a:pull,push");
    let answer = site.token_answer(&query, Some(&basic("ro", "ro-pw"))).expect(200).json();
    let said = claims(answer["token"].as_str().unwrap());
    assert_eq!(said["sub"], "ro");
    assert_eq!(said["access"], serde_json::json!([{"type": "repository", "name": "a", "actions": ["pull"]}]));
    let form = format!("grant_type=password&password=ro-pw&{more}&username=ro&scope=repository:a:pull,push&account=ro");
    let request =
        site.http().request(Method::POST, "/token").header("Content-Type", "application/x-www-form-urlencoded");
    let answer = send(request.body(form)).expect(200).json();
    assert_eq!(answer["scope"], "repository:a:pull");
}

/// A short way to the same: whoever may pull `a` sees it, and no header makes it seen by others.
#[test]
fn i2_what_is_said_of_the_host_is_repeated_nowhere() {
    for mode in Mode::BOTH {
        let site = Site::new(mode);
        site.user("alice").push("a", "1", &Image::new(1, "amd64"));
        let names = [
            "Host",
            "X-Forwarded-Host",
            "X-Forwarded-Proto",
            "X-Forwarded-For",
            "Forwarded",
            "X-Original-URL",
            "Referer",
            "Origin",
        ];
        for name in names {
            let value = if name == "Forwarded" { "host=evil.example;proto=evil.example" } else { "evil.example" };
            for (method, path) in
                [(Method::GET, "/v2/"), (Method::GET, "/v2/a/tags/list"), (Method::POST, "/v2/a/blobs/uploads/")]
            {
                for authorization in [None, Some(authorization(&site, mode))] {
                    let request = site.http().request(method.clone(), path).header(name, value);
                    let request =
                        authorization.iter().fold(request, |request, value| request.header("Authorization", value));
                    let answer = send(request);
                    for (field, text) in &answer.headers {
                        assert!(!text.to_str().unwrap().contains("evil"), "{name}: {field}: {text:?}");
                    }
                    if let Some(location) = answer.header("location") {
                        assert!(location.starts_with("/v2/a/blobs/uploads/"), "{location}");
                    }
                }
            }
        }
    }
}

fn authorization(site: &Site, mode: Mode) -> String {
    match mode {
        Mode::Htpasswd => basic("alice", "alice-pw"),
        Mode::Token => site.bearer(Some("alice"), &["repository:a:pull,push"]),
    }
}
