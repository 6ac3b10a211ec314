//! A page on another origin that lists and deletes, as Joxit's docker-registry-ui does: what a browser asks for it, and
//! what it looks at in the answers.

use reqwest::Method;

use crate::{
    site::{Mode, RULES, Site, basic},
    support::{
        http::{Answer, send},
        image::Image,
    },
};

const ORIGIN: &str = "http://ui.example";
/// What that page's own documentation has operators set.
const HEADERS: &str = r#"
[http.headers]
Access-Control-Allow-Origin = ["http://ui.example"]
Access-Control-Allow-Methods = ["HEAD", "GET", "OPTIONS", "DELETE"]
Access-Control-Allow-Headers = ["Authorization", "Accept", "Cache-Control"]
Access-Control-Allow-Credentials = ["true"]
Access-Control-Expose-Headers = ["Docker-Content-Digest"]
Access-Control-Max-Age = ["1728000"]
"#;

/// A request of a page as a browser sends it: first, without a login, whether it may be sent (Fetch, section 4.8); then
/// the request itself.
fn fetch(site: &Site, method: &Method, path: &str, authorization: Option<&str>) -> Answer {
    let asked = site
        .http()
        .request(Method::OPTIONS, path)
        .header("Origin", ORIGIN)
        .header("Access-Control-Request-Method", method.as_str())
        .header("Access-Control-Request-Headers", "authorization");
    let preflight = send(asked);
    assert_eq!(preflight.status / 100, 2, "{method} {path}: {preflight:?}");
    assert_eq!(preflight.header("access-control-allow-origin"), Some(ORIGIN));
    assert!(preflight.headers.get_all("access-control-allow-methods").iter().any(|one| one == method.as_str()));
    assert!(preflight.headers.get_all("access-control-allow-headers").iter().any(|one| one == "Authorization"));
    assert!(preflight.header("allow").is_some_and(|allow| allow.contains(method.as_str())), "{preflight:?}");
    let request = site.http().request(method.clone(), path).header("Origin", ORIGIN);
    let answer = send(authorization.iter().fold(request, |request, value| request.header("Authorization", *value)));
    // Without it, a page does not even see a status.
    assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN), "{method} {path}: {answer:?}");
    answer
}

/// Lists, looks at a tag, deletes it, and sees that it has gone.
fn list_and_delete(site: &Site, authorization: Option<&str>) {
    let get = |path: &str| fetch(site, &Method::GET, path, authorization).expect(200);
    assert_eq!(get("/v2/_catalog?n=1000").json()["repositories"][0], "a");
    assert_eq!(get("/v2/a/tags/list").json()["tags"][0], "1");
    get("/v2/a/manifests/1");
    let head = fetch(site, &Method::HEAD, "/v2/a/manifests/1", authorization).expect(200);
    let digest = head.header("docker-content-digest").unwrap();
    fetch(site, &Method::DELETE, &format!("/v2/a/manifests/{digest}"), authorization).expect(202);
    fetch(site, &Method::GET, "/v2/a/manifests/1", authorization).expect(404);
}

#[test]
fn report_a3_a_page_of_another_origin_lists_and_deletes_without_a_login() {
    let site = Site::of(HEADERS);
    site.nobody().push("a", "1", &Image::new(1, "amd64"));
    list_and_delete(&site, None);
}

#[test]
fn report_a3_a_page_of_another_origin_lists_and_deletes_with_a_login() {
    let site = Site::with(Mode::Htpasswd, &format!("{RULES}{HEADERS}"));
    site.user("alice").push("a", "1", &Image::new(1, "amd64"));
    // What is asked without one shows the page that there is something to log in to.
    fetch(&site, &Method::GET, "/v2/", None).expect(401);
    list_and_delete(&site, Some(&basic("alice", "alice-pw")));
    // In token mode the page sends what it got for the password.
    let site = Site::with(Mode::Token, &format!("{RULES}{HEADERS}"));
    site.user("alice").push("a", "1", &Image::new(1, "amd64"));
    assert_eq!(fetch(&site, &Method::GET, "/token?service=registry.example", None).status, 200);
    let bearer = site.bearer(Some("alice"), &["repository:a:pull,delete"]);
    fetch(&site, &Method::GET, "/v2/a/tags/list", Some(&bearer)).expect(200);
    let digest = Image::new(1, "amd64").manifest().digest().to_string();
    fetch(&site, &Method::DELETE, &format!("/v2/a/manifests/{digest}"), Some(&bearer)).expect(202);
}

/// Every route says what may be done. What is no preflight needs a login where everything does, and a preflight tells
/// nothing of what is there.
#[test]
fn report_a3_options_of_every_route() {
    let digest = Image::new(1, "amd64").manifest().digest().to_string();
    let session = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    let rows = [
        ("/".to_owned(), "GET, HEAD, OPTIONS", true),
        ("/healthz".to_owned(), "GET, HEAD, OPTIONS", true),
        ("/token".to_owned(), "GET, HEAD, POST, OPTIONS", true),
        ("/v2/auth".to_owned(), "GET, HEAD, POST, OPTIONS", true),
        ("/v2/".to_owned(), "GET, HEAD, OPTIONS", false),
        ("/v2/_catalog".to_owned(), "GET, HEAD, OPTIONS", false),
        ("/v2/a/tags/list".to_owned(), "GET, HEAD, OPTIONS", false),
        ("/v2/not/there/tags/list".to_owned(), "GET, HEAD, OPTIONS", false),
        (format!("/v2/a/referrers/{digest}"), "GET, HEAD, OPTIONS", false),
        ("/v2/a/manifests/1".to_owned(), "GET, HEAD, PUT, DELETE, OPTIONS", false),
        (format!("/v2/a/blobs/{digest}"), "GET, HEAD, DELETE, OPTIONS", false),
        ("/v2/a/blobs/uploads/".to_owned(), "POST, OPTIONS", false),
        (format!("/v2/a/blobs/uploads/{session}"), "GET, HEAD, PATCH, PUT, DELETE, OPTIONS", false),
    ];
    for site in [Site::of(HEADERS), Site::with(Mode::Htpasswd, HEADERS), Site::with(Mode::Token, HEADERS)] {
        let is_open = send(site.http().request(Method::GET, "/v2/")).status == 200;
        for (path, allow, needs_nothing) in &rows {
            let options = || site.http().request(Method::OPTIONS, path);
            let preflight = options().header("Origin", ORIGIN).header("Access-Control-Request-Method", "DELETE");
            let (preflight, plain) = (send(preflight), send(options()));
            let half = send(options().header("Origin", ORIGIN));
            for (answer, is_preflight) in [(preflight, true), (plain, false), (half, false)] {
                assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN), "{path}");
                let expected = if is_open || *needs_nothing || is_preflight { 204 } else { 401 };
                assert_eq!(answer.status, expected, "{path}: {answer:?}");
                if expected == 204 {
                    assert_eq!((answer.header("allow"), answer.body.len()), (Some(*allow), 0), "{path}");
                }
            }
        }
        // What is no path says no more to who may not come in than it does otherwise.
        for (path, open) in [("/nowhere", 404), ("/v2/A/tags/list", 400), ("/v2/%zz", 400)] {
            let preflight = site.http().request(Method::OPTIONS, path).header("Origin", ORIGIN);
            let preflight = send(preflight.header("Access-Control-Request-Method", "GET"));
            assert_eq!(preflight.status, if is_open { open } else { 401 }, "{path}");
        }
    }
    let site = Site::with(Mode::Htpasswd, HEADERS);
    site.ask(Method::OPTIONS, "/v2/a/manifests/1", &basic("alice", "alice-pw")).expect(204);
    site.ask(Method::OPTIONS, "/v2/a/manifests/1", &basic("alice", "wrong")).expect(401);
}
