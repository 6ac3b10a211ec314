//! Deleting on a page.

use crate::{
    content::{Described, UI, closed_site, open_site, push_index, push_referrer, site_with},
    site::Mode,
    support::http::Registry,
    visitor::{Visitor, hidden, text},
};

fn two_tags(registry: &Registry) {
    let index = push_index(registry, "a", ["v2", "latest"], 50);
    push_referrer(registry, "a", &index, "application/spdx+json");
}

#[test]
fn of_two_tags_that_share_a_manifest_the_other_stays() {
    let site = open_site(two_tags);
    let visitor = Visitor::new(&site);
    let page = visitor.page("/ui/r/a/-/v2/delete");
    let (goes, stays) = page.split_once("This stays").unwrap();
    assert!(goes.contains("the tag <strong>v2</strong>") && !goes.contains("latest"), "{goes}");
    assert!(stays.contains("its tag <strong>latest</strong>"), "{stays}");
    let answer = visitor.delete("/ui/r/a/-/v2/delete").expect(303);
    assert_eq!(answer.header("location"), Some("/ui/r/a?deleted=v2"));
    assert!(visitor.page("/ui/r/a?deleted=v2").contains("v2 is deleted."));
    assert!(!visitor.page("/ui/r/a?deleted=latest").contains("is deleted"));
    assert_eq!(site.http().repository("a").tags(), ["latest"]);
    site.http().repository("a").manifest("latest").expect(200);
}

#[test]
fn a_manifest_goes_with_all_that_was_named() {
    let site = open_site(two_tags);
    let visitor = Visitor::new(&site);
    let digest =
        site.http().repository("a").manifest("v2").expect(200).header("docker-content-digest").unwrap().to_owned();
    let path = format!("/ui/r/a/-/{digest}/delete");
    let page = visitor.page(&path);
    for text in
        ["its tag <strong>v2</strong>", "its tag <strong>latest</strong>", "linux/amd64", "linux/arm64", "SBOM (SPDX)"]
    {
        assert!(page.contains(text), "{text}: {page}");
    }
    visitor.delete(&path).expect(303);
    site.http().repository("a").manifest("latest").expect(404);
    visitor.get(&path).expect(404);
}

/// What was pushed after the page was shown was not named there, so the form does not delete it.
#[test]
fn a_form_deletes_nothing_that_it_did_not_name() {
    let site = open_site(two_tags);
    let visitor = Visitor::new(&site);
    let digest =
        site.http().repository("a").manifest("v2").expect(200).header("docker-content-digest").unwrap().to_owned();
    let paths = ["/ui/r/a/-/v2/delete".to_owned(), format!("/ui/r/a/-/{digest}/delete")];
    let pages = paths.each_ref().map(|path| visitor.page(path));
    // One tag moves, which for the manifest is one tag less.
    Described::usual(7, "amd64").push(&site.http(), "a", Some("v2"));
    for (path, page) in paths.iter().zip(&pages) {
        let fields = [("form_token", hidden(page, "form_token")), ("plan", hidden(page, "plan"))];
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        let answer = visitor.submit(path, &fields).expect(412);
        assert!(text(&answer).contains("Nothing was deleted"));
    }
    assert_eq!(site.http().repository("a").tags(), ["latest", "v2"]);
}

#[test]
fn with_its_last_manifest_a_repository_goes() {
    let site = open_site(|registry| {
        let image = crate::support::image::Manifest::new(
            &serde_json::json!({"schemaVersion": 2, "mediaType": crate::support::image::IMAGE_INDEX, "manifests": []}),
            crate::support::image::IMAGE_INDEX,
        );
        registry.repository("a").push_manifest("v1", &image);
    });
    let visitor = Visitor::new(&site);
    let digest =
        site.http().repository("a").manifest("v1").expect(200).header("docker-content-digest").unwrap().to_owned();
    let answer = visitor.delete(&format!("/ui/r/a/-/{digest}/delete")).expect(303);
    assert_eq!(answer.header("location"), Some("/ui/"));
    assert!(!visitor.page("/ui/").contains("/ui/r/a"));
}

/// The button is there for those who may, and the form is refused to others.
#[test]
fn only_users_who_may_delete_do() {
    for mode in Mode::BOTH {
        let site = closed_site(mode, two_tags);
        let path = "/ui/r/a/-/v2/delete";
        let (alice, ro) = (Visitor::logged_in(&site, "alice"), Visitor::logged_in(&site, "ro"));
        assert!(alice.page("/ui/r/a/-/v2").contains(path));
        assert!(!ro.page("/ui/r/a/-/v2").contains(path));
        ro.get(path).expect(403);
        let plan = hidden(&alice.page(path), "plan");
        let token = hidden(&ro.page("/ui/r/a/-/v2"), "form_token");
        ro.submit(path, &[("form_token", &token), ("plan", &plan)]).expect(403);
        alice.page("/ui/r/a/-/v2");
        alice.delete(path).expect(303);
        alice.get("/ui/r/a/-/v2").expect(404);
    }
}

#[test]
fn nothing_is_deleted_where_deletes_are_off_or_the_store_is_read_only() {
    for settings in ["[storage.delete]\nenabled = false\n", "[storage.maintenance.readonly]\nenabled = true\n"] {
        let site = site_with(&format!("{settings}{UI}"), two_tags);
        let visitor = Visitor::new(&site);
        let path = "/ui/r/a/-/v2/delete";
        assert!(!visitor.page("/ui/r/a/-/v2").contains(path), "{settings}");
        visitor.get(path).expect(405);
        // Nor does a form do it.
        let answer = visitor.submit(path, &[("form_token", "x"), ("plan", "x")]);
        assert_eq!(answer.status / 100, 4, "{settings}");
        visitor.page("/ui/r/a/-/v2");
    }
}
