//! Users and rules change while the server runs.

use std::{fs, os::unix::fs::symlink};

use crate::{
    site::{Mode, RULES, Site, basic, hash, write_private, write_users},
    support::image::Image,
    support::wait::eventually,
};

fn status(site: &Site, user: &str, password: &str) -> u16 {
    site.get("/v2/", &basic(user, password)).status
}

fn line(user: &str, password: &str) -> String {
    format!("{user}:{}\n", hash(password))
}

/// The old password is wrong with the request after the reload, however well it was remembered.
#[test]
fn c5_a_changed_password_holds_at_once() {
    let site = Site::new(Mode::Htpasswd);
    for _ in 0..3 {
        assert_eq!(status(&site, "alice", "alice-pw"), 200);
    }
    write_private(&site.path("htpasswd"), &line("alice", "new"));
    site.reload_rules(Mode::Htpasswd, RULES);
    assert_eq!(status(&site, "alice", "alice-pw"), 401);
    assert_eq!(status(&site, "alice", "new"), 200);
    assert_eq!(status(&site, "bob", "bob-pw"), 401);
}

/// In place, by a rename, and by a link that is flipped, as Kubernetes does it: the server sees it by itself.
#[test]
fn c10_the_file_is_followed_however_it_changes() {
    let site = Site::new(Mode::Htpasswd);
    let users = site.path("htpasswd");
    write_private(&users, &line("alice", "in-place"));
    eventually("changed in place", || status(&site, "alice", "in-place") == 200);
    let beside = site.path("beside");
    write_private(&beside, &line("alice", "renamed"));
    fs::rename(&beside, &users).unwrap();
    eventually("renamed", || status(&site, "alice", "renamed") == 200);
    for (number, password) in ["first", "second"].into_iter().enumerate() {
        let version = site.path(&format!("version-{number}"));
        fs::create_dir(&version).unwrap();
        write_private(&version.join("htpasswd"), &line("alice", password));
        let flipped = site.path("flipped");
        symlink(&version, &flipped).unwrap();
        fs::rename(&flipped, site.path("data")).unwrap();
        if number == 0 {
            symlink("data/htpasswd", &flipped).unwrap();
            fs::rename(&flipped, &users).unwrap();
        }
        eventually("the link was flipped", || status(&site, "alice", password) == 200);
    }
}

/// A file that is bad, or gone, changes nothing; an empty one is a set of no users.
#[test]
fn c1_c10_a_bad_file_keeps_the_last_good_one() {
    let site = Site::new(Mode::Htpasswd);
    let users = site.path("htpasswd");
    let good = line("alice", "alice-pw");
    let bad = [
        "nonsense\n".to_owned(),
        format!("{good}bob:plain\n"),
        format!("{good}bob:$2y$31$abcdefghijklmnopqrstuuNFhSn4zgRt8XBbN0OF8zTY4JDrSOM1u\n"),
        format!("{good}{good}"),
        format!("{good}anonymous:{}\n", hash("x")),
        format!("{good}bob:$2ä$05$abcdefghijklmnopqrstuuNFhSn4zgRt8XBbN0OF8zTY4JDrSO\n"),
        format!("{good}bob:$2y$05$abcdefghijklmnopqrstüüNFhSn4zgRt8XBbN0OF8zTY4JDrS\n"),
    ];
    for text in bad {
        write_private(&users, &text);
        site.reload_rules(Mode::Htpasswd, RULES);
        assert_eq!(status(&site, "alice", "alice-pw"), 200, "{text}");
        assert_eq!(status(&site, "bob", "bob-pw"), 200, "{text}");
    }
    fs::remove_file(&users).unwrap();
    site.reload_rules(Mode::Htpasswd, RULES);
    assert_eq!(status(&site, "alice", "alice-pw"), 200);
    write_private(&users, "");
    site.reload_rules(Mode::Htpasswd, RULES);
    assert_eq!(status(&site, "alice", "alice-pw"), 401);
}

/// At the start a bad file is an error that names its line and not the hash; a missing one locks everybody out until it
/// is there.
#[test]
fn c1_c10_c11_the_file_at_the_start() {
    for (text, number) in
        [("alice:plain-text\n", "1"), ("# users\n\nalice:{CRYPT}xx\n", "3"), ("alice:rl1GtS6vLZDLY\n", "1")]
    {
        let directory = Site::directory();
        write_private(&directory.path().join("htpasswd"), text);
        let settings = "[auth]\nmode = \"htpasswd\"\n[auth.htpasswd]\npath = \"DIRECTORY/htpasswd\"\n";
        let problem = Site::start(directory, settings).err().unwrap_or_else(|| panic!("it starts with {text}"));
        assert!(problem.contains(&format!("line {number}")) && problem.contains("htpasswd"), "{problem}");
        assert!(!problem.contains("plain-text") && !problem.contains("rl1GtS6vLZDLY"), "{problem}");
    }
    let directory = Site::directory();
    fs::remove_file(directory.path().join("htpasswd")).unwrap();
    let site = Site::start(directory, "[auth.htpasswd]\npath = \"DIRECTORY/htpasswd\"\n").unwrap();
    assert_eq!(status(&site, "alice", "alice-pw"), 401);
    write_users(&site.path("htpasswd"), &["alice"]);
    eventually("the file appears", || status(&site, "alice", "alice-pw") == 200);
}

/// There is nobody who was not put there.
#[test]
fn c8_no_account_is_there_by_itself() {
    let site = Site::new(Mode::Htpasswd);
    write_private(&site.path("htpasswd"), "");
    site.reload_rules(Mode::Htpasswd, RULES);
    for (user, password) in
        [("docker", "docker"), ("admin", "admin"), ("root", "root"), ("wharf", "wharf"), ("admin", "Harbor12345")]
    {
        assert_eq!(status(&site, user, password), 401);
    }
}

/// With Basic a right that was taken away is gone with the next request; in a token that was given out it lives on for
/// minutes at most, and no new one carries it.
#[test]
fn a11_a_right_that_is_taken_away() {
    for mode in Mode::BOTH {
        let site = Site::new(mode);
        site.user("bob").push("b", "1", &Image::new(1, "amd64"));
        site.reload_rules(mode, &RULES.replace("\"bob\"", "\"carol\""));
        site.user("bob").get("/v2/b/manifests/1").expect(mode.denied());
        site.user("bob").begin("b").expect(mode.denied());
        site.reload_rules(mode, RULES);
        site.user("bob").get("/v2/b/manifests/1").expect(200);
    }
    let site = Site::new(Mode::Token);
    let token = site.token_answer("scope=repository:b:pull", Some(&basic("bob", "bob-pw"))).expect(200).json();
    assert_eq!(token["expires_in"], 300);
}

#[test]
fn groups_and_rules_come_and_go() {
    for mode in Mode::BOTH {
        let site = Site::with(
            mode,
            "[[access]]\nusers = [\"alice\"]\nrepositories = [\"**\"]\nactions = [\"pull\", \"push\"]\n",
        );
        site.user("alice").push("team/app", "1", &Image::new(1, "amd64"));
        site.user("bob").get("/v2/team/app/tags/list").expect(mode.denied());
        let rules = "[[access]]\ngroups = [\"ci\"]\nrepositories = [\"team/*\"]\nactions = [\"pull\"]\n[groups]\nci = [\"ro\", \"bob\"]\n";
        site.reload_rules(mode, rules);
        site.user("bob").get("/v2/team/app/tags/list").expect(200);
        site.user("bob").get("/v2/team/app/deep/tags/list").expect(mode.denied());
        site.user("alice").get("/v2/team/app/tags/list").expect(mode.denied());
        // Without any rule every user may do everything: a file that was emptied or cut off must not come to that.
        for settings in ["", mode.settings()] {
            site.reload_in_vain(settings);
            site.user("bob").get("/v2/team/app/tags/list").expect(200);
            site.user("maker").begin("team/app").expect(mode.denied());
        }
    }
}
