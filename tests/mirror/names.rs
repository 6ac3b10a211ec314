//! Several upstreams, and repositories of the registry's own beside them.

use reqwest::Method;

use crate::{
    hub::{Auth, Hub},
    support::{
        http::send,
        image::{Blob, Image},
        server::{Launch, Program, Server},
    },
};

/// wharf with `hubs` under the prefixes `one.test`, `two.test` and `three.test`.
fn start(hubs: &[Hub; 3], root: &std::path::Path) -> Server {
    let mut launch = Launch::new(Program::Wharf, root)
        .set("REGISTRY_HTTP_HOST", "http://own.test")
        .set("REGISTRY_HTTP_RELATIVEURLS", "true")
        .set("REGISTRY_PROXY_LOCAL_NAMESPACES", "[alias.test]");
    for (at, (hub, prefix)) in hubs.iter().zip(["one.test", "two.test", "three.test"]).enumerate() {
        launch = launch
            .set(&format!("REGISTRY_UPSTREAM_{at}_PREFIX"), prefix)
            .set(&format!("REGISTRY_UPSTREAM_{at}_URL"), &hub.url())
            .set(&format!("REGISTRY_UPSTREAM_{at}_NAMESPACES"), &format!("[{prefix}]"));
    }
    launch.start()
}

#[test]
fn row_17_the_prefix_and_ns_name_the_upstream() {
    let (hubs, root) = ([Hub::new(), Hub::new(), Hub::new()], tempfile::tempdir().unwrap());
    let images = [1, 2, 4].map(|seed| Image::new(seed, "amd64"));
    for (hub, image) in hubs.iter().zip(&images) {
        hub.put("a/b", "t", image);
    }
    let server = start(&hubs, root.path());
    let own = Image::new(3, "amd64");
    server.http().repository("a/b").push("t", &own);
    let digest = |path: &str| {
        let answer = send(server.http().request(Method::GET, path));
        (answer.status, answer.header("docker-content-digest").unwrap_or_default().to_owned())
    };
    let rows = [
        ("/v2/one.test/a/b/manifests/t", 200, images[0].manifest().digest()),
        ("/v2/two.test/a/b/manifests/t", 200, images[1].manifest().digest()),
        ("/v2/a/b/manifests/t?ns=one.test", 200, images[0].manifest().digest()),
        ("/v2/a/b/manifests/t?ns=two.test", 200, images[1].manifest().digest()),
        ("/v2/two.test/a/b/manifests/t?ns=two.test", 200, images[1].manifest().digest()),
        ("/v2/two.test/a/b/manifests/t?ns=one.test", 200, images[1].manifest().digest()),
        ("/v2/a/b/manifests/t", 200, own.manifest().digest()),
        ("/v2/a/b/manifests/t?ns=own.test", 200, own.manifest().digest()),
        ("/v2/a/b/manifests/t?ns=alias.test", 200, own.manifest().digest()),
        ("/v2/three.test/a/b/manifests/t", 200, images[2].manifest().digest()),
        ("/v2/a/b/manifests/t?ns=three.test", 200, images[2].manifest().digest()),
        ("/v2/one.test/a/b/manifests/t?ns=three.test", 200, images[0].manifest().digest()),
        ("/v2/a/b/manifests/t?ns=four.test", 404, ""),
    ];
    for (path, status, expected) in rows {
        assert_eq!(digest(path), (status, expected.to_owned()), "{path}");
    }
}

#[test]
fn row_20_pushes_beside_upstreams_work_and_to_their_repositories_are_refused() {
    let (hubs, root) = ([Hub::new(), Hub::new(), Hub::new()], tempfile::tempdir().unwrap());
    let image = Image::new(1, "amd64");
    hubs[0].put("a/b", "t", &image);
    let server = start(&hubs, root.path());
    let own = server.http().repository("team/app");
    own.push("t", &image);
    own.expect_image("t", &image);
    let filled = server.http().repository("one.test/a/b");
    filled.expect_image("t", &image);
    let refused = [
        send(filled.request(Method::POST, "blobs/uploads/")),
        send(filled.request(
            Method::POST,
            &format!("blobs/uploads/?mount={}&from=team/app", image.blobs().next().unwrap().digest()),
        )),
        filled.try_manifest("t2", image.manifest()).unwrap(),
    ];
    for answer in refused {
        assert_eq!(answer.status, 405, "{answer:?}");
        assert_eq!(answer.code(), "UNSUPPORTED");
        assert!(String::from_utf8_lossy(&answer.body).contains(&hubs[0].host()), "{answer:?}");
    }
    // A layer of an upstream's repository may be mounted in an own one.
    let blob = image.blobs().next().unwrap();
    let mounted = send(
        server
            .http()
            .repository("other")
            .request(Method::POST, &format!("blobs/uploads/?mount={}&from=one.test/a/b", blob.digest())),
    );
    assert_eq!(mounted.status, 201, "{mounted:?}");
}

#[test]
fn row_16_a_digest_that_was_guessed_is_unknown() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    hub.put("public/app", "t", &Image::new(1, "amd64"));
    hub.set(|hub| (hub.auth, hub.private) = (Auth::Bearer, vec!["private/app".to_owned()]));
    let server = Launch::new(Program::Wharf, root.path())
        .set("REGISTRY_UPSTREAM_0_PREFIX", "hub.test")
        .set("REGISTRY_UPSTREAM_0_URL", &hub.url())
        .start();
    let secret = Blob::noise(66, 5000);
    server.http().repository("own/private").push_blob(&secret);
    let guessed = server.http().repository("hub.test/public/app");
    guessed.manifest("t").expect(200);
    guessed.get(&format!("blobs/{}", secret.digest())).expect(404);
    guessed.head(&format!("blobs/{}", secret.digest())).expect(404);
    let refused = server.http().repository("hub.test/private/app");
    refused.get(&format!("blobs/{}", secret.digest())).expect(404);
    // The upstream has it in this repository, so it is not guessed.
    hub.put_blob(&secret);
    assert!(guessed.get(&format!("blobs/{}", secret.digest())).expect(200).body == secret.bytes());
    let named = format!("/blobs/{}", secret.digest());
    let ranges: Vec<_> = hub.seen().into_iter().filter(|seen| seen.path.ends_with(&named)).collect();
    assert!(ranges.iter().all(|seen| seen.header("range") == Some("bytes=0-0")), "{ranges:?}");
}
