//! The log line of a pull says where the content came from.

use reqwest::Method;

use crate::{
    hub::{Gate, Hub},
    mirror::asking,
    support::{
        image::{Blob, IMAGE_MANIFEST, Manifest},
        wait::eventually,
    },
};

#[test]
fn the_log_says_hit_miss_shared_and_stale() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let (large, config) = (Blob::noise(1, 3 * 1024 * 1024), Blob::noise(2, 10));
    let body = serde_json::json!({
        "schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": config.descriptor(), "layers": [large.descriptor()],
    });
    hub.put_blob(&large);
    hub.put_blob(&config);
    hub.put_manifest("a/b", "t", &Manifest::new(&body, IMAGE_MANIFEST));
    let server = asking(&hub, root.path());
    let repository = server.http().repository("a/b");
    let caches = |route: &str| {
        let of_route = |line: &&str| line.contains("method=GET") && line.contains(route);
        let cache = |line: &str| line.split(' ').find_map(|word| word.strip_prefix("cache=").map(str::to_owned));
        server.log().lines().filter(of_route).map(cache).collect::<Vec<_>>()
    };
    let some = |words: &[&str]| words.iter().map(|word| Some((*word).to_owned())).collect::<Vec<_>>();
    let manifest = || repository.manifest("t").expect(200);
    manifest();
    manifest();
    let gate = Gate::default();
    hub.set(|hub| hub.gate = Some((1024, gate.clone())));
    // The head of an answer comes when the fetch has begun.
    let blob = || repository.request(Method::GET, &format!("blobs/{}", large.digest())).send().unwrap();
    let answers = [blob(), blob()];
    gate.open();
    for answer in answers {
        assert!(answer.bytes().unwrap() == large.bytes());
    }
    repository.get(&format!("blobs/{}", large.digest())).expect(200);
    hub.set(|hub| hub.status = Some((500, String::new())));
    manifest();
    repository.manifest("none").expect(503);
    eventually("all lines are written", || caches("/manifests/").len() == 4 && caches("/blobs/").len() == 3);
    assert_eq!(caches("/manifests/"), [some(&["miss", "hit", "stale"]), vec![None]].concat());
    server.expect_logged("status=503 reason=\"the upstream registry does not answer\"");
    server.http().get("/v2/a/b/manifests/t?ns=other.test").expect(404);
    server.expect_logged("has this value of ns ns=");
    let mut blobs = caches("/blobs/");
    assert_eq!(blobs.pop().unwrap().as_deref(), Some("hit"));
    blobs.sort();
    assert_eq!(blobs, some(&["miss", "shared"]));
}
