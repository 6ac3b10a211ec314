//! Where clients are sent: nowhere but under the prefix, since something else may answer beside it.

use reqwest::Method;

use crate::{
    site::{Mode, Site},
    support::{http::send, image::Image},
};

/// Challenge, token and whatever `Location` says: all of it is under the prefix, for a push and a pull as a client does
/// them.
#[test]
fn report_a7_clients_are_sent_nowhere_but_under_the_prefix() {
    for (settings, prefix) in
        [("http.prefix = \"/registry/\"\n", "/registry"), ("http.prefix = \"/my/own\"\n", "/my/own")]
    {
        let site = Site::start(Site::directory(), &format!("{settings}{}", Mode::Token.settings())).unwrap();
        let get = |path: &str| send(site.http().request(Method::GET, path));
        let challenge = get(&format!("{prefix}/v2/")).expect(401);
        let realm = challenge.header("www-authenticate").unwrap().split('"').nth(1).unwrap().to_owned();
        assert!(realm.ends_with(&format!(":{}{prefix}/token", site.port())), "{realm}");
        let token = get(&format!("{prefix}/token?service=registry.example")).expect(200).json()["token"]
            .as_str()
            .unwrap()
            .to_owned();
        let asked = site
            .http()
            .request(Method::GET, &format!("{prefix}/v2/"))
            .header("Authorization", format!("Bearer {token}"));
        send(asked).expect(200);
        for (path, status) in [
            (format!("{prefix}/healthz"), 200),
            (prefix.to_owned(), 200),
            (format!("{prefix}/"), 200),
            (format!("{prefix}/v2/auth?service=registry.example"), 200),
            // Whoever asks the server itself still may.
            ("/healthz".to_owned(), 200),
            ("/token?service=registry.example".to_owned(), 200),
            ("/v2/auth?service=registry.example".to_owned(), 401),
            ("/v2/".to_owned(), 401),
        ] {
            assert_eq!(get(&path).status, status, "{path}");
        }
    }
}

#[test]
fn report_a7_every_location_is_under_the_prefix() {
    let site = Site::of("http.prefix = \"/registry/\"\n");
    let (image, http) = (Image::new(1, "amd64"), site.http());
    let blob = image.blobs().next().unwrap();
    let begun = send(http.request(Method::POST, "/registry/v2/a/blobs/uploads/")).expect(202);
    let location = begun.header("location").unwrap();
    assert!(location.starts_with("/registry/v2/a/blobs/uploads/"), "{location}");
    let put = http.request(Method::PUT, &format!("{location}?digest={}", blob.digest())).body(blob.bytes().to_vec());
    let put = send(put).expect(201);
    assert!(put.header("location").unwrap().starts_with("/registry/v2/a/blobs/"), "{put:?}");
}
