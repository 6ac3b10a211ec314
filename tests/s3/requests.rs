//! How many requests to the store each request of a client takes, counted in the log of the store.

use reqwest::Method;

use crate::support::{
    gateway::Gateway,
    http::send,
    image::{Blob, Image},
};

#[test]
#[ignore = "needs versitygw: run ./test"]
#[expect(clippy::print_stdout, reason = "the counts are worth reading after a success too")]
fn requests_are_as_few_as_the_manual_says_needs_versitygw() {
    let gateway = Gateway::start(1);
    let node = gateway.node(0);
    let repository = node.http().repository("counted");
    let image = Image::new(1, "amd64");
    repository.push("warm", &image);
    let mut before = gateway.answered(0);
    let mut rows = Vec::new();
    let mut count = |what: &'static str, most: usize| {
        let all = gateway.answered(0);
        rows.push((what, all - before, most));
        before = all;
    };
    let small = Blob::noise(1, 100_000);
    let big = Blob::noise(2, 64 << 20);
    let digest = image.manifest().digest();
    let layer = image.blobs().next().unwrap().digest();
    repository.get(&format!("blobs/{layer}")).expect(200);
    count("GET of a blob of 64 KiB at most", 2);
    repository.head(&format!("blobs/{layer}")).expect(200);
    count("HEAD of a blob", 2);
    repository.manifest("warm").expect(200);
    count("GET of a manifest by tag", 3);
    repository.manifest(digest).expect(200);
    count("GET of a manifest by digest", 2);
    repository.push_manifest("again", image.manifest());
    count("PUT of a manifest with 3 blobs and a tag", 13);
    repository.push_blob(&small);
    count("POST and PUT of a blob of 16 MiB at most", 6);
    let location = repository.begin();
    let blob = Blob::noise(3, 100_000);
    repository.patch(&location, blob.bytes()).unwrap().expect(202);
    repository.finish(&location, blob.digest(), b"").unwrap().expect(201);
    count("docker's push of a blob of 16 MiB at most", 8);
    let request = repository.request(Method::POST, &format!("blobs/uploads/?digest={}", big.digest()));
    send(request.header("Content-Type", "application/octet-stream").body(big.bytes().to_vec())).expect(201);
    count("POST of a blob of 64 MiB", 11);
    repository.get(&format!("blobs/{}", big.digest())).expect(200);
    count("GET of a larger blob", 3);
    repository.tags();
    count("list of tags, up to 1,000", 2);
    repository.registry().catalog();
    count("list of repositories, up to 1,000", 1);
    for (what, sent, most) in rows {
        println!("{what}: {sent}");
        assert!(sent <= most && sent > 0, "{what}: {sent} requests, and {most} were expected");
    }
}
