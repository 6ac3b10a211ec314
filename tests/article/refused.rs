//! Rows 16 to 18: who may not, and who has not logged in.

use crate::{
    registry::{HTPASSWD, PASSWORD, Protected, READER, RULES, TOKEN, USER},
    support::{store::files, wait::eventually},
    user::User,
};

/// Docker's words for a registry that is retried are others, and come after most of a minute; these come at once.
const DENIED: &str = "denied: requested access to the resource is denied";
const NO_LOGIN: &str = "no basic auth credentials";

/// The manifests and links below the store: what a push that was refused must not leave.
fn stored(registry: &Protected) -> usize {
    files(&registry.path("store/docker")).len()
}

#[test]
#[ignore = "needs docker: run ./test"]
fn row_16_not_allowed_needs_docker() {
    for settings in [HTPASSWD, TOKEN] {
        let (registry, user) = (Protected::new(&format!("{settings}{RULES}")), User::new());
        user.login(&registry.host(), READER, PASSWORD);
        let said = user.fail_push(&format!("{}/alpine:3.10", registry.host()));
        assert!(said.contains(DENIED), "{said}");
        assert_eq!(stored(&registry), 0, "something was stored");
        // One request for each of the layers, and none of them again.
        let asked = registry.server.log().matches("method=POST").count();
        assert!(asked <= 2, "{asked} requests:\n{}", registry.server.log());
    }
}

#[test]
#[ignore = "needs docker: run ./test"]
fn row_17_not_logged_in_needs_docker() {
    for (settings, push, pull) in [(HTPASSWD, NO_LOGIN, NO_LOGIN), (TOKEN, DENIED, "may require 'docker login'")] {
        let (registry, user) = (Protected::new(&format!("{settings}{RULES}")), User::new());
        let image = format!("{}/alpine:3.10", registry.host());
        let owner = User::new();
        owner.login(&registry.host(), USER, PASSWORD);
        owner.push(&image);
        let said = user.fail_push(&image);
        assert!(said.contains(push), "{said}");
        let said = user.fail(&["pull", &image]);
        assert!(said.contains(pull), "{said}");
        if settings == TOKEN {
            assert!(said.contains("pull access denied"), "{said}");
        }
        let log = registry.server.log();
        assert!(!log.contains("status=5"), "{log}");
    }
}

/// Nobody who has logged in: pulls what is for everybody, while pushes want a login.
#[test]
#[ignore = "needs docker: run ./test"]
fn row_17_anonymous_pull_with_authenticated_push_needs_docker() {
    let public = "[[access]]\nusers = [\"anonymous\"]\nrepositories = [\"public/*\"]\nactions = [\"pull\"]\n";
    let registry = Protected::new(&format!("{TOKEN}{RULES}{public}"));
    let image = format!("{}/public/alpine:3.10", registry.host());
    let (owner, nobody) = (User::new(), User::new());
    owner.login(&registry.host(), USER, PASSWORD);
    owner.push(&image);
    nobody.pull(&image);
    let said = nobody.fail_push(&image);
    assert!(said.contains(DENIED), "{said}");
}

#[test]
#[ignore = "needs docker: run ./test"]
fn row_18_log_out_needs_docker() {
    for (settings, words) in [(HTPASSWD, NO_LOGIN), (TOKEN, DENIED)] {
        let (registry, user) = (Protected::new(settings), User::new());
        let image = format!("{}/alpine:3.10", registry.host());
        user.login(&registry.host(), USER, PASSWORD);
        user.push(&image);
        let said = user.run(&["logout", &registry.host()]).stdout;
        assert!(said.contains("Removing login credentials"), "{said}");
        let said = user.fail_push(&image);
        assert!(said.contains(words), "{said}");
    }
}

/// The password was changed since the login: the push of several layers says so, and the right one works at once.
#[test]
#[ignore = "needs docker: run ./test"]
fn a_stale_password_does_not_lock_out_needs_docker() {
    for settings in [HTPASSWD, TOKEN] {
        let (registry, user) = (Protected::new(settings), User::new());
        let image = format!("{}/alpine:3.10", registry.host());
        user.login(&registry.host(), USER, PASSWORD);
        let hash = wharf::auth::hash_password(&wharf::auth::Secret::new("new"), 5).unwrap();
        std::fs::write(registry.path("htpasswd"), format!("{USER}:{hash}\n")).unwrap();
        // The old password is valid until the server has read the file again.
        let path = if settings == TOKEN { "/token" } else { "/v2/" };
        let is_valid = || registry.curl(&["-u", &format!("{USER}:new")], path).status == "200 OK";
        eventually("the new password", is_valid);
        user.fail_push(&image);
        user.login(&registry.host(), USER, "new");
        user.push(&image);
    }
}
