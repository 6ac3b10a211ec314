//! What needs no login needs none of those who have one either; what a token says beside its rights takes none of them
//! away.

use reqwest::Method;
use serde_json::json;

use crate::{
    bearer::claims,
    external::{By, trusting},
    issuer::{self, Issuer, Named},
    site::{Mode, Site, basic},
    support::image::Image,
};

/// Only `anonymous` is named; bob and carol have no rule of their own.
const PUBLIC: &str = r#"
[[access]]
users = ["alice"]
repositories = ["**"]
actions = ["pull", "push", "delete"]
[[access]]
users = ["anonymous"]
repositories = ["pub/**"]
actions = ["pull"]
[[access]]
users = ["anonymous"]
repositories = ["inbox/**"]
actions = ["pull", "create"]
"#;

#[test]
fn report_a1_a_user_reads_what_anybody_reads() {
    for mode in Mode::BOTH {
        let site = Site::with(mode, PUBLIC);
        let (old, new) = (Image::new(1, "amd64"), Image::new(2, "amd64"));
        for name in ["pub/app", "secret", "inbox/app"] {
            site.user("alice").push(name, "1", &old);
        }
        for client in [site.user("bob"), site.nobody()] {
            client.get("/v2/pub/app/manifests/1").expect(200);
            client.get("/v2/pub/app/tags/list").expect(200);
            client.get(&format!("/v2/pub/app/blobs/{}", old.blobs().next().unwrap().digest())).expect(200);
        }
        site.user("bob").get("/v2/secret/manifests/1").expect(mode.denied());
        site.user("bob").begin("pub/app").expect(mode.denied());
        // `create` is handed on too, and `push` with it is not.
        site.user("bob").push("inbox/app", "2", &new);
        site.user("bob").put_manifest("inbox/app", "1", new.manifest()).expect(403);
        let list = site.user("bob").get("/v2/_catalog").expect(200).json();
        assert_eq!(list, json!({"repositories": ["inbox/app", "pub/app"]}), "{mode:?}");
        site.nobody().get("/v2/_catalog").expect(401);
    }
}

/// Whatever a token was given out for, it is not worth less than none.
#[test]
fn report_a1_a_token_for_something_else_is_no_hindrance() {
    let site = Site::with(Mode::Token, PUBLIC);
    site.user("alice").push("pub/app", "1", &Image::new(1, "amd64"));
    let scopes: [&[&str]; 4] =
        [&[], &["repository:secret:pull"], &["repository:pub/app:push"], &["repository:pub/app:pull"]];
    for user in [None, Some("alice"), Some("bob")] {
        for scope in scopes {
            let token = site.bearer(user, scope);
            site.get("/v2/pub/app/manifests/1", &token).expect(200);
            site.get("/v2/other/manifests/1", &token).expect(401);
        }
    }
    // Delegated to each user by the token endpoint as well.
    for (scope, actions) in
        [("repository:pub/app:pull,push", ["pull"].as_slice()), ("repository:inbox/x:pull,push", &["pull", "create"])]
    {
        let answer = site.token_answer(&format!("scope={scope}"), Some(&basic("bob", "bob-pw"))).expect(200);
        let name = scope.split(':').nth(1).unwrap();
        let said = claims(answer.json()["token"].as_str().unwrap());
        assert_eq!(said["access"], json!([{"type": "repository", "name": name, "actions": actions}]), "{scope}");
    }
}

#[test]
fn report_a6_a_class_in_a_token_of_another_issuer() {
    let issuer = Issuer::new(jsonwebtoken::Algorithm::ES256);
    let site = trusting(&issuer, By::Jwks, "");
    for class in [json!(""), json!("plugin"), json!("image"), json!(null)] {
        let access = json!([{"type": "repository", "class": class, "name": "a", "actions": ["pull", "push"]}]);
        let token = issuer.sign(&issuer.header(Named::Thumbprint), &issuer::claims("alice", &access));
        site.ask(Method::POST, "/v2/a/blobs/uploads/", &format!("Bearer {token}")).expect(202);
        site.ask(Method::POST, "/v2/b/blobs/uploads/", &format!("Bearer {token}")).expect(401);
    }
}
