//! Credentials and networks: what is sent to whom, and who gets what.

use std::net::TcpListener;

use crate::{
    hub::{Auth, Hub, Redirect},
    mirror::{launch, start},
    support::{
        http::send,
        image::Image,
        server::{Launch, Program},
        wait::pass,
    },
};

#[test]
fn tokens_are_got_for_each_repository_and_renewed_when_they_end() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let image = Image::new(1, "amd64");
    hub.put("a/b", "t", &image);
    hub.put("c/d", "t", &image);
    hub.set(|hub| (hub.auth, hub.token_life, hub.redirect) = (Auth::Bearer, 2, Redirect::Content));
    let server = launch(&hub, root.path()).set("REGISTRY_PROXY_FRESH", "0s").start();
    for name in ["a/b", "c/d"] {
        server.http().repository(name).expect_image("t", &image);
    }
    let tokens = hub.count("GET", "/token");
    assert!((2..=4).contains(&tokens), "{tokens}");
    pass(std::time::Duration::from_millis(2100), "the life of a token");
    server.http().repository("a/b").expect_image("t", &image);
    assert_eq!(hub.count("GET", "/token"), tokens + 1);
    assert!(hub.seen().iter().filter(|seen| seen.host == "content").all(|seen| seen.header("authorization").is_none()));
}

#[test]
fn credentials_open_private_repositories() {
    for auth in [Auth::Bearer, Auth::Basic] {
        let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
        let image = Image::new(1, "amd64");
        hub.put("private/app", "t", &image);
        hub.set(|hub| (hub.auth, hub.private) = (auth, vec!["private/app".to_owned()]));
        let anonymous = start(&hub, root.path());
        anonymous.http().repository("private/app").manifest("t").expect(404);
        anonymous.stop();
        let server = launch(&hub, root.path())
            .set("REGISTRY_PROXY_USERNAME", "me")
            .set("REGISTRY_PROXY_PASSWORD", "secret")
            .start();
        server.http().repository("private/app").expect_image("t", &image);
        assert!(!server.log().contains("secret"), "{}", server.log());
    }
}

#[test]
fn row_18_a_forged_realm_gets_no_credentials_and_a_redirect_to_a_nearer_network_no_connection() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let image = Image::new(1, "amd64");
    hub.put("a/b", "t", &image);
    let forged = TcpListener::bind("[::1]:0").unwrap();
    let realm = format!("http://[::1]:{}/token", forged.local_addr().unwrap().port());
    hub.set(|hub| (hub.auth, hub.realm) = (Auth::Bearer, Some(realm)));
    let server =
        launch(&hub, root.path()).set("REGISTRY_PROXY_USERNAME", "me").set("REGISTRY_PROXY_PASSWORD", "secret").start();
    let repository = server.http().repository("a/b");
    repository.manifest("t").expect(404);
    forged.set_nonblocking(true).unwrap();
    assert_eq!(
        forged.accept().unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock,
        "nobody connects to a forged realm"
    );
    server.expect_logged("name its host in `realm`");

    hub.set(|hub| {
        (hub.auth, hub.realm) = (Auth::Open, None);
        hub.redirect = Redirect::To("http://169.254.169.254/latest/meta-data".to_owned());
    });
    let blob = image.blobs().next().unwrap();
    repository.get(&format!("blobs/{}", blob.digest())).expect(503);
    server.expect_logged("its address may not be connected to");
}

#[test]
fn private_content_is_for_users() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let image = Image::new(1, "amd64");
    hub.put("a/b", "t", &image);
    hub.set(|hub| hub.auth = Auth::Bearer);
    let upstream = |more: &[(&str, &str)]| {
        let launch = Launch::new(Program::Wharf, root.path())
            .set("REGISTRY_UPSTREAM_0_PREFIX", "hub.test")
            .set("REGISTRY_UPSTREAM_0_URL", &hub.url())
            .set("REGISTRY_UPSTREAM_0_FETCH", "users")
            .set("REGISTRY_AUTH", "htpasswd")
            .set("WHARF_USERS", "user:password")
            .set("REGISTRY_ACCESS", "[{users: [anonymous], repositories: ['**'], actions: [pull]}]");
        more.iter().fold(launch, |launch, (name, value)| launch.set(name, value))
    };
    let credentials = [("REGISTRY_UPSTREAM_0_USERNAME", "me"), ("REGISTRY_UPSTREAM_0_PASSWORD", "secret")];
    let as_user = |repository: &crate::support::http::Repository| {
        let request = repository.request(reqwest::Method::GET, "manifests/t").basic_auth("user", Some("password"));
        send(request)
    };
    // Anonymous clients get what is stored.
    let server = upstream(&[]).start();
    let repository = server.http().repository("hub.test/a/b");
    repository.manifest("t").expect(404);
    as_user(&repository).expect(200);
    repository.manifest("t").expect(200);
    server.stop();
    // With credentials they get nothing.
    let server = upstream(&credentials).start();
    let repository = server.http().repository("hub.test/a/b");
    repository.manifest("t").expect(401);
    as_user(&repository).expect(200);
    assert_eq!(server.http().get("/v2/_catalog").status, 401);
    server.stop();
    // Unless the operator says otherwise.
    let server = upstream(&[&credentials[..], &[("REGISTRY_UPSTREAM_0_PUBLIC", "true")]].concat()).start();
    server.http().repository("hub.test/a/b").manifest("t").expect(200);
}

#[test]
fn a_token_that_was_issued_without_a_login_is_no_login() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let image = Image::new(1, "amd64");
    hub.put("a/b", "t", &image);
    hub.put("c/d", "t", &image);
    let server = Launch::new(Program::Wharf, root.path())
        .set(
            "REGISTRY_UPSTREAM",
            &format!(
                "[{{prefix: private, url: '{url}', username: me, password: secret}}, {{prefix: users, url: '{url}', \
             namespaces: [users.test], fetch: users}}]",
                url = hub.url()
            ),
        )
        .set("REGISTRY_AUTH", "token")
        .set("WHARF_USERS", "user:password")
        .set("REGISTRY_ACCESS", "[{users: [anonymous], repositories: ['**'], actions: [pull]}]")
        .start();
    let status = |name: &str, user: Option<&str>| {
        let repository = server.http().repository(name);
        let path = format!("/token?service=localhost:{}&scope=repository:{name}:pull", server.addr().port());
        let request = server.http().request(reqwest::Method::GET, &path);
        let request = match user {
            Some(user) => request.basic_auth(user, Some("password")),
            None => request,
        };
        let token: serde_json::Value = serde_json::from_slice(&send(request).expect(200).body).unwrap();
        send(repository.request(reqwest::Method::GET, "manifests/t").bearer_auth(token["token"].as_str().unwrap()))
            .status
    };
    for (name, of_nobody, afterwards) in [("private/a/b", 401, 401), ("users/c/d", 404, 200)] {
        assert_eq!(status(name, None), of_nobody, "{name}");
        assert_eq!(status(name, Some("user")), 200, "{name}");
        assert_eq!(status(name, None), afterwards, "{name}");
    }
}
