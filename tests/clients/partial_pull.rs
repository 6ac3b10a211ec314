//! A partial pull of a `zstd:chunked` layer, by the requests that podman sends for one: Debian 12's podman is too old
//! to send them itself.

use reqwest::Method;

use crate::support::{
    http::Answer,
    image::Blob,
    server::{Launch, Program},
};

/// How many files of the image changed: so many ranges are in one header.
const FILES: usize = 600;
const LEN: usize = 32 * 1024 * 1024;

fn pull(program: Program, layer: &Blob, range: &str) -> Answer {
    let root = tempfile::tempdir().unwrap();
    let server = Launch::new(program, root.path()).start();
    let repository = server.http().repository("partial");
    repository.push_blob(layer);
    let request = repository.request(Method::GET, &format!("blobs/{}", layer.digest()));
    crate::support::http::send(request.header("Range", range))
}

#[test]
#[ignore = "needs registry: run ./test"]
fn report_p1_a_partial_pull_fetches_as_little_as_from_registry_3_needs_registry() {
    let layer = Blob::noise(7, LEN);
    let ranges = (0..FILES).map(|file| (file * 50_000, file * 50_000 + 2_000 + file * 3));
    let range =
        format!("bytes={}", ranges.map(|(first, last)| format!("{first}-{last}")).collect::<Vec<_>>().join(","));
    let [ours, theirs] = [Program::Wharf, Program::Registry3].map(|program| pull(program, &layer, &range).expect(206));
    for answer in [&ours, &theirs] {
        assert!(answer.header("content-type").unwrap().starts_with("multipart/byteranges; boundary="));
    }
    let (ours, theirs) = (ours.body.len(), theirs.body.len());
    assert!(ours <= theirs && ours < LEN / 10, "{ours} bytes, and {theirs} from registry:3");
}
