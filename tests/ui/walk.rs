//! What people do on the page, in Chromium without scripts. Each page is kept as a picture in `target/ui-pictures`.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    account::{SETTINGS, identity},
    browser::{Browser, ENTER},
    content::{Described, closed_site, open_site, push_index, push_referrer, site_with, write_tags},
    site::{Mode, Site},
    support::{
        http::Registry,
        image::{IMAGE_INDEX, Manifest},
        server::{Launch, Program},
        wait::eventually,
    },
    visitor::Visitor,
};

/// Repositories as a team has them.
fn team(registry: &Registry) {
    let index = push_index(registry, "a", ["v2", "latest"], 50);
    push_referrer(registry, "a", &index, "application/vnd.dev.cosign.artifact.sig.v1+json");
    push_referrer(registry, "a", &index, "application/spdx+json");
    for (number, tag) in ["v1", "v1.1", "v1.2", "v1.3-rc.1"].into_iter().enumerate() {
        Described::usual(100 + number as u64 * 10, "amd64").push(registry, "a", Some(tag));
    }
    for name in ["b", "public/base/debian", "public/tools/compiler-with-a-rather-long-name"] {
        Described::usual(1, "amd64").push(registry, name, Some("v1"));
    }
}

/// [`team`], with more repositories than a page has.
fn many(registry: &Registry) {
    team(registry);
    for number in 0..60 {
        Described::usual(1, "amd64").push(registry, &format!("services/service-{number:02}"), Some("v1"));
    }
}

fn log_in(browser: &Browser, user: &str) {
    browser.fill("#user", user);
    browser.fill("#password", &format!("{user}-pw"));
    browser.click(".login button");
    // What comes next would break off a login that has not come to its end.
    eventually("a login", || !browser.has("#password"));
}

#[test]
#[ignore = "needs chromium: run ./test"]
fn a_person_browses_without_scripts_needs_chromium() {
    let site = open_site(many);
    let browser = Browser::new(&site.origin());
    browser.go("data:text/html,<noscript>scripts are off</noscript><script>document.write('on')</script>");
    assert_eq!(browser.text("body"), "scripts are off");

    // The root leads to the page.
    browser.go("/");
    browser.expect_path("/ui/");
    browser.expect_text("64 repositories");
    browser.picture("repositories");
    browser.follow("Next");
    browser.expect_text("Page 2 of 2");
    browser.fill("#q", "base");
    browser.press(ENTER);
    browser.expect_path("/ui/?q=base");
    browser.expect_text("1 repository");
    browser.follow("Repositories");
    browser.expect_path("/ui/");
    browser.follow("a");
    browser.expect_path("/ui/r/a");
    browser.expect_text("6 tags");
    browser.picture("tags");
    browser.follow("Tag");
    browser.expect_path("/ui/r/a?sort=name");
    assert_eq!(browser.text("tbody th"), "latest");
    browser.fill("#q", "v1");
    browser.press(ENTER);
    browser.expect_text("4 tags");
    browser.go("/ui/r/a");
    browser.follow("v2");
    browser.expect_path("/ui/r/a/-/v2");
    for text in ["linux/amd64", "linux/arm64", "Signature (cosign)", "SBOM (SPDX)", "docker pull localhost:"] {
        browser.expect_text(text);
    }
    // What a platform has unfolds without a script.
    assert!(!browser.text("main").contains("COPY server"));
    browser.click("summary");
    browser.expect_text("COPY server /usr/bin/server");
    browser.expect_text("--listen :8080");
    browser.picture("image");
    browser.click("details .facts ~ *, dl.facts dd a[href*='sha256']");
    browser.expect_text("Belongs to");
    browser.picture("referrer");
    browser.go("/ui/space");
    browser.expect_text("Free");
    browser.picture("space");
    browser.go("/ui/r/none");
    browser.expect_text("There is no such page");
    browser.picture("not-found");
}

#[test]
#[ignore = "needs chromium: run ./test"]
fn users_log_in_and_out_and_are_refused_needs_chromium() {
    for mode in Mode::BOTH {
        let site = closed_site(mode, team);
        let browser = Browser::new(&site.origin());
        browser.go("/ui/r/a/-/v2");
        browser.expect_path("/ui/login?next=%2Fui%2Fr%2Fa%2F-%2Fv2");
        browser.fill("#user", "alice");
        browser.fill("#password", "wrong");
        browser.click(".login button");
        browser.expect_text("The name or the password is wrong.");
        browser.picture("login");
        log_in(&browser, "alice");
        browser.expect_path("/ui/r/a/-/v2");
        browser.expect_text("alice");
        assert!(browser.has("a.danger"));
        // bob's repository is not there for alice.
        browser.go("/ui/r/b");
        browser.expect_text("There is no such page, or you may not see it.");
        browser.go("/ui/");
        browser.click(".viewer button");
        browser.expect_path("/ui/login");
        browser.go("/ui/");
        browser.expect_path("/ui/login?next=%2Fui%2F");
        // A user who may only read has no button, and no page to delete.
        log_in(&browser, "ro");
        browser.go("/ui/r/a/-/v2");
        browser.expect_text("linux/arm64");
        assert!(!browser.has("a.danger"));
        browser.go("/ui/r/a/-/v2/delete");
        browser.expect_text("Not allowed");
        browser.picture("refused");
    }
}

#[test]
#[ignore = "needs chromium: run ./test"]
fn a_person_deletes_one_of_two_tags_needs_chromium() {
    let site = closed_site(Mode::Htpasswd, team);
    let browser = Browser::new(&site.origin());
    browser.go("/ui/login?next=/ui/r/a/-/v2");
    log_in(&browser, "alice");
    browser.expect_path("/ui/r/a/-/v2");
    browser.click("a.danger");
    browser.expect_path("/ui/r/a/-/v2/delete");
    browser.expect_text("its tag latest");
    browser.picture("delete-tag");
    browser.follow("Keep it");
    browser.expect_path("/ui/r/a/-/v2");
    browser.click("a.danger");
    browser.click("button.danger");
    browser.expect_path("/ui/r/a?deleted=v2");
    browser.expect_text("v2 is deleted.");
    browser.picture("deleted");
    browser.follow("latest");
    browser.expect_text("linux/arm64");
    let alice = site.user("alice");
    alice.get("/v2/a/manifests/latest").expect(200);
    alice.get("/v2/a/manifests/v2").expect(404);
    // The whole manifest, with all that goes with it.
    let digest = browser.text("code.whole");
    browser.go(&format!("/ui/r/a/-/{digest}/delete"));
    browser.expect_text("This goes with a later collection");
    browser.picture("delete-manifest");
    browser.click("button.danger");
    browser.expect_text("is deleted.");
    alice.get("/v2/a/manifests/latest").expect(404);
}

/// From the login to the deletion of a tag with nothing but the keyboard.
#[test]
#[ignore = "needs chromium: run ./test"]
fn the_keyboard_alone_is_enough_needs_chromium() {
    let site = closed_site(Mode::Htpasswd, team);
    let browser = Browser::new(&site.origin());
    browser.go("/ui/");
    // The first stop of each page skips what every page has.
    browser.tab_to("Skip to the content");
    browser.tab_to("user");
    browser.press("alice");
    browser.tab_to("password");
    browser.press("alice-pw");
    browser.press(ENTER);
    browser.expect_path("/ui/");
    browser.tab_to("q");
    browser.press("a");
    browser.press(ENTER);
    browser.expect_path("/ui/?q=a");
    browser.tab_to("a");
    browser.picture("focus");
    browser.press(ENTER);
    browser.expect_path("/ui/r/a");
    browser.tab_to("v2");
    browser.press(ENTER);
    browser.expect_path("/ui/r/a/-/v2");
    browser.tab_to("Delete…");
    browser.press(ENTER);
    browser.expect_path("/ui/r/a/-/v2/delete");
    browser.tab_to("Delete");
    browser.press(ENTER);
    browser.expect_path("/ui/r/a?deleted=v2");
    browser.tab_to("Log out");
    browser.press(ENTER);
    browser.expect_path("/ui/login");
}

/// The longest tag, a long annotation, and a long platform.
fn long(registry: &Registry) {
    many(registry);
    let annotations = json!({"k".repeat(400): "value of the annotation", "note": "n".repeat(3000)});
    let mut child = Described::usual(1, "amd64").push(registry, "a", None).descriptor();
    child["platform"] = json!({"os": "linux", "architecture": "a".repeat(100)});
    let index = json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": [child], "annotations": annotations});
    registry.repository("a").push_manifest(LONG_TAG, &Manifest::new(&index, IMAGE_INDEX));
}

const LONG_TAG: &str = "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt\
                        tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt";

/// The pages of a site, for those who may delete.
const PAGES: [(&str, &str); 9] = [
    ("repositories", "/ui/"),
    ("tags", "/ui/r/a"),
    ("image", "/ui/r/a/-/v2"),
    ("platform", "/ui/r/a/-/v1"),
    ("delete", "/ui/r/a/-/v2/delete"),
    ("space", "/ui/space"),
    ("account", "/ui/account"),
    ("login", "/ui/login"),
    ("not-found", "/ui/none"),
];

#[test]
#[ignore = "needs chromium: run ./test"]
fn a_phone_and_a_dark_desktop_show_all_of_each_page_needs_chromium() {
    let site = closed_site(Mode::Htpasswd, long);
    let browser = Browser::new(&site.origin());
    browser.go("/ui/login");
    log_in(&browser, "alice");
    browser.expect_path("/ui/");
    let image = format!("/ui/r/a/-/{LONG_TAG}");
    let delete = format!("{image}/delete");
    let long = [("long-image", image.as_str()), ("long-delete", delete.as_str())];
    for (name, path) in PAGES.into_iter().chain(long) {
        for (width, colours) in [(320, "light"), (320, "dark"), (1200, "dark")] {
            browser.width(width);
            browser.colours(colours);
            browser.go(path);
            if browser.has("summary") {
                browser.click("summary");
            }
            assert!(browser.content_width() <= f64::from(width), "{name} is {} wide", browser.content_width());
            if name == "long-image" {
                let value = browser.element_width("main > section:last-child dd");
                assert!(value > f64::from(width) / 2.0, "at {width}, a value is {value} wide");
            }
            browser.picture(&format!("{name}-{width}-{colours}"));
        }
    }
}

/// axe-core, which `./test` puts beside the other tools, finds nothing on any page.
#[test]
#[ignore = "needs chromium and axe-core: run ./test"]
fn axe_has_no_findings_needs_chromium() {
    let axe = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/axe.min.js");
    let axe =
        fs::read_to_string(&axe).unwrap_or_else(|_| panic!("{} is missing here; ./test puts it there", axe.display()));
    let site = closed_site(Mode::Htpasswd, many);
    let browser = Browser::with_scripts(&site.origin());
    browser.go("/ui/login");
    log_in(&browser, "alice");
    browser.expect_path("/ui/");
    // It finds what there is to find.
    browser.go("data:text/html,<img src=x>");
    assert_ne!(browser.evaluate(&script(&axe)), json!([]));
    let mut found = Vec::new();
    for (name, path) in PAGES {
        for (width, colours) in [(1200, "light"), (1200, "dark"), (320, "light")] {
            browser.width(width);
            browser.colours(colours);
            browser.go(path);
            let violations = browser.evaluate(&script(&axe));
            if violations != json!([]) {
                found.push(format!("{name} {width} {colours}: {violations:#}"));
            }
        }
    }
    let site = site_with(SETTINGS, |_| {});
    identity(&site, "alice", "docker");
    browser.go(&format!("{}/ui/login?next=/ui/account", site.origin()));
    log_in(&browser, "alice");
    browser.expect_text("docker");
    browser.picture("account-tokens");
    let violations = browser.evaluate(&script(&axe));
    if violations != json!([]) {
        found.push(format!("account: {violations:#}"));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Runs axe, and gives what it complains of.
fn script(axe: &str) -> String {
    format!(
        "{axe}; const done = arguments[arguments.length - 1];
         axe.run().then(result => done(result.violations.map(v => ({{
            id: v.id, help: v.help, nodes: v.nodes.map(node => node.html + ' ' + node.failureSummary),
         }}))), error => done(String(error)));"
    )
}

/// A page of a repository of 10,000 tags, from the optimised program: 100 rows in less than 50 ms. A program that is
/// not optimised has ten times as long.
#[test]
#[ignore = "needs time and an optimised build: run ./test --long"]
fn a_page_of_ten_thousand_tags_comes_soon_needs_time() {
    let directory = Site::directory();
    let server = Launch::new(Program::Wharf, directory.path()).start();
    for number in 0..100 {
        push_index(&server.http(), "big", [&format!("i{number}"), "t00000"], 1000 + number * 20);
    }
    server.stop();
    write_tags(directory.path(), "big", 10_000);
    let server = Launch::new(Program::Wharf, directory.path()).set("REGISTRY_UI_ENABLED", "true").optimised().start();
    let visitor = Visitor::at(&format!("http://{}", server.addr()));
    let is_optimised = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/release/wharf").is_file();
    let limit = Duration::from_millis(if is_optimised { 50 } else { 500 });
    for path in ["/ui/r/big", "/ui/r/big?sort=name", "/ui/r/big?q=t01&sort=oldest", "/ui/r/big?q=i&sort=name"] {
        let first = Instant::now();
        let size = visitor.page(path).len();
        let first = first.elapsed();
        // The fastest of some: what else the machine does is not measured.
        let fastest = (0..20).map(|_| {
            let begun = Instant::now();
            visitor.page(path);
            begun.elapsed()
        });
        let fastest = fastest.min().unwrap();
        eprintln!("{path}: {size} bytes, first in {first:?}, then in {fastest:?}");
        assert!(size < 100_000, "{path}: {size} bytes");
        assert!(fastest < limit, "{path}: {fastest:?}");
    }
}
