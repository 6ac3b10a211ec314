//! Bodies that must not be stored.

use proptest::prelude::*;

use super::*;

fn error(body: &Value) -> String {
    parse(body).map(|manifest| panic!("{body} is {manifest:?}")).unwrap_err().0
}

fn error_of_bytes(bytes: impl AsRef<[u8]>) -> String {
    Manifest::parse(bytes.as_ref(), None).unwrap_err().0
}

#[test]
fn f1_no_body_is_an_index_and_an_image() {
    let unnamed = |body| without(body, "mediaType");
    let unknown = |body| with(body, "mediaType", "application/x+json");
    for (field, value) in [
        ("layers", json!([descriptor("a/b", "layer")])),
        ("layers", json!([])),
        ("config", descriptor("a/b", "config")),
        ("config", json!(1)),
        ("fsLayers", json!([])),
        ("Layers", json!([])),
        ("CONFIG", json!({})),
        ("f\u{17f}layers", json!([])),
    ] {
        let both = with(index(), field, value);
        for body in [
            both.clone(),
            unnamed(both.clone()),
            unknown(both.clone()),
            with(both, "mediaType", MediaType::OCI_MANIFEST),
        ] {
            assert!(error(&body).starts_with("a manifest has either manifests or "), "{body}");
        }
    }
    for spelling in ["Manifests", "MANIFESTS", "manife\u{17f}ts"] {
        assert!(error(&with(image(), spelling, json!([]))).starts_with("a manifest has either manifests or "));
    }
}

#[test]
fn f1_the_type_must_be_the_one_it_was_pushed_with() {
    let text = |error: InvalidManifest| error.0;
    let clash = "the mediaType is application/vnd.oci.image.manifest.v1+json, but the Content-Type is application/vnd.oci.image.index.v1+json";
    assert_eq!(text(pushed(&image(), MediaType::OCI_INDEX).unwrap_err()), clash);
    assert!(pushed(&image(), MediaType::DOCKER_MANIFEST).is_err());
    assert!(pushed(&image(), "application/json").is_err());
    // Without a mediaType the fields must be those of the pushed type.
    for (body, content_type, expected) in [
        (image(), MediaType::OCI_INDEX, "config does not belong in a manifest of this type"),
        (image(), MediaType::DOCKER_MANIFEST_LIST, "config does not belong in a manifest of this type"),
        (index(), MediaType::OCI_MANIFEST, "config is missing"),
        (index(), MediaType::DOCKER_SCHEMA_1, "schemaVersion is 2, and must be 1 for this type"),
        (index(), MediaType::OCI_ARTIFACT_MANIFEST, "manifests does not belong in a manifest of this type"),
        (index(), "text/html", "text/html is not the type of a manifest: those are application/<name>+json"),
    ] {
        assert_eq!(text(pushed(&without(body, "mediaType"), content_type).unwrap_err()), expected);
    }
    let html = "text/html is not the type of a manifest: those are application/<name>+json";
    assert_eq!(error(&with(image(), "mediaType", "text/html")), html);
}

#[test]
fn f1_no_field_is_spelt_so_that_only_others_read_it() {
    for (body, field) in
        [(image(), "MediaType"), (image(), "Subject"), (index(), "artifacttype"), (index(), "\u{17f}ubject")]
    {
        let body = with(body, field, "application/x+json");
        let body = if field == "MediaType" { without(body, "mediaType") } else { body };
        assert_eq!(error(&body), format!("the field {field} differs from one of the specification by case alone"));
    }
    assert_eq!(
        error(&with(image(), "MediaType", MediaType::OCI_INDEX)),
        "the field mediaType is there twice, in different spellings"
    );
}

#[test]
fn f5_nothing_stands_twice() {
    for field in [
        "mediaType",
        "manifests",
        "layers",
        "config",
        "blobs",
        "subject",
        "artifactType",
        "annotations",
        "schemaVersion",
        "fsLayers",
        "other",
    ] {
        let rest = image().to_string();
        let body = format!("{{{field:?}:1,{field:?}:1,{}", &rest[1..]);
        assert_eq!(error_of_bytes(body), format!("the body can't be read: the field {field:?} is there twice"));
    }
    let escaped = image().to_string().replacen('{', r#"{"l\u0061yers":[],"#, 1);
    assert_eq!(error_of_bytes(escaped), r#"the body can't be read: the field "layers" is there twice"#);
    let inner = image().to_string().replace(r#""size":6"#, r#""size":6,"size":7"#);
    assert_eq!(error_of_bytes(inner), r#"config can't be read: the field "size" is there twice"#);
}

#[test]
fn f5_what_is_not_one_json_object_is_refused() {
    let good = image().to_string();
    let deep = |open: &str, close: &str| format!(r#"{{"x":{}1{}}}"#, open.repeat(100_000), close.repeat(100_000));
    let table: [(Vec<u8>, &str); 17] = [
        (Vec::new(), "the body is not JSON that can be read: EOF"),
        (b"   ".to_vec(), "the body is not JSON that can be read: EOF"),
        (b"[]".to_vec(), "the body is not a JSON object"),
        (b"null".to_vec(), "the body is not a JSON object"),
        (b"\"{}\"".to_vec(), "the body is not a JSON object"),
        (format!("\u{feff}{good}").into(), "the body starts with a byte order mark"),
        (format!("{good}{{}}").into(), "the body is not JSON that can be read: trailing characters"),
        (format!("{good}\0").into(), "the body is not JSON that can be read: trailing characters"),
        (good.as_bytes()[..good.len() - 1].to_vec(), "the body is not JSON that can be read: EOF"),
        ([good.as_bytes(), b"\xff"].concat(), "the body is not UTF-8"),
        (good.encode_utf16().flat_map(u16::to_le_bytes).chain([0xd8]).collect(), "the body is not"),
        (br#"{"x":1e999}"#.to_vec(), "the body is not JSON that can be read: number out of range"),
        (br#"{"x":NaN}"#.to_vec(), "the body is not JSON that can be read: expected value"),
        (br#"{"x":"\ud800"}"#.to_vec(), "the body is not JSON that can be read: "),
        (br#"{"\ud800":1}"#.to_vec(), "the body is not JSON that can be read: "),
        (deep("[", "]").into(), "the body is not JSON that can be read: recursion limit exceeded"),
        (deep(r#"{"x":"#, "}").into(), "the body is not JSON that can be read: recursion limit exceeded"),
    ];
    for (bytes, expected) in table {
        let error = error_of_bytes(&bytes);
        assert!(
            error.starts_with(expected),
            "{error} is not {expected}, of {:?}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(80)])
        );
    }
}

#[test]
fn f5_sizes_are_numbers_that_a_file_can_have() {
    let body = |size: &str| image().to_string().replace(r#""size":5"#, &format!(r#""size":{size}"#));
    assert!(Manifest::parse(body("9223372036854775807").as_bytes(), None).is_ok());
    assert_eq!(error_of_bytes(body("9223372036854775808")), "layers[0].size is more than 9223372036854775807");
    for size in ["-1", "18446744073709551616", "1.5", "5.0", "1e2", "\"5\"", "[]", "{}", "true"] {
        assert_eq!(error_of_bytes(body(size)), "layers[0].size is not a non-negative integer", "{size}");
    }
}

#[test]
fn f5_a_manifest_has_at_most_10000_references() {
    let layers = |count: usize| with(image(), "layers", vec![descriptor("a/b", "layer"); count]);
    assert_eq!(parse(&layers(9_999)).unwrap().blobs.len(), 10_000);
    assert_eq!(error(&layers(10_000)), "the manifest has more than 10000 references");
    assert_eq!(error(&layers(10_001)), "layers can't be read: there are more than 10000 elements");
    let unknown = with(layers(10_001), "mediaType", "application/x+json");
    assert_eq!(error(&unknown), "layers can't be read: there are more than 10000 elements");
    let numbers = with(image(), "layers", vec![0; 1_000_000]);
    assert_eq!(error(&numbers), "layers can't be read: there are more than 10000 elements");
    let fields: serde_json::Map<_, _> = (0..=10_000).map(|n| (n.to_string(), n.into())).collect();
    assert_eq!(error(&fields.into()), "the body can't be read: there are more than 10000 fields");
}

#[test]
fn a_known_type_has_the_fields_of_its_specification() {
    let config = |field: &str, value: Value| with(image(), "config", with(image()["config"].clone(), field, value));
    let layer = |value: Value| with(image(), "layers", json!([descriptor("a/b", "layer"), value]));
    let child =
        |field: &str, value: Value| with(index(), "manifests", json!([with(descriptor("a/b", "child"), field, value)]));
    let sha384 = format!("sha384:{}", "a".repeat(96));
    let value = "digest's value is not lower-case hexadecimal of its algorithm's length";
    let table = [
        (without(image(), "schemaVersion"), "schemaVersion is missing".to_owned()),
        (with(image(), "schemaVersion", 1), "schemaVersion is 1, and must be 2 for this type".into()),
        (with(image(), "schemaVersion", "2"), "schemaVersion is not a number".into()),
        (with(index(), "schemaVersion", 3), "schemaVersion is 3, and must be 2 for this type".into()),
        (without(image(), "config"), "config is missing".into()),
        (with(image(), "layers", json!({})), "layers is not a list".into()),
        (with(image(), "config", json!([])), "config is not a JSON object".into()),
        (with(image(), "mediaType", 7), "mediaType is not a string".into()),
        (with(image(), "mediaType", "x"), "mediaType: a media type is <type>/<subtype>, as RFC 6838 has it".into()),
        (
            with(image(), "mediaType", "application/x+json; a=b"),
            "mediaType: a media type is <type>/<subtype>, as RFC 6838 has it".into(),
        ),
        (with(image(), "artifactType", 7), "artifactType is not a string".into()),
        (with(image(), "annotations", json!([])), "annotations is not a JSON object".into()),
        (with(image(), "annotations", json!({ "k": 1 })), "annotations.k is not a string".into()),
        (with(image(), "subject", "x"), "subject is not a JSON object".into()),
        (with(image(), "subject", json!({})), "subject.digest is missing".into()),
        (with(image(), "fsLayers", json!([])), "fsLayers does not belong in a manifest of this type".into()),
        (layer(json!("x")), "layers[1] is not a JSON object".into()),
        (layer(json!({})), "layers[1].digest is missing".into()),
        (layer(with(descriptor("a/b", "x"), "urls", "x")), "layers[1].urls is not a list of strings".into()),
        (config("digest", "sha256:../../etc".into()), format!("config.digest: the {value}")),
        (config("digest", "x".into()), "config.digest: a digest is <algorithm>:<hex>".into()),
        (config("digest", sha384.into()), "config.digest: the digest's algorithm is neither sha256 nor sha512".into()),
        (config("digest", Value::Null), "config.digest is missing".into()),
        (
            child("mediaType", "x".into()),
            "manifests[0].mediaType: a media type is <type>/<subtype>, as RFC 6838 has it".into(),
        ),
        (child("artifactType", json!([])), "manifests[0].artifactType is not a string".into()),
        (child("annotations", json!({ "k": [] })), "manifests[0].annotations.k is not a string".into()),
        (json!({ "schemaVersion": 1, "fsLayers": [{}] }), "fsLayers[0].blobSum is missing".into()),
    ];
    for (body, expected) in table {
        assert_eq!(error(&body), expected, "{body}");
    }
    assert_eq!(error(&with(image(), "config", Value::Null)), "config is missing");
}

proptest! {
    #[test]
    fn f5_any_bytes_are_read_or_refused(bytes: Vec<u8>, at: prop::sample::Index, cut: prop::sample::Index) {
        let _never_panics = Manifest::parse(&bytes, None);
        // The same put somewhere into a good body.
        let mut body = image().to_string().into_bytes();
        let at = at.index(body.len());
        let end = at + cut.index(body.len() - at);
        body.splice(at..end, bytes);
        if let Ok(manifest) = Manifest::parse(&body, None) {
            let value: Value = serde_json::from_slice(&body).unwrap();
            prop_assert!(value.is_object() && manifest.media_type.is_manifest());
        }
    }
}
