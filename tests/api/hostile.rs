//! Manifests that were made to do harm. None is stored, and none does.

use bytes::Bytes;
use serde_json::{Value, json};
use wharf::oci::MediaType;

use crate::{
    content::{Image, descriptor, sha256},
    registry::TestRegistry,
};

/// Fails unless every body is refused, nothing is stored, and the registry answers as before.
async fn must_be_refused(registry: &TestRegistry, bodies: impl IntoIterator<Item = (String, Bytes)>) {
    let before = registry.tree();
    for (what, body) in bodies {
        for media_type in [MediaType::OCI_MANIFEST, MediaType::OCI_INDEX, MediaType::DOCKER_MANIFEST] {
            let put = registry.put_manifest("/v2/a/manifests/bad", media_type, body.clone()).await;
            assert_eq!(put.refusal(), (400, "MANIFEST_INVALID".to_owned()), "{what} as {media_type}");
            assert!(put.body.len() < 2000, "{what} is repeated at length");
        }
    }
    assert_eq!(registry.tree(), before);
    registry.get("/v2/a/manifests/bad").await.refused(404, "MANIFEST_UNKNOWN");
    registry.get("/healthz").await.expect(200);
}

/// A registry that has the blobs of the image.
async fn with_blobs() -> (TestRegistry, Image) {
    let registry = TestRegistry::filesystem();
    let image = Image::new("image");
    registry.push_blobs("a", &image).await;
    (registry, image)
}

#[tokio::test]
async fn f1_a_body_of_two_natures_is_refused() {
    let (registry, image) = with_blobs().await;
    let both = |remove: &[&str], add: Value| {
        image.changed_body(|manifest| {
            let manifest = manifest.as_object_mut().unwrap();
            manifest.remove("mediaType");
            for field in remove {
                manifest.remove(*field);
            }
            manifest.extend(add.as_object().unwrap().clone());
        })
    };
    must_be_refused(
        &registry,
        [
            ("manifests beside config and layers".to_owned(), both(&[], json!({ "manifests": [] }))),
            ("manifests beside layers".to_owned(), both(&["config"], json!({ "manifests": [] }))),
            ("manifests beside config".to_owned(), both(&["layers"], json!({ "manifests": [] }))),
            ("manifests in another case".to_owned(), both(&[], json!({ "Manifests": [] }))),
            ("layers twice, in two cases".to_owned(), both(&[], json!({ "LAYERS": [] }))),
            (
                "schema 1 and an index".to_owned(),
                both(&["config", "layers"], json!({ "manifests": [], "fsLayers": [] })),
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn f5_json_bombs_are_refused() {
    let (registry, image) = with_blobs().await;
    let text = String::from_utf8(image.manifest.to_vec()).unwrap();
    let with = |field: &str, value: &str| text.replacen('{', &format!("{{\"{field}\":{value},"), 1);
    let size = |size: &str| text.replacen(&format!("\"size\": {}", image.layer.len()), &format!("\"size\": {size}"), 1);
    let mut bodies: Vec<(String, Bytes)> = [
        ("nothing", String::new()),
        ("no JSON", "manifest".to_owned()),
        ("null", "null".to_owned()),
        ("a list", "[]".to_owned()),
        ("an empty object", "{}".to_owned()),
        ("cut", text[..text.len() / 2].to_owned()),
        ("lists in lists", "[".repeat(100_000) + &"]".repeat(100_000)),
        ("lists without end", "[".repeat(1_000_000)),
        ("objects in objects", "{\"a\":".repeat(100_000) + "1" + &"}".repeat(100_000)),
        ("depth in a field that is not read", with("x", &("[".repeat(100_000) + &"]".repeat(100_000)))),
        ("depth in annotations", with("annotations", &("{\"a\":".repeat(10_000) + "1" + &"}".repeat(10_000)))),
        (
            "too many annotations",
            with(
                "annotations",
                &format!("{{{}}}", (0..20_000).map(|n| format!("\"k{n}\":\"\"")).collect::<Vec<_>>().join(",")),
            ),
        ),
        ("mediaType twice", with("mediaType", "\"application/vnd.oci.image.manifest.v1+json\"")),
        ("layers twice", with("layers", "[]")),
        ("config twice", with("config", "{}")),
        ("a field twice, one escaped", with("la\\u0079ers", "[]")),
        ("schemaVersion twice", with("schemaVersion", "2")),
        ("a number out of range", with("x", "1e999")),
        ("not a number", with("x", "NaN")),
        ("no valid escape", with("x", "\"\\ud800\"")),
        ("a comment", format!("/* */{text}")),
        ("a mark at the start", format!("\u{feff}{text}")),
        ("bytes behind", format!("{text}x")),
        ("another object behind", format!("{text}{{}}")),
        ("NUL behind", format!("{text}\0")),
        ("a negative size", size("-1")),
        ("a size of 2^63", size("9223372036854775808")),
        ("a size of 2^64", size("18446744073709551616")),
        ("a size of 1e999", size("1e999")),
        ("half a byte", size("0.5")),
        ("a size in words", size("\"100\"")),
        ("schemaVersion 1", text.replace("\"schemaVersion\": 2", "\"schemaVersion\": 1")),
        ("layers that are an object", with_layers(&image, &json!({}))),
        ("layers that are numbers", with_layers(&image, &json!([1]))),
        ("a layer without a digest", with_layers(&image, &json!([{ "mediaType": "a/b", "size": 1 }]))),
        (
            "a layer with a path for a digest",
            with_layers(&image, &json!([{ "mediaType": "a/b", "size": 1, "digest": "sha256:../../../etc/passwd" }])),
        ),
        (
            "an unknown algorithm",
            with_layers(
                &image,
                &json!([{ "mediaType": "a/b", "size": 0, "digest": "md5:d41d8cd98f00b204e9800998ecf8427e" }]),
            ),
        ),
        ("10001 layers", with_layers(&image, &vec![descriptor("a/b", b""); 10_001].into())),
    ]
    .into_iter()
    .map(|(what, body)| (what.to_owned(), Bytes::from(body)))
    .collect();
    let invalid = [&b"{\"a\":\"\xff\"}"[..], b"\xff\xfe{\0}\0", b"\0", b"\x1f\x8b\x08\0\0\0\0\0\0\x03"];
    bodies.extend(invalid.map(|body| (format!("{body:?}"), Bytes::from_static(body))));
    must_be_refused(&registry, bodies).await;
}

fn with_layers(image: &Image, layers: &Value) -> String {
    String::from_utf8(image.changed_body(|manifest| manifest["layers"] = layers.clone()).to_vec()).unwrap()
}

/// A wide list of numbers is JSON, if of no use. It is in a field that nobody reads, within the limit of a manifest.
#[tokio::test]
async fn f5_a_million_numbers_do_no_harm() {
    let (registry, image) = with_blobs().await;
    let wide = image.changed_body(|manifest| manifest["x"] = vec![0; 1_000_000].into());
    let put = registry.put_manifest("/v2/a/manifests/wide", MediaType::OCI_MANIFEST, wide.clone()).await;
    match put.status {
        201 => assert_eq!(registry.get("/v2/a/manifests/wide").await.expect(200).body, wide),
        _ => put.refused(400, "MANIFEST_INVALID"),
    }
    registry.get("/healthz").await.expect(200);
}

#[tokio::test]
async fn f8_a_size_that_lies_is_refused_if_that_is_asked_for() {
    let registry = TestRegistry::filesystem_with(|config| config.validation.sizes = wharf::registry::Sizes::Refuse);
    let image = Image::new("image");
    registry.push_blobs("a", &image).await;
    let (len, config) = (image.layer.len(), image.config.len());
    let lies = [
        ("a shorter layer", image.changed_body(|manifest| manifest["layers"][0]["size"] = (len - 1).into())),
        ("a longer layer", image.changed_body(|manifest| manifest["layers"][0]["size"] = (len + 1).into())),
        ("an empty layer", image.changed_body(|manifest| manifest["layers"][0]["size"] = 0.into())),
        ("the longest layer", image.changed_body(|manifest| manifest["layers"][0]["size"] = i64::MAX.into())),
        ("a longer config", image.changed_body(|manifest| manifest["config"]["size"] = (config + 1).into())),
    ];
    let before = registry.tree();
    for (what, body) in lies {
        let put = registry.put_manifest("/v2/a/manifests/bad", MediaType::OCI_MANIFEST, body).await;
        assert_eq!(put.refusal(), (400, "MANIFEST_INVALID".to_owned()), "{what}");
    }
    registry.push_image("a", "good", &image).await;
    let mut child = descriptor(MediaType::OCI_MANIFEST, &image.manifest);
    child["size"] = (image.manifest.len() + 1).into();
    let index = json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": [child] }).to_string();
    registry.put_manifest("/v2/a/manifests/bad", MediaType::OCI_INDEX, index).await.refused(400, "MANIFEST_INVALID");
    registry.get("/v2/a/manifests/bad").await.refused(404, "MANIFEST_UNKNOWN");
    // The lie took nothing with it.
    registry.get(&format!("/v2/a/blobs/{}", sha256(&image.layer))).await.expect(200);
    assert!(registry.tree().is_superset(&before));
}
