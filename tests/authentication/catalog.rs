//! The list of repositories: who may ask for it, and what is in it.

use serde_json::json;

use crate::{
    raw::exchange,
    site::{Mode, RULES, Site, basic},
    support::image::Image,
};

fn filled(mode: Mode) -> Site {
    let site = Site::new(mode);
    let image = Image::new(1, "amd64");
    site.user("alice").push("a", "1", &image);
    site.user("bob").push("b", "1", &image);
    site
}

#[test]
fn each_user_sees_what_it_may_pull() {
    for mode in Mode::BOTH {
        let site = filled(mode);
        for (user, expected) in [("alice", vec!["a"]), ("ro", vec!["a"]), ("maker", vec!["a"]), ("bob", vec!["b"])] {
            let list = site.user(user).get("/v2/_catalog").expect(200).json();
            assert_eq!(list, json!({"repositories": expected}), "{mode:?} {user}");
            // A page is filled from what may be seen: whoever counts does not learn how much else there is.
            let page = site.user(user).get("/v2/_catalog?n=1").expect(200);
            assert_eq!((page.json(), page.header("link")), (list, None), "{mode:?} {user}");
        }
        site.nobody().get("/v2/_catalog").expect(401);
        // A rule that is taken away is gone from the list at once, whatever a token still says.
        let before = site.bearer_or_basic(mode, "alice");
        site.reload_rules(mode, &RULES.replace("\"alice\"", "\"carol\""));
        assert_eq!(site.get("/v2/_catalog", &before).expect(200).json(), json!({"repositories": []}), "{mode:?}");
    }
}

impl Site {
    fn bearer_or_basic(&self, mode: Mode, user: &str) -> String {
        match mode {
            Mode::Htpasswd => basic(user, &format!("{user}-pw")),
            Mode::Token => self.bearer(Some(user), &["registry:catalog:*"]),
        }
    }
}

/// The list is a right of its own in a token.
#[test]
fn a_token_for_a_repository_is_none_for_the_list() {
    let site = filled(Mode::Token);
    site.get("/v2/_catalog", &site.bearer(Some("alice"), &["repository:a:*"])).expect(401);
    site.get("/v2/_catalog", &site.bearer(None, &["registry:catalog:*"])).expect(401);
    site.get("/v2/_catalog", &site.bearer(Some("alice"), &["registry:catalog:*"])).expect(200);
}

/// No other way to write the path leads past the door.
#[test]
fn a2_no_spelling_of_the_path_is_open() {
    for mode in Mode::BOTH {
        let site = filled(mode);
        let host = format!("Host: localhost:{}", site.port());
        let targets = [
            "/v2/_catalog",
            "/v2/_catalog/",
            "//v2/_catalog",
            "/v2//_catalog",
            "/V2/_catalog",
            "/v2/%5fcatalog",
            "/v2/_catalog;x",
            "/v2/a/../_catalog",
            "/v2/./_catalog",
            "/v2/_catalog?x",
            "/v2/_catalog%00",
            "/v2/_catalog%2f",
            "http://localhost/v2/_catalog",
            "http://localhost//v2/_catalog",
            "/%76%32/_catalog",
            "/v2%2f_catalog",
        ];
        let bob = format!("Authorization: {}", site.bearer_or_basic(mode, "bob"));
        for target in targets {
            let nobody = exchange(&site, "GET", target, &[&host]);
            assert!([400, 401, 404].contains(&nobody.status), "{target}: {nobody:?}");
            let known = exchange(&site, "GET", target, &[&host, &bob]);
            if known.status == 200 {
                assert_eq!(&known.body[..], b"{\"repositories\":[\"b\"]}\n", "{target}");
            } else {
                assert!([400, 404].contains(&known.status), "{target}: {known:?}");
            }
        }
    }
}
