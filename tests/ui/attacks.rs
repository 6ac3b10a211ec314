//! What a page must withstand.

use reqwest::Method;
use serde_json::json;

use crate::{
    content::{Described, UI, closed_site, open_site, push_referrer, site_with},
    site::{Mode, Site, basic, hash, write_private},
    support::{
        http::send,
        image::{Blob, IMAGE_INDEX, IMAGE_MANIFEST, Manifest},
    },
    visitor::{Visitor, hidden, text},
};

const EVIL: &str = "</code><script>alert(1)</script><img src=x onerror=alert(1)>\"'><a href=javascript:alert(1)>&lt;";

fn one_image(registry: &crate::support::http::Registry) {
    Described::usual(1, "amd64").push(registry, "a", Some("v1"));
}

/// That the text stands in a page, and only as text.
#[track_caller]
fn expect_text_alone(page: &str, what: &str) {
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{what} is not shown: {page}");
    for tag in ["<script", "<img src=x", "<a href=javascript", "\"'>", "onerror=alert(1)>"] {
        assert!(!page.contains(tag), "{what}: {tag} in {page}");
    }
}

#[test]
fn stored_html_in_every_field_is_text() {
    let mut image = Described::usual(1, "amd64");
    image.annotations = json!({EVIL: EVIL});
    image.config["created"] = json!(EVIL);
    image.config["author"] = json!(EVIL);
    image.config["os"] = json!(EVIL);
    image.config["architecture"] = json!(EVIL);
    image.config["variant"] = json!(EVIL);
    for field in ["User", "WorkingDir", "StopSignal"] {
        image.config["config"][field] = json!(EVIL);
    }
    for field in ["Env", "Entrypoint", "Cmd"] {
        image.config["config"][field] = json!([EVIL]);
    }
    for field in ["ExposedPorts", "Volumes", "Labels"] {
        image.config["config"][field] = json!({EVIL: EVIL});
    }
    image.config["history"] = json!([{"created_by": EVIL, "comment": EVIL}, {"comment": EVIL}]);
    let site = open_site(|registry| {
        let manifest = image.push(registry, "a", Some("image"));
        push_referrer(registry, "a", &manifest, EVIL);
        let mut child = manifest.descriptor();
        child["platform"] = json!({"os": EVIL, "architecture": EVIL, "variant": EVIL});
        let index =
            json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": [child], "annotations": {EVIL: EVIL}});
        registry.repository("a").push_manifest("index", &Manifest::new(&index, IMAGE_INDEX));
        let config = Blob::new(b"{}".to_vec(), EVIL);
        registry.repository("a").push_blob(&config);
        let mut layer = config.descriptor();
        layer["annotations"] = json!({"org.opencontainers.image.title": EVIL});
        let artifact = json!({
            "schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "artifactType": EVIL, "config": config.descriptor(),
            "layers": [layer],
        });
        registry.repository("a").push_manifest("artifact", &Manifest::new(&artifact, IMAGE_MANIFEST));
    });
    let visitor = Visitor::new(&site);
    for path in ["/ui/r/a", "/ui/r/a/-/image", "/ui/r/a/-/index", "/ui/r/a/-/artifact"] {
        expect_text_alone(&visitor.page(path), path);
    }
    let digest = hidden_digest(&visitor.page("/ui/r/a/-/index"));
    expect_text_alone(&visitor.page(&format!("/ui/r/a/-/{digest}/delete")), "delete");
}

fn hidden_digest(page: &str) -> String {
    page.split("<code class=\"whole\">").nth(1).unwrap().split('<').next().unwrap().to_owned()
}

/// A page may read hundreds of manifests, and JSON takes more memory than its text.
#[test]
fn very_long_manifests_are_not_read_for_a_page() {
    let site = open_site(|registry| {
        let mut image = Described::usual(1, "amd64");
        image.annotations = json!({"note": "x".repeat(600_000)});
        let manifest = image.push(registry, "a", Some("image"));
        let mut child = manifest.descriptor();
        child["platform"] = json!({"os": "linux", "architecture": "amd64"});
        let index = json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": [child]});
        registry.repository("a").push_manifest("index", &Manifest::new(&index, IMAGE_INDEX));
        image.annotations = json!({});
        image.config["config"]["Env"] = json!(["x".repeat(600_000)]);
        image.push(registry, "a", Some("config"));
    });
    let visitor = Visitor::new(&site);
    assert!(visitor.page("/ui/r/a/-/image").contains("too long to be shown"));
    for path in ["/ui/r/a", "/ui/r/a/-/image", "/ui/r/a/-/index", "/ui/r/a/-/config", "/ui/r/a/-/index/delete"] {
        let page = visitor.page(path);
        assert!(page.len() < 20_000, "{path}: {} bytes", page.len());
    }
}

#[test]
fn html_in_what_a_viewer_types_is_text() {
    let site = open_site(one_image);
    let visitor = Visitor::new(&site);
    let query = "q=%3C%2Fcode%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E%22%27%3E";
    for path in [format!("/ui/?{query}"), format!("/ui/r/a?{query}&sort=%22%3E&page=%22%3E")] {
        expect_text_alone(&visitor.page(&path), &path);
    }
    for path in [
        "/ui/%3Cscript%3E",
        "/ui/r/%3Cscript%3Ealert(1)",
        "/ui/r/a?deleted=%3Cscript%3E",
        "/ui/login?next=%22%3E%3Cscript%3E",
    ] {
        let page = text(&visitor.get(path));
        assert!(page.starts_with("<!DOCTYPE html>") && !page.contains("<script"), "{path}: {page}");
    }
}

#[test]
fn html_in_the_name_of_a_user_is_text() {
    let directory = Site::directory();
    let user = "<script>alert(1)</script>\"'>";
    write_private(&directory.path().join("htpasswd"), &format!("{user}:{}\n", hash("pw")));
    let site = Site::start(directory, &format!("{}{UI}", Mode::Htpasswd.settings())).unwrap();
    let visitor = Visitor::new(&site);
    visitor.log_in(user, "pw").expect(303);
    expect_text_alone(&visitor.page("/ui/"), "user");
}

/// Each way in which another site could send a form, or half of one.
#[test]
fn a_form_of_another_site_is_refused() {
    let site = closed_site(Mode::Htpasswd, one_image);
    let (alice, ro) = (Visitor::logged_in(&site, "alice"), Visitor::logged_in(&site, "ro"));
    let path = "/ui/r/a/-/v1/delete";
    let page = alice.page(path);
    let (token, plan) = (hidden(&page, "form_token"), hidden(&page, "plan"));
    let others = hidden(&ro.page("/ui/r/a/-/v1"), "form_token");
    let nobodys = hidden(&Visitor::new(&site).page("/ui/login"), "form_token");
    let form = |token: &str| [("form_token", token.to_owned()), ("plan", plan.clone())];
    let own = alice.origin().to_owned();
    let post = |headers: &[(&str, &str)], token: &str| {
        let request = headers
            .iter()
            .fold(alice.request(Method::POST, path), |request, (name, value)| request.header(*name, *value));
        send(request.form(&form(token)))
    };
    let rows: [(&[(&str, &str)], &str); 9] = [
        (&[], &token),
        (&[("Origin", "null")], &token),
        (&[("Origin", "https://evil.example")], &token),
        (&[("Origin", &own), ("Sec-Fetch-Site", "cross-site")], &token),
        (&[("Origin", &own), ("Sec-Fetch-Site", "same-site")], &token),
        (&[("Origin", &own)], ""),
        (&[("Origin", &own)], &others),
        (&[("Origin", &own)], &nobodys),
        (&[("Origin", &own)], &token[1..]),
    ];
    for (headers, token) in rows {
        let answer = post(headers, token);
        assert_eq!(answer.status, 403, "{headers:?} {token}: {}", text(&answer));
    }
    // The types that a form of another site may have, too.
    let body = format!("form_token={token}&plan={plan}");
    for media_type in ["text/plain", "multipart/form-data; boundary=x", "application/json"] {
        let request = alice.request(Method::POST, path).header("Origin", &own).header("Content-Type", media_type);
        send(request.body(body.clone())).expect(403);
    }
    // A link does nothing.
    alice.get(&format!("{path}?{body}")).expect(200);
    alice.get("/ui/logout").expect(405);
    alice.get("/ui/r/a/-/v1").expect(200);
    assert_eq!(post(&[("Origin", &own), ("Sec-Fetch-Site", "same-origin")], &token).status, 303);
    alice.get("/ui/r/a/-/v1").expect(404);
}

#[test]
fn another_site_can_not_log_anybody_in_or_out() {
    let site = closed_site(Mode::Token, one_image);
    let visitor = Visitor::new(&site);
    let token = hidden(&visitor.page("/ui/login"), "form_token");
    let fields = [("user", "alice"), ("password", "alice-pw"), ("form_token", token.as_str())];
    let foreign = visitor.request(Method::POST, "/ui/login").header("Origin", "https://evil.example");
    let answer = send(foreign.form(&fields)).expect(403);
    assert_eq!(answer.header("set-cookie"), None);

    let alice = Visitor::logged_in(&site, "alice");
    let token = hidden(&alice.page("/ui/"), "form_token");
    let foreign = alice.request(Method::POST, "/ui/logout").header("Origin", "https://evil.example");
    send(foreign.form(&[("form_token", token)])).expect(403);
    alice.page("/ui/");
}

/// Every answer of the page, errors included, tells the browser what other sites may do with it: nothing.
#[test]
fn no_other_site_may_frame_a_page_or_add_to_it() {
    let site = open_site(one_image);
    let visitor = Visitor::new(&site);
    for path in [
        "/",
        "/ui/",
        "/ui/space",
        "/ui/login",
        "/ui/style.css",
        "/ui/icon.svg",
        "/ui/r/a",
        "/ui/r/a/-/v1",
        "/ui/r/a/-/v1/delete",
        "/ui/r/none",
        "/ui/none",
        "/ui/logout",
        "/ui/?q=1&q=2",
    ] {
        let answer = visitor.get(path);
        let policy = answer.header("content-security-policy").unwrap();
        for rule in ["default-src 'none'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert!(!policy.contains("script-src") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
        let is_page = answer.header("content-type").is_some_and(|media_type| media_type.starts_with("text/html"));
        if is_page {
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
            let page = text(&answer);
            for attribute in ["<script", " style=", " onclick", "javascript:"] {
                assert!(!page.contains(attribute), "{path}: {attribute}");
            }
        }
    }
}

/// A session that was planted in a browser, or that was there before, is none after a login.
#[test]
fn a_session_is_never_one_that_somebody_chose() {
    for mode in Mode::BOTH {
        let site = closed_site(mode, one_image);
        let visitor = Visitor::new(&site);
        let planted = format!("wharf-session={}", "0".repeat(64));
        *visitor.cookie.borrow_mut() = Some(planted.clone());
        visitor.log_in("alice", "alice-pw").expect(303);
        let first = visitor.cookie.borrow().clone().unwrap();
        assert_ne!(first, planted);
        visitor.log_in("alice", "alice-pw").expect(303);
        let second = visitor.cookie.borrow().clone().unwrap();
        assert_ne!(first, second);
        for old in [planted, first] {
            *visitor.cookie.borrow_mut() = Some(old);
            visitor.get("/ui/").expect(303);
        }
        *visitor.cookie.borrow_mut() = Some(second.clone());
        visitor.page("/ui/");
        let token = hidden(&visitor.page("/ui/"), "form_token");
        visitor.submit("/ui/logout", &[("form_token", &token)]).expect(303);
        *visitor.cookie.borrow_mut() = Some(second);
        visitor.get("/ui/").expect(303);
    }
}

#[test]
fn the_cookie_is_hidden_from_scripts_and_from_other_sites() {
    let site = closed_site(Mode::Htpasswd, one_image);
    let visitor = Visitor::new(&site);
    let answer = visitor.log_in("alice", "alice-pw").expect(303);
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("wharf-session="), "{cookie}");
    for attribute in ["; Path=/", "; Max-Age=28800", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Domain") && !cookie.contains("alice"), "{cookie}");
}

/// The API takes a password or a token, and nothing that a browser sends by itself.
#[test]
fn the_api_never_takes_the_cookie() {
    for mode in Mode::BOTH {
        let site = closed_site(mode, one_image);
        let alice = Visitor::logged_in(&site, "alice");
        for (method, path) in [
            (Method::GET, "/v2/"),
            (Method::GET, "/v2/_catalog"),
            (Method::GET, "/v2/a/tags/list"),
            (Method::GET, "/v2/a/manifests/v1"),
            (Method::POST, "/v2/a/blobs/uploads/"),
            (Method::DELETE, "/v2/a/manifests/v1"),
        ] {
            let with = send(alice.request(method.clone(), path).header("Origin", alice.origin())).expect(401);
            let without = send(Visitor::new(&site).request(method, path)).expect(401);
            assert_eq!(with.body, without.body, "{path}");
            assert_eq!(with.header("set-cookie"), None);
        }
    }
}

/// A browser that has sent a password to the API sends it everywhere by itself: the page does not look at it.
#[test]
fn the_page_never_takes_a_password_that_a_browser_sends_by_itself() {
    let site = closed_site(Mode::Htpasswd, one_image);
    let visitor = Visitor::new(&site);
    for path in ["/ui/", "/ui/r/a", "/ui/r/a/-/v1/delete"] {
        let request = visitor.request(Method::GET, path).header("Authorization", basic("alice", "alice-pw"));
        send(request).expect(303);
    }
}

#[test]
fn a_login_never_leads_elsewhere() {
    let site = closed_site(Mode::Htpasswd, one_image);
    for (next, expected) in [
        ("/ui/r/a", "/ui/r/a"),
        ("https://evil.example/", "/ui/"),
        ("//evil.example/", "/ui/"),
        ("/\\evil.example", "/ui/"),
        ("/ui/r/a/../../../evil", "/ui/"),
        ("/ui/r/a\r\nLocation: https://evil.example", "/ui/"),
    ] {
        let visitor = Visitor::new(&site);
        let page = send(visitor.request(Method::GET, "/ui/login").query(&[("next", next)])).expect(200);
        let page = text(&page);
        assert_eq!(hidden(&page, "next"), expected, "{next}");
        // Nor if the form was changed.
        let token = hidden(&page, "form_token");
        let fields = [("user", "alice"), ("password", "alice-pw"), ("form_token", &*token), ("next", next)];
        let answer = visitor.submit("/ui/login", &fields).expect(303);
        assert_eq!(answer.header("location"), Some(expected), "{next}");
    }
    // Nor does the Host lead anywhere.
    let answer = send(Visitor::new(&site).request(Method::GET, "/ui/").header("Host", "evil.example")).expect(303);
    assert_eq!(answer.header("location"), Some("/ui/login?next=%2Fui%2F"));
}

/// Guesses through the form and through the API are counted together, and a right password is not let in meanwhile.
#[test]
fn guesses_through_the_form_are_throttled_with_all_others() {
    let site = closed_site(Mode::Htpasswd, one_image);
    let visitor = Visitor::new(&site);
    // Ten within a minute are too many. A machine that is too slow for that begins again.
    let blocked = (0..100).find_map(|number| {
        let (user, password) = (["alice", "nobody-of-that-name"][number / 2 % 2], format!("guess-{number}"));
        if number % 2 == 0 {
            let answer = site.get("/v2/", &basic(user, &password));
            assert!(matches!(answer.status, 401 | 429), "{answer:?}");
            return None;
        }
        let answer = visitor.log_in(user, &password);
        assert_eq!(answer.header("set-cookie"), None);
        if answer.status == 429 {
            return Some((number, answer));
        }
        assert_eq!(answer.status, 403);
        assert!(text(&answer).contains("The name or the password is wrong."), "{}", text(&answer));
        None
    });
    let (number, blocked) = blocked.expect("the form is throttled");
    assert!(number >= 10, "{number}");
    assert!(blocked.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    assert!(text(&blocked).contains("Try again later"));
    visitor.log_in("alice", "alice-pw").expect(429);
    site.get("/v2/", &basic("alice", "alice-pw")).expect(429);
}

/// Over HTTP, a password would be read by others, and no browser would keep the login.
#[test]
fn nobody_logs_in_over_http_from_another_machine() {
    let site = closed_site(Mode::Htpasswd, one_image);
    let visitor = Visitor::new(&site);
    let token = hidden(&visitor.page("/ui/login"), "form_token");
    let fields = [("user", "alice"), ("password", "alice-pw"), ("form_token", token.as_str())];
    let post = |origin: &str| {
        let request = visitor.request(Method::POST, "/ui/login").header("Host", "registry.example");
        send(request.header("Origin", origin).form(&fields))
    };
    let refused = post("http://registry.example").expect(403);
    assert!(text(&refused).contains("only over HTTPS") && refused.header("set-cookie").is_none());
    // Behind a proxy that ends TLS, the browser says that it uses TLS.
    let answer = post("https://registry.example").expect(303);
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-wharf-session=") && cookie.ends_with("; Secure"), "{cookie}");
}

/// Neither the store nor the session of another process, nor the page, is a way to more rights after they were taken.
#[test]
fn rights_are_those_of_the_moment() {
    let settings = format!("{}{}{UI}", Mode::Htpasswd.settings(), crate::site::RULES);
    let site = site_with(&settings, one_image);
    let alice = Visitor::logged_in(&site, "alice");
    alice.page("/ui/r/a/-/v1/delete");
    let rules = "[[access]]\nusers = [\"alice\"]\nrepositories = [\"a\"]\nactions = [\"pull\"]\n";
    site.reload(&format!("{}{rules}{UI}", Mode::Htpasswd.settings()));
    alice.page("/ui/r/a/-/v1");
    alice.get("/ui/r/a/-/v1/delete").expect(403);
    let rules = "[[access]]\nusers = [\"bob\"]\nrepositories = [\"**\"]\nactions = [\"pull\"]\n";
    site.reload(&format!("{}{rules}{UI}", Mode::Htpasswd.settings()));
    alice.get("/ui/r/a/-/v1").expect(404);
}
