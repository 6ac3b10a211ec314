//! The account of a user, with the identity tokens that docker keeps.

use reqwest::Method;

use crate::{
    content::{closed_site, site_with},
    site::{Mode, Site, basic},
    support::http::send,
    visitor::{Visitor, hidden},
};

pub(crate) const SETTINGS: &str = r#"
[auth]
mode = "token"
[auth.token]
service = "registry.example"
identity_tokens = true
[auth.htpasswd]
path = "DIRECTORY/htpasswd"
[ui]
enabled = true
"#;

/// Logs in as a program does; its identity token.
pub(crate) fn identity(site: &Site, user: &str, program: &str) -> String {
    let query = format!("account={user}&client_id={program}&offline_token=true&service=registry.example");
    let answer = site.token_answer(&query, Some(&basic(user, &format!("{user}-pw")))).expect(200);
    answer.json()["refresh_token"].as_str().unwrap().to_owned()
}

fn redeems(site: &Site, token: &str) -> bool {
    let form = [("grant_type", "refresh_token"), ("service", "registry.example"), ("refresh_token", token)];
    send(site.http().request(Method::POST, "/token").form(&form)).status == 200
}

#[test]
fn a_user_lists_and_revokes_own_tokens_and_no_others() {
    let site = site_with(SETTINGS, |_| {});
    let alice = Visitor::logged_in(&site, "alice");
    assert!(alice.page("/ui/account").contains("You have none."));
    let (mine, theirs) = (identity(&site, "alice", "docker<b>"), identity(&site, "bob", "podman"));
    let page = alice.page("/ui/account");
    assert!(page.contains("docker&lt;b&gt;") && page.contains("just now") && !page.contains("podman"), "{page}");
    let token = hidden(&page, "form_token");
    let bob = Visitor::logged_in(&site, "bob");
    let id_of_bob = hidden(&bob.page("/ui/account"), "id");
    for id in [id_of_bob.as_str(), "", "0", "../../x"] {
        alice.submit("/ui/account", &[("id", id), ("form_token", &token)]).expect(303);
    }
    assert!(redeems(&site, &mine) && redeems(&site, &theirs));
    let id = hidden(&page, "id");
    alice.submit("/ui/account", &[("id", &id), ("form_token", "of another site")]).expect(403);
    assert!(redeems(&site, &mine));
    alice.submit("/ui/account", &[("id", &id), ("form_token", &token)]).expect(303);
    assert!(!redeems(&site, &mine) && redeems(&site, &theirs));
    assert!(alice.page("/ui/account").contains("You have none."));
}

#[test]
fn without_identity_tokens_an_account_has_a_name() {
    for mode in Mode::BOTH {
        let site = closed_site(mode, |_| {});
        let page = Visitor::logged_in(&site, "alice").page("/ui/account");
        assert!(page.contains("alice") && !page.contains("Identity tokens"), "{page}");
        let nobody = Visitor::new(&site);
        assert_eq!(nobody.get("/ui/account").expect(303).header("location"), Some("/ui/login?next=%2Fui%2Faccount"));
        let token = hidden(&nobody.page("/ui/login"), "form_token");
        let answer = nobody.submit("/ui/account", &[("id", "0123456789ab"), ("form_token", &token)]).expect(303);
        assert_eq!(answer.header("location"), Some("/ui/login?next=%2Fui%2Faccount"));
    }
}
