//! Who sees what, in every mode of authentication, and at which addresses.

use crate::{
    content::{Described, UI, closed_site, open_site, push_index, site_with},
    site::{Mode, RULES},
    support::{
        http::{Registry, send},
        wait::eventually,
    },
    visitor::{Visitor, hidden},
};

fn three(registry: &Registry) {
    for name in ["a", "b", "public/c"] {
        Described::usual(1, "amd64").push(registry, name, Some("v1"));
    }
}

#[test]
fn what_a_viewer_may_not_see_is_not_there() {
    for mode in Mode::BOTH {
        let site = closed_site(mode, three);
        for (user, sees) in [("alice", [true, false]), ("bob", [false, true]), ("stranger", [false, false])] {
            let visitor = Visitor::logged_in(&site, user);
            let home = visitor.page("/ui/");
            for (name, sees) in ["a", "b"].into_iter().zip(sees) {
                assert_eq!(home.contains(&format!("/ui/r/{name}\"")), sees, "{user} {name}");
                let there = visitor.get(&format!("/ui/r/{name}/-/v1"));
                let not_there = visitor.get("/ui/r/none/-/v1").expect(404);
                assert_eq!(there.status, if sees { 200 } else { 404 }, "{user} {name}");
                assert!(sees || there.body == not_there.body, "{user} {name}");
            }
            assert!(home.contains("/ui/r/public/c\""), "{user}");
        }
    }
}

#[test]
fn somebody_without_a_login_sees_what_everybody_may() {
    for mode in Mode::BOTH {
        let site = closed_site(mode, three);
        let visitor = Visitor::new(&site);
        visitor.page("/ui/r/public/c/-/v1");
        for (path, next) in [("/ui/", "%2Fui%2F"), ("/ui/r/a", "%2Fui%2Fr%2Fa"), ("/ui/r/none", "%2Fui%2Fr%2Fnone")] {
            let answer = visitor.get(path).expect(303);
            assert_eq!(answer.header("location"), Some(&*format!("/ui/login?next={next}")));
            assert_eq!(answer.header("www-authenticate"), None);
        }
    }
}

#[test]
fn a_login_lasts_until_the_logout() {
    for mode in Mode::BOTH {
        let site = closed_site(mode, three);
        let visitor = Visitor::new(&site);
        assert_eq!(visitor.log_in("alice", "wrong").status, 403);
        let answer = visitor.log_in("alice", "alice-pw").expect(303);
        assert_eq!(answer.header("location"), Some("/ui/"));
        let home = visitor.page("/ui/");
        assert!(home.contains(">alice</a>") && home.contains("Log out"), "{home}");
        let answer = visitor.submit("/ui/logout", &[("form_token", &hidden(&home, "form_token"))]).expect(303);
        assert_eq!(answer.header("location"), Some("/ui/login"));
        assert!(answer.header("set-cookie").unwrap().contains("Max-Age=0"));
        visitor.get("/ui/").expect(303);
    }
}

#[test]
fn without_authentication_there_is_no_login() {
    let site = open_site(three);
    let visitor = Visitor::new(&site);
    let home = visitor.page("/ui/");
    assert!(!home.contains("Log in") && !home.contains("Log out"), "{home}");
    assert!(visitor.page("/ui/login").contains("needs no login"));
}

#[test]
fn an_external_issuer_is_linked_and_no_password_is_asked_for() {
    let directory = crate::site::Site::directory();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["issuer".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(directory.path().join("bundle.pem"), certificate.pem()).unwrap();
    let settings = format!(
        "[auth]\nmode = \"token\"\n[auth.token]\nrealm = \"https://auth.example/token\"\nservice = \"s\"\n\
         issuer = \"i\"\nrootcertbundle = \"DIRECTORY/bundle.pem\"\n{UI}"
    );
    let site = crate::site::Site::start(directory, &settings).unwrap();
    let visitor = Visitor::new(&site);
    visitor.get("/ui/").expect(303);
    let page = visitor.page("/ui/login");
    assert!(page.contains("href=\"https://auth.example/token\"") && !page.contains("password\""), "{page}");
}

#[test]
fn all_stands_under_the_prefix() {
    let settings = format!("[http]\nprefix = \"/my/own\"\n{}{RULES}{UI}", Mode::Htpasswd.settings());
    let site = site_with(&settings, three);
    let visitor = Visitor::new(&site);
    let answer = visitor.get("/my/own/ui/r/a").expect(303);
    assert_eq!(answer.header("location"), Some("/my/own/ui/login?next=%2Fui%2Fr%2Fa"));
    let page = visitor.page("/my/own/ui/login?next=%2Fui%2Fr%2Fa");
    let (token, next) = (hidden(&page, "form_token"), hidden(&page, "next"));
    let fields = [("user", "alice"), ("password", "alice-pw"), ("form_token", &*token), ("next", &*next)];
    let answer = visitor.submit("/my/own/ui/login", &fields).expect(303);
    assert_eq!(answer.header("location"), Some("/my/own/ui/r/a"));
    let page = visitor.page("/my/own/ui/r/a");
    let links: Vec<_> = page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(links.iter().filter(|link| link.starts_with('/')).all(|link| link.starts_with("/my/own/ui/")), "{links:?}");
    site.http().get("/ui/").expect(401);
}

/// A proxy ends TLS, and may change the host and take a path away. The browser stays where it is.
#[test]
fn behind_a_proxy_that_ends_tls() {
    let settings = format!("[http]\nhost = \"https://r.example/docker\"\n{}{RULES}{UI}", Mode::Token.settings());
    let site = site_with(&settings, |registry| drop(push_index(registry, "a", ["v2", "latest"], 50)));
    let visitor = Visitor::new(&site);
    let page = visitor.page("/ui/login");
    assert!(page.contains("action=\"/docker/ui/login\""), "{page}");
    let fields = [("user", "alice"), ("password", "alice-pw"), ("form_token", &hidden(&page, "form_token"))];
    let request = visitor.request(reqwest::Method::POST, "/ui/login").header("Host", "10.0.0.7:5000");
    let request = request.header("Origin", "https://r.example").header("Sec-Fetch-Site", "same-origin");
    let answer = send(request.form(&fields)).expect(303);
    assert_eq!(answer.header("location"), Some("/docker/ui/"));
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    assert!(cookie.starts_with("__Host-"), "{cookie}");
    *visitor.cookie.borrow_mut() = Some(cookie);
    let image = visitor.page("/ui/r/a/-/v2");
    assert!(image.contains("r.example/a:v2"), "{image}");
}

#[test]
fn the_space_is_shown_to_users_and_says_what_the_last_collection_did() {
    let site = closed_site(Mode::Htpasswd, three);
    Visitor::new(&site).get("/ui/space").expect(303);
    let page = Visitor::logged_in(&site, "stranger").page("/ui/space");
    assert!(page.contains("None since the start") && page.contains("one every 1 day"), "{page}");
    let site = site_with(&format!("[storage.gc]\ninterval = \"1s\"\n{UI}"), three);
    let visitor = Visitor::new(&site);
    eventually("a collection", || visitor.page("/ui/space").contains("<dt>Freed</dt>"));
}
