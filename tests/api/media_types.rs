//! What a manifest says that it is, and what it may refer to.

use reqwest::Method;
use serde_json::{Value, json};
use wharf::oci::MediaType;

use crate::{
    content::{CONFIG, Image, descriptor, index, sha256},
    registry::TestRegistry,
    support::answer::Answer,
};

/// The types of the specifications, and any other, each as it came.
#[tokio::test]
async fn every_type_of_manifest_is_served_as_it_was_pushed() {
    let mut registry = TestRegistry::filesystem();
    let image = registry.image("a", "image", "image").await;
    let child = descriptor(MediaType::OCI_MANIFEST, &image.manifest);
    let layer = descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", &image.layer);
    let config = descriptor("application/vnd.docker.container.image.v1+json", &image.config);
    let rows: [(&str, Value); 7] = [
        (MediaType::DOCKER_MANIFEST, json!({ "schemaVersion": 2, "config": config, "layers": [layer] })),
        (MediaType::DOCKER_MANIFEST_LIST, json!({ "schemaVersion": 2, "manifests": [child] })),
        (MediaType::OCI_INDEX, json!({ "schemaVersion": 2, "manifests": [] })),
        (
            MediaType::OCI_ARTIFACT_MANIFEST,
            json!({ "artifactType": "application/vnd.example", "blobs": [layer], "subject": child }),
        ),
        ("application/vnd.example.thing.v3+json", json!({ "anything": [1, { "x": null }], "layers": [layer] })),
        ("application/vnd.cncf.helm.config.v1+json", json!({ "name": "chart" })),
        (MediaType::OCI_MANIFEST, json!({ "schemaVersion": 2, "config": config, "layers": [] })),
    ];
    for (tag, (media_type, body)) in rows.iter().enumerate() {
        for named in [true, false] {
            let mut body = body.clone();
            if named {
                body["mediaType"] = (*media_type).into();
            }
            let path = format!("/v2/a/manifests/t{tag}-{named}");
            let content_type = format!("{media_type}; charset=utf-8");
            registry
                .put_manifest(&path, if named { media_type } else { &content_type }, body.to_string())
                .await
                .expect(201);
        }
    }
    for _ in 0..2 {
        for (tag, (media_type, _)) in rows.iter().enumerate() {
            for named in [true, false] {
                let path = format!("/v2/a/manifests/t{tag}-{named}");
                for answer in [registry.get(&path).await.expect(200), registry.head(&path).await.expect(200)] {
                    assert_eq!(answer.value("content-type"), *media_type, "{path}");
                }
            }
        }
        registry.restart();
    }
}

/// What the client would rather have changes nothing: there is one form, the one that was pushed.
#[tokio::test]
async fn f1_accept_never_relabels() {
    let registry = TestRegistry::memory();
    let image = registry.image("a", "image", "image").await;
    let index = index(&[&image]);
    registry.put_manifest("/v2/a/manifests/index", MediaType::OCI_INDEX, index.clone()).await.expect(201);
    let accepts = [
        MediaType::OCI_MANIFEST,
        MediaType::OCI_INDEX,
        MediaType::DOCKER_MANIFEST,
        MediaType::DOCKER_MANIFEST_LIST,
        MediaType::DOCKER_SCHEMA_1_SIGNED,
        "*/*",
        "text/html",
        "",
        "nonsense",
    ];
    for accept in accepts {
        for (path, media_type, body) in [
            ("/v2/a/manifests/image".to_owned(), MediaType::OCI_MANIFEST, &image.manifest),
            (format!("/v2/a/manifests/{}", image.digest), MediaType::OCI_MANIFEST, &image.manifest),
            ("/v2/a/manifests/index".to_owned(), MediaType::OCI_INDEX, &index),
            (format!("/v2/a/manifests/{}", sha256(&index)), MediaType::OCI_INDEX, &index),
        ] {
            let answer = Answer::of(registry.request(Method::GET, &path).header("Accept", accept)).await.expect(200);
            assert_eq!((answer.value("content-type"), &answer.body), (media_type, body), "{accept}");
        }
    }
}

/// Content-Type may be left out where the body says what it is, as curl users do; it may never be another.
#[tokio::test]
async fn f1_the_content_type_is_the_bodys() {
    let registry = TestRegistry::filesystem();
    let image = Image::new("image");
    registry.push_blobs("a", &image).await;
    registry.with_body(Method::PUT, "/v2/a/manifests/plain", image.manifest.clone()).await.expect(201);
    let before = registry.tree();
    for content_type in [
        MediaType::OCI_INDEX,
        MediaType::DOCKER_MANIFEST,
        MediaType::DOCKER_MANIFEST_LIST,
        CONFIG,
        "application/json",
        "application/octet-stream",
        "text/plain",
        "",
        "/",
        "nonsense",
        "application/vnd.oci.image.manifest.v1",
        "application/vnd.oci.image.manifest.v1+jsonx",
    ] {
        let put = registry.put_manifest("/v2/a/manifests/1", content_type, image.manifest.clone()).await;
        assert_eq!(put.refusal(), (400, "MANIFEST_INVALID".to_owned()), "{content_type}");
    }
    assert_eq!(registry.tree(), before);
}

#[tokio::test]
async fn a_layer_that_may_not_be_distributed_may_be_missing() {
    for registry in TestRegistry::each() {
        let missing = |change: Value| {
            let mut layer = descriptor("application/vnd.example.layer", b"elsewhere");
            layer.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            Image::changed("image", |manifest| manifest["layers"].as_array_mut().unwrap().push(layer))
        };
        registry.push_blobs("a", &Image::new("image")).await;
        for (change, status) in [
            (json!({ "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip" }), 201),
            (json!({ "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" }), 201),
            (json!({ "urls": ["https://example.test/layer"] }), 201),
            (json!({ "urls": [] }), 400),
            (json!({}), 400),
        ] {
            let image = missing(change.clone());
            let put = registry.put_manifest("/v2/a/manifests/1", &image.media_type(), image.manifest).await;
            assert_eq!(put.status, status, "{change}: {put:?}");
        }
    }
}

/// `BuildKit`'s cache is an index whose children are layers.
#[tokio::test]
async fn children_of_an_index_may_be_blobs() {
    for registry in TestRegistry::each() {
        let (layer, config) = (&b"a layer"[..], &b"{}"[..]);
        let children = json!([
            descriptor(crate::content::LAYER, layer),
            descriptor("application/vnd.buildkit.cacheconfig.v0", config),
        ]);
        let index = json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": children }).to_string();
        let put = || registry.put_manifest("/v2/a/manifests/cache", MediaType::OCI_INDEX, index.clone());
        registry.push_blob("a", layer).await;
        put().await.refused(400, "MANIFEST_BLOB_UNKNOWN");
        registry.push_blob("a", config).await;
        put().await.expect(201);
        assert_eq!(registry.get("/v2/a/manifests/cache").await.expect(200).body, index);
    }
}

#[tokio::test]
async fn an_image_of_many_platforms_comes_back_whole() {
    for registry in TestRegistry::each() {
        let images = [Image::new("amd64"), Image::new("arm64"), Image::new("riscv64")];
        let index = index(&images.iter().collect::<Vec<_>>());
        let put = || registry.put_manifest("/v2/a/manifests/multi", MediaType::OCI_INDEX, index.clone());
        for image in &images {
            put().await.refused(400, "MANIFEST_BLOB_UNKNOWN");
            registry.push_image("a", &image.digest, image).await;
        }
        put().await.expect(201);
        let pulled = registry.get("/v2/a/manifests/multi").await.expect(200);
        for child in pulled.json()["manifests"].as_array().unwrap() {
            let path = format!("/v2/a/manifests/{}", child["digest"].as_str().unwrap());
            let child = registry.get(&path).await.expect(200).json();
            let layer = child["layers"][0]["digest"].as_str().unwrap();
            registry.get(&format!("/v2/a/blobs/{layer}")).await.expect(200);
        }
        assert_eq!(registry.tags("a").await, ["multi"]);
    }
}

#[tokio::test]
async fn what_is_missing_may_be_allowed() {
    let registry = TestRegistry::with(|config| config.validation.missing = wharf::registry::Missing::Allow);
    let image = Image::new("image");
    registry.put_manifest("/v2/a/manifests/1", &image.media_type(), image.manifest.clone()).await.expect(201);
    registry.put_manifest("/v2/a/manifests/2", MediaType::OCI_INDEX, index(&[&Image::new("other")])).await.expect(201);
    registry.get(&format!("/v2/a/blobs/{}", sha256(&image.layer))).await.refused(404, "BLOB_UNKNOWN");
}
