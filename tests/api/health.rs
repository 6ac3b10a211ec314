//! `/` and `/healthz`.

use std::fs;

use reqwest::Method;

use crate::registry::TestRegistry;

#[tokio::test]
async fn a_server_that_works_says_so() {
    for registry in TestRegistry::each() {
        for path in ["/", "/healthz"] {
            registry.get(path).await.expect(200);
            registry.head(path).await.expect(200);
            registry.send(Method::POST, path).await.refused(405, "UNSUPPORTED");
        }
    }
}

/// A store that went away under the server: the check says it, in the form of every error, and says yes again when it
/// is back.
#[tokio::test]
async fn a_store_that_takes_no_writes_any_more_is_unhealthy() {
    let registry = TestRegistry::filesystem();
    registry.get("/healthz").await.expect(200);
    let (own, away) = (registry.root().join("wharf"), registry.root().join("away"));
    fs::rename(&own, &away).unwrap();
    fs::write(&own, "in the way").unwrap();
    let unhealthy = registry.get("/healthz").await;
    unhealthy.refused(503, "UNAVAILABLE");
    assert!(!String::from_utf8_lossy(&unhealthy.body).contains(registry.root().to_str().unwrap()), "{unhealthy:?}");
    fs::remove_file(&own).unwrap();
    fs::rename(&away, &own).unwrap();
    registry.get("/healthz").await.expect(200);
}

#[tokio::test]
async fn a_registry_that_is_read_only_by_its_settings_is_healthy_and_takes_nothing() {
    let mut registry = TestRegistry::filesystem();
    let image = registry.image("a", "1", "image").await;
    registry.restart_with(|config| config.storage.read_only = true);
    registry.get("/healthz").await.expect(200);
    registry.get("/v2/a/manifests/1").await.expect(200);
    let before = registry.tree();
    registry.post("/v2/a/blobs/uploads/").await.refused(405, "UNSUPPORTED");
    registry
        .put_manifest("/v2/a/manifests/2", &image.media_type(), image.manifest.clone())
        .await
        .refused(405, "UNSUPPORTED");
    registry.delete("/v2/a/manifests/1").await.refused(405, "UNSUPPORTED");
    assert_eq!(registry.tree(), before);
}
