//! What `BuildKit`'s cache exporter sends, which is unlike any image.

use serde_json::json;

use crate::support::{
    image::{Blob, IMAGE_INDEX, LAYER_GZIP, Manifest},
    server::Server,
};

const CACHE_CONFIG: &str = "application/vnd.buildkit.cacheconfig.v0";

#[test]
fn an_index_whose_children_are_blobs_is_taken_and_given_back() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::start(root.path());
    let layers = [1, 2].map(|seed| Blob::new(Blob::noise(seed, 5000).bytes().to_vec(), LAYER_GZIP));
    let config = Blob::new(br#"{"layers":[],"records":[]}"#.to_vec(), CACHE_CONFIG);
    let blobs: Vec<_> = layers.iter().chain([&config]).collect();
    let repository = server.http().repository("app/cache");
    for blob in &blobs {
        repository.push_blob(blob);
    }
    let children: Vec<_> = blobs.iter().map(|blob| blob.descriptor()).collect();
    let body = json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": children});
    let index = Manifest::new(&body, IMAGE_INDEX);
    repository.push_manifest("buildcache", &index);
    repository.expect_manifest("buildcache", &index);
    for blob in blobs {
        assert!(repository.get(&format!("blobs/{}", blob.digest())).expect(200).body == blob.bytes());
    }
}
