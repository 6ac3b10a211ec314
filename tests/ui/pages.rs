//! What the pages show.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    content::{Described, UI, large_site, open_site, push_index, push_referrer, site_with},
    support::{
        http::send,
        image::{IMAGE_INDEX, IMAGE_MANIFEST, Manifest},
    },
    visitor::{Visitor, text},
};

/// What stands in the rows of a table, without its tags.
fn rows(page: &str) -> Vec<String> {
    page.split("<tr>").skip(2).map(|row| plain(row.split("</tr>").next().unwrap())).collect()
}

/// A text without tags.
fn plain(html: &str) -> String {
    let texts = html
        .split('<')
        .enumerate()
        .map(|(at, part)| if at == 0 { part } else { part.split_once('>').map_or("", |(_, text)| text) });
    texts.filter(|text| !text.trim().is_empty()).collect::<Vec<_>>().join("|")
}

#[test]
fn repositories_are_found_by_name_and_page() {
    let site = open_site(|registry| {
        for number in 0..60 {
            Described::usual(1, "amd64").push(registry, &format!("team/app-{number:02}"), Some("v1"));
        }
        Described::usual(1, "amd64").push(registry, "team/app-00", Some("v2"));
    });
    let visitor = Visitor::new(&site);
    let first = visitor.page("/ui/");
    assert!(first.contains("60 repositories") && first.contains("Page 1 of 2"), "{first}");
    assert_eq!(rows(&first).len(), 50);
    assert_eq!(rows(&first)[0], "team/app-00|2|just now");
    assert_eq!(rows(&visitor.page("/ui/?page=2")).len(), 10);
    let found = visitor.page("/ui/?q=APP-3");
    assert_eq!(rows(&found).len(), 10);
    assert!(visitor.page("/ui/?q=none-such").contains("No repository has"));
}

#[test]
fn tags_show_platforms_and_sizes_and_are_filtered_and_sorted() {
    let site = open_site(|registry| {
        Described::usual(1, "amd64").push(registry, "a", Some("v1"));
        push_index(registry, "a", ["v2", "latest"], 50);
        let image = Described::usual(1, "amd64").push(registry, "a", Some("v3"));
        let artifact = push_referrer(registry, "a", &image, "application/spdx+json");
        registry.repository("a").push_manifest("sbom", &artifact);
    });
    let visitor = Visitor::new(&site);
    let by_name = rows(&visitor.page("/ui/r/a?sort=name"));
    let names = |rows: &[String]| rows.iter().map(|row| row.split('|').next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&by_name), ["latest", "sbom", "v1", "v2", "v3"]);
    assert!(by_name[0].starts_with("latest|just now|linux/amd64|linux/arm64|14"), "{by_name:?}");
    assert!(by_name[1].starts_with("sbom|just now|application/spdx+json|502 B|sha256:"), "{by_name:?}");
    assert!(by_name[2].starts_with("v1|just now|linux/amd64|6"), "{by_name:?}");
    assert_eq!(names(&rows(&visitor.page("/ui/r/a"))).last().unwrap(), "v1");
    assert_eq!(names(&rows(&visitor.page("/ui/r/a?sort=oldest")))[0], "v1");
    assert_eq!(names(&rows(&visitor.page("/ui/r/a?sort=name-backwards")))[0], "v3");
    assert_eq!(names(&rows(&visitor.page("/ui/r/a?q=v&sort=name"))), ["v1", "v2", "v3"]);
    assert!(visitor.page("/ui/r/a?q=none-such").contains("No tag has"));
}

/// Indexes in indexes, Windows, layers of other hosts, artifacts: each is shown as what it is.
#[test]
fn odd_content_is_shown_as_what_it_is() {
    let site = open_site(|registry| {
        let inner = push_index(registry, "a", ["inner", "latest"], 50);
        let image = Described::usual(1, "amd64").push(registry, "a", Some("v1"));
        let mut windows = image.descriptor();
        windows["platform"] = json!({"os": "windows", "architecture": "amd64", "os.version": "10.0.20348.2"});
        let removed = Described::usual(5, "s390x").push(registry, "a", None);
        let mut gone = removed.descriptor();
        gone["platform"] = json!({"os": "linux", "architecture": "s390x"});
        for (tag, children) in
            [("outer", vec![inner.descriptor()]), ("windows", vec![windows.clone()]), ("gone", vec![windows, gone])]
        {
            let body = json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": children});
            registry.repository("a").push_manifest(tag, &Manifest::new(&body, IMAGE_INDEX));
        }
        registry.repository("a").delete(&format!("manifests/{}", removed.digest())).expect(202);
        let artifact = push_referrer(registry, "a", &image, "application/spdx+json");
        registry.repository("a").push_manifest("sbom", &artifact);
        let mut foreign: Value = serde_json::from_slice(image.bytes()).unwrap();
        foreign["layers"][0] = json!({
            "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "size": 5,
            "digest": format!("sha256:{}", "1".repeat(64)), "urls": ["https://example.com/layer"],
        });
        registry.repository("a").push_manifest("foreign", &Manifest::new(&foreign, IMAGE_MANIFEST));
    });
    let visitor = Visitor::new(&site);
    let shown = |tag: &str| plain(&visitor.page(&format!("/ui/r/a/-/{tag}")));
    let outer = shown("outer");
    assert!(outer.contains("Index") && !outer.contains("Size") && !outer.contains("0 B"), "{outer}");
    assert!(shown("windows").contains("windows/amd64 10.0.20348.2"), "{}", shown("windows"));
    assert!(shown("gone").contains("not in this registry"), "{}", shown("gone"));
    assert!(shown("foreign").contains("kept by another host"), "{}", shown("foreign"));
    assert!(!shown("v1").contains("kept by another host"));
    let sbom = shown("sbom");
    assert!(sbom.contains("Files|File|Size|Digest") && !sbom.contains("history"), "{sbom}");
    let rows = rows(&visitor.page("/ui/r/a?q=outer"));
    assert!(rows[0].starts_with("outer|just now|–|–|sha256:"), "{rows:?}");
}

#[test]
fn an_image_shows_all_that_it_says() {
    let site = open_site(|registry| {
        let index = push_index(registry, "a", ["v2", "latest"], 50);
        push_referrer(registry, "a", &index, "application/vnd.dev.cosign.artifact.sig.v1+json");
        push_referrer(registry, "a", &index, "application/spdx+json");
    });
    let visitor = Visitor::new(&site);
    let page = visitor.page("/ui/r/a/-/v2");
    let shown = plain(&page);
    for text in [
        "linux/amd64",
        "linux/arm64",
        "COPY server /usr/bin/server",
        "no change of files",
        "Entrypoint|/usr/bin/server",
        "Command|--listen :8080",
        "8080/tcp",
        "/data",
        "SIGTERM",
        "LANG=C.UTF-8",
        "org.opencontainers.image.source",
        "The whole application",
        "Signature (cosign)",
        "SBOM (SPDX)",
        "latest",
        "docker pull ",
        "podman pull ",
    ] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    let host = visitor.origin().trim_start_matches("http://");
    assert!(page.contains(&format!("{host}/a:v2")) && page.contains(&format!("{host}/a@sha256:")), "{page}");
    // Each link of the page leads to a page.
    let links: Vec<_> = page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    for link in links.into_iter().filter(|link| link.starts_with('/')) {
        visitor.get(link).expect(200);
    }
}

#[test]
fn what_is_not_there_is_a_page_too() {
    let site = open_site(|registry| drop(Described::usual(1, "amd64").push(registry, "a", Some("v1"))));
    let visitor = Visitor::new(&site);
    let digest = format!("sha256:{}", "0".repeat(64));
    for path in ["/ui/none".to_owned(), "/ui/r/b".to_owned(), "/ui/r/a/-/v2".to_owned(), format!("/ui/r/a/-/{digest}")]
    {
        let answer = visitor.get(&path).expect(404);
        assert!(text(&answer).contains("There is no such page"), "{path}");
    }
    visitor.get("/ui/?q=1&q=2").expect(400);
    send(visitor.request(Method::PUT, "/ui/")).expect(405);
}

#[test]
fn a_manifest_that_is_no_image_is_shown_as_far_as_it_goes() {
    let site = open_site(|registry| {
        let body = serde_json::json!({"schemaVersion": 2, "mediaType": "application/vnd.example.odd+json", "layers": 7,
            "artifactType": "x/y", "annotations": [1], "history": {}});
        let odd = crate::support::image::Manifest::new(&body, "application/vnd.example.odd+json");
        registry.repository("a").push_manifest("odd", &odd);
    });
    let visitor = Visitor::new(&site);
    assert!(visitor.page("/ui/r/a/-/odd").contains("application/vnd.example.odd+json"));
    assert_eq!(rows(&visitor.page("/ui/r/a")).len(), 1);
    visitor.page("/ui/r/a/-/odd/delete");
}

/// For probes, `/` is what it is without the page.
#[test]
fn the_root_is_empty_for_probes_and_html_for_browsers() {
    for settings in ["", UI] {
        let site = site_with(settings, |_| {});
        let probe = site.http().get("/").expect(200);
        assert!(probe.body.is_empty(), "{probe:?}");
        assert_eq!(send(site.http().request(Method::HEAD, "/")).status, 200);
        let browser = Visitor::new(&site).get("/").expect(200);
        assert_eq!(text(&browser).contains("href=\"/ui/\""), settings == UI);
    }
}

#[test]
fn there_is_no_page_unless_it_is_asked_for() {
    let site = site_with("", |registry| drop(Described::usual(1, "amd64").push(registry, "a", Some("v1"))));
    for path in ["/ui/", "/ui", "/ui/login", "/ui/style.css", "/ui/r/a"] {
        let answer = site.http().get(path).expect(404);
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"), "{path}");
    }
}

#[test]
fn a_page_of_ten_thousand_tags_is_small() {
    let site = large_site();
    let visitor = Visitor::new(&site);
    for path in ["/ui/r/big", "/ui/r/big?sort=name&page=50", "/ui/r/big?q=t01&sort=oldest"] {
        let page = visitor.page(path);
        assert_eq!(rows(&page).len(), 100, "{path}");
        assert!(page.len() < 100_000, "{path}: {} bytes", page.len());
    }
    assert!(visitor.page("/ui/r/big?sort=name-backwards").contains(">t09999<"));
}
