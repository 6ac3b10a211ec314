//! Fields of answers that have to do with who asks.

use reqwest::Method;

use crate::{
    site::{Mode, Site},
    support::{http::send, image::Image},
};

/// What not everybody may read is kept out of caches that serve several.
#[test]
fn j4_private_answers_stay_private() {
    for mode in Mode::BOTH {
        let (site, image) = (Site::new(mode), Image::new(1, "amd64"));
        let alice = site.user("alice");
        alice.push("a", "1", &image);
        let blob = image.blobs().next().unwrap().digest().to_owned();
        for (path, expected) in [
            ("/v2/a/manifests/1".to_owned(), "private, no-cache"),
            (format!("/v2/a/manifests/{}", image.manifest().digest()), "private, no-cache"),
            (format!("/v2/a/blobs/{blob}"), "private, max-age=31536000, immutable"),
        ] {
            let answer = alice.get(&path).expect(200);
            assert_eq!(answer.header("cache-control"), Some(expected), "{path}");
            assert_eq!(answer.header("vary"), Some("Authorization"), "{path}");
        }
        for path in ["/v2/a/tags/list", "/v2/_catalog", &format!("/v2/a/referrers/{}", image.manifest().digest())] {
            let answer = alice.get(path).expect(200);
            assert_eq!(answer.header("cache-control"), Some("private, no-cache"), "{path}");
            assert_eq!(answer.header("vary"), Some("Authorization"), "{path}");
        }
    }
    let open = Site::of("");
    open.nobody().push("a", "1", &Image::new(1, "amd64"));
    assert_eq!(open.http().get("/v2/a/manifests/1").expect(200).header("cache-control"), Some("no-cache"));
}

/// Nothing is set on a browser, and nobody is sent elsewhere.
#[test]
fn a17_no_cookies_and_no_redirects() {
    for mode in Mode::BOTH {
        let site = Site::new(mode);
        site.user("alice").push("a", "1", &Image::new(1, "amd64"));
        for path in [
            "/",
            "/healthz",
            "/token",
            "/v2",
            "/v2/",
            "/v2/auth",
            "/v2/_catalog",
            "/v2/a/tags/list",
            "/v2/a/manifests/1",
            "//evil.example/v2/",
        ] {
            for client in [site.nobody(), site.user("alice")] {
                for method in [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS] {
                    let answer = client.ask(method, path);
                    assert!(answer.status / 100 != 3, "{answer:?}");
                    for name in ["set-cookie", "access-control-allow-origin", "refresh", "link"] {
                        assert_eq!(answer.header(name), None, "{path}");
                    }
                    for (name, value) in [
                        ("x-content-type-options", "nosniff"),
                        ("x-frame-options", "DENY"),
                        ("referrer-policy", "no-referrer"),
                    ] {
                        assert_eq!(answer.header(name), Some(value), "{path}");
                    }
                }
            }
        }
    }
}

/// The operator's fields are those of every answer, errors too.
#[test]
fn own_fields_stand_over_all_others() {
    let site = Site::with(
        Mode::Htpasswd,
        "[http.headers]\nServer = [\"mine\"]\nX-Frame-Options = [\"SAMEORIGIN\"]\nX-Two = [\"a\", \"b\"]\n",
    );
    for path in ["/", "/v2/", "/v2/a/tags/list", "/nothing"] {
        let answer = send(site.http().request(Method::GET, path));
        assert_eq!(
            (answer.header("server"), answer.header("x-frame-options")),
            (Some("mine"), Some("SAMEORIGIN")),
            "{path}"
        );
        assert_eq!(answer.headers.get_all("x-two").iter().count(), 2);
    }
}
