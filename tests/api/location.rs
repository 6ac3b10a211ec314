//! `Location` and `Link`: a path, or what the operator named, or asked for in so many words.

use wharf::config::Config;

use crate::{registry::TestRegistry, support::raw};

/// `http.host`, `http.relativeurls`; what a `Location` and a `Link` begin with.
#[tokio::test]
async fn report_what_stands_before_a_location_and_a_link() {
    let table = [
        (None, None, "/v2/", "/v2/"),
        (None, Some(true), "/v2/", "/v2/"),
        (None, Some(false), "http://registry.local:77/v2/", "/v2/"),
        (Some("https://r.test"), None, "https://r.test/v2/", "/v2/"),
        (Some("https://r.test/"), Some(false), "https://r.test/v2/", "/v2/"),
        (Some("https://r.test:5001"), None, "https://r.test:5001/v2/", "/v2/"),
        (Some("https://r.test"), Some(true), "/v2/", "/v2/"),
        // A proxy that takes a path away has to be asked with it.
        (Some("https://r.test/base/"), None, "https://r.test/base/v2/", "/base/v2/"),
    ];
    for (host, relative, location, link) in table {
        let registry = TestRegistry::with(|config: &mut Config| {
            config.http.host = host.map(|host| host.parse().unwrap());
            config.http.relative_urls = relative;
        });
        for tag in ["1", "2", "3"] {
            registry.image("a", tag, tag).await;
        }
        registry.image("b", "1", "1").await;
        let fields = "Host: registry.local:77\r\nX-Forwarded-Host: evil.test\r\nX-Forwarded-Proto: gopher";
        let ask = |line: &str| {
            let request = format!("{line} HTTP/1.1\r\n{fields}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            String::from_utf8(raw::exchange(&registry, request.as_bytes())).unwrap().to_lowercase()
        };
        let begun = ask("POST /v2/a/blobs/uploads/");
        assert!(begun.contains(&format!("location: {location}a/blobs/uploads/")), "{host:?} {relative:?}: {begun}");
        for list in ["_catalog", "a/tags/list"] {
            let page = ask(&format!("GET /v2/{list}?n=1"));
            assert!(page.contains(&format!("link: <{link}{list}?last=")), "{host:?} {relative:?}: {page}");
            assert!(!page.contains("evil.test"), "{page}");
        }
    }
}
