//! Upstreams with TLS: which certificates are taken and shown, and that nothing leads away from TLS.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use crate::{
    hub::{Auth, Authority, Clients, Hub, Redirect},
    support::{
        image::Image,
        server::{Launch, Program, Server},
    },
};

/// wharf that fills `hub.test/…` from `hub`, with credentials and these settings of the upstream.
fn start(hub: &Hub, root: &Path, settings: &[(&str, &Path)]) -> Server {
    let launch = Launch::new(Program::Wharf, root)
        .set("REGISTRY_UPSTREAM_0_PREFIX", "hub.test")
        .set("REGISTRY_UPSTREAM_0_URL", &hub.url())
        .set("REGISTRY_UPSTREAM_0_USERNAME", "me")
        .set("REGISTRY_UPSTREAM_0_PASSWORD", "secret")
        .set("REGISTRY_UPSTREAM_0_PUBLIC", "true");
    let launch = settings.iter().fold(launch, |launch, (name, path)| {
        launch.set(&format!("REGISTRY_UPSTREAM_0_{name}"), path.to_str().unwrap())
    });
    launch.start()
}

fn write_private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn an_upstream_with_an_authority_of_its_own_is_trusted_if_a_setting_says_so() {
    let (authority, image) = (Authority::new(), Image::new(1, "amd64"));
    let hub = Hub::over(["registry", "auth", "content"].map(|_| Some(authority.server("localhost", Clients::Any))));
    hub.put("a/b", "t", &image);
    hub.set(|hub| (hub.auth, hub.redirect) = (Auth::Bearer, Redirect::Content));
    let (root, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ca = files.path().join("ca.pem");
    fs::write(&ca, authority.pem()).unwrap();
    let server = start(&hub, root.path(), &[]);
    server.http().repository("hub.test/a/b").manifest("t").expect(503);
    server.expect_logged("no TLS with localhost");
    assert!(hub.seen().is_empty(), "{:?}", hub.seen());
    server.stop();
    let server = start(&hub, root.path(), &[("CA", &ca)]);
    server.http().repository("hub.test/a/b").expect_image("t", &image);
}

#[test]
fn certificates_of_others_and_those_that_ended_are_refused() {
    let (authority, stranger, image) = (Authority::new(), Authority::new(), Image::new(1, "amd64"));
    let files = tempfile::tempdir().unwrap();
    let ca = files.path().join("ca.pem");
    fs::write(&ca, authority.pem()).unwrap();
    let configurations = [
        authority.server("other.test", Clients::Any),
        authority.expired("localhost"),
        stranger.server("localhost", Clients::Any),
    ];
    for configuration in configurations {
        let (hub, root) = (Hub::over([Some(configuration), None, None]), tempfile::tempdir().unwrap());
        hub.put("a/b", "t", &image);
        hub.set(|hub| hub.auth = Auth::Basic);
        let server = start(&hub, root.path(), &[("CA", &ca)]);
        server.http().repository("hub.test/a/b").manifest("t").expect(503);
        server.expect_logged("no TLS with localhost");
        assert!(hub.seen().is_empty(), "{:?}", hub.seen());
    }
}

#[test]
fn the_certificate_of_the_client_is_for_the_upstream_alone() {
    let (authority, image) = (Authority::new(), Image::new(1, "amd64"));
    let known = authority.server("localhost", Clients::Known);
    let any = || Some(authority.server("localhost", Clients::Any));
    let hub = Hub::over([Some(known), any(), any()]);
    hub.put("a/b", "t", &image);
    hub.set(|hub| (hub.auth, hub.redirect) = (Auth::Bearer, Redirect::Content));
    let (root, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let [ca, certificate, key] = ["ca.pem", "certificate.pem", "key.pem"].map(|name| files.path().join(name));
    let (certificate_pem, key_pem) = authority.client();
    fs::write(&ca, authority.pem()).unwrap();
    fs::write(&certificate, certificate_pem).unwrap();
    write_private(&key, &key_pem);
    let server = start(&hub, root.path(), &[("CA", &ca)]);
    server.http().repository("hub.test/a/b").manifest("t").expect(503);
    assert!(hub.seen().is_empty(), "{:?}", hub.seen());
    server.stop();
    let server = start(&hub, root.path(), &[("CA", &ca), ("CERTIFICATE", &certificate), ("KEY", &key)]);
    server.http().repository("hub.test/a/b").expect_image("t", &image);
    for seen in hub.seen() {
        assert_eq!(seen.has_certificate, seen.host == "registry", "{seen:?}");
    }
    assert!(["auth", "content"].iter().all(|host| hub.seen().iter().any(|seen| seen.host == *host)));
}

#[test]
fn nothing_leads_from_https_to_http() {
    let (authority, image) = (Authority::new(), Image::new(1, "amd64"));
    let files = tempfile::tempdir().unwrap();
    let ca = files.path().join("ca.pem");
    fs::write(&ca, authority.pem()).unwrap();
    let tls = || Some(authority.server("localhost", Clients::Any));
    // The host that issues tokens is without TLS, or the one that has the content.
    for (hub, host) in [(Hub::over([tls(), None, tls()]), "auth"), (Hub::over([tls(), tls(), None]), "content")] {
        let root = tempfile::tempdir().unwrap();
        hub.put("a/b", "t", &image);
        hub.set(|hub| (hub.auth, hub.redirect) = (Auth::Bearer, Redirect::Content));
        let server = start(&hub, root.path(), &[("CA", &ca)]);
        let repository = server.http().repository("hub.test/a/b");
        repository.manifest("t").expect(if host == "auth" { 503 } else { 200 });
        repository.get(&format!("blobs/{}", image.blobs().next().unwrap().digest())).expect(503);
        server.expect_logged("which is not https");
        assert!(hub.seen().iter().all(|seen| seen.host != host), "{:?}", hub.seen());
    }
}
