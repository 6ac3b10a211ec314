//! Users from files as `htpasswd` and others write them.

use std::fs;

use crate::{
    site::{Mode, RULES, Site, basic, hash, write_private},
    support::http::Answer,
};

fn ask(site: &Site, user: &str, password: &str) -> Answer {
    site.get("/v2/", &basic(user, password))
}

/// A site with these lines for users.
fn users(lines: &str) -> Site {
    let site = Site::new(Mode::Htpasswd);
    write_private(&site.path("htpasswd"), lines);
    site.reload_rules(Mode::Htpasswd, RULES);
    site
}

/// Each format of the fixture, whose users' password is written there.
#[test]
fn c11_every_format_that_is_taken() {
    let fixture = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/htpasswd/formats")).unwrap();
    let site = users(&fixture);
    let names: Vec<_> =
        fixture.lines().filter_map(|line| line.split_once(':')).filter(|(name, _)| !name.starts_with('#')).collect();
    for kind in ["$2y$", "$2a$", "$2b$", "$apr1$", "{SHA}", "$5$", "$6$"] {
        let (name, _) = names.iter().find(|(_, hash)| hash.starts_with(kind)).unwrap_or_else(|| panic!("no {kind}"));
        ask(&site, name, "testpassword").expect(200);
        ask(&site, name, "testpasswore").expect(401);
    }
    // The hash is no password.
    for (name, hash) in names {
        assert_eq!(ask(&site, name, hash).status / 100, 4);
    }
}

/// bcrypt reads 72 bytes and no more: a longer password is never right, whatever stands after them.
#[test]
fn c2_c3_c4_long_passwords_and_zero_bytes() {
    let long = "a".repeat(72);
    let site = users(&format!("long:{}\nshort:{}\n", hash(&long), hash("good")));
    ask(&site, "long", &long).expect(200);
    for longer in [format!("{long}X"), format!("{long}Y"), "a".repeat(255), "a".repeat(256), "a".repeat(257)] {
        ask(&site, "long", &longer).expect(401);
    }
    let site = users(&format!("short:{}\n", hash("good")));
    for other in ["good\0junk", "good\0", "\0good", "goo", "good ", "GOOD"] {
        ask(&site, "short", other).expect(401);
    }
    ask(&site, "short", "good").expect(200);
}

/// A password may have colons, and letters of every language; a name is what it is, to the letter.
#[test]
fn c7_c12_names_and_passwords_to_the_letter() {
    let site = users(&format!("alice:{}\njosé:{}\n", hash("with:colons:"), hash("pässwörd")));
    ask(&site, "alice", "with:colons:").expect(200);
    ask(&site, "jos\u{e9}", "pässwörd").expect(200);
    for name in ["Alice", "alice ", "alice\t", "alice\0", "alice%00", "jose\u{301}"] {
        ask(&site, name, "with:colons:").expect(401);
    }
}

/// Who is not there gets the very answer of who is.
#[test]
fn c6_an_unknown_user_is_answered_as_a_known_one() {
    let site = users(&format!("alice:{}\n", hash("x")));
    let (known, unknown) = (ask(&site, "alice", "wrong").expect(401), ask(&site, "nobody", "wrong").expect(401));
    assert_eq!(known.body, unknown.body);
    let fields = |answer: &Answer| {
        let fields = answer.headers.iter().filter(|(name, _)| *name != "date");
        fields.map(|(name, value)| (name.to_string(), value.clone())).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(fields(&known), fields(&unknown));
}
