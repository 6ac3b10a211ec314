//! A client library of another project, and another project's types for what is answered.

use std::collections::BTreeMap;

use oci_client::{
    Client, Reference,
    client::{ClientConfig, ClientProtocol, Config, ImageLayer},
    manifest::{IMAGE_CONFIG_MEDIA_TYPE, IMAGE_LAYER_GZIP_MEDIA_TYPE, OciImageManifest},
    secrets::RegistryAuth::Anonymous,
};
use oci_spec::{
    distribution::{ErrorCode, ErrorResponse, RepositoryList, TagList},
    image::{Arch, Descriptor, ImageIndex, ImageManifest, MediaType, Os, PlatformBuilder},
};
use reqwest::Method;

use crate::{
    content::{Image, index, sha256},
    registry::TestRegistry,
};

fn client(monolithic: bool) -> Client {
    Client::new(ClientConfig {
        protocol: ClientProtocol::Http,
        use_monolithic_push: monolithic,
        ..ClientConfig::default()
    })
}

fn reference(registry: &TestRegistry, image: &str) -> Reference {
    format!("{}/{image}", registry.address()).parse().unwrap()
}

#[tokio::test]
async fn an_image_is_pushed_and_pulled_in_one_piece_and_in_chunks() {
    for registry in TestRegistry::each() {
        for monolithic in [true, false] {
            let client = client(monolithic);
            let name = reference(&registry, &format!("team/app-{monolithic}:1.0"));
            // More than one of its chunks.
            let data: Vec<u8> = (0..4_300_000_u32).map(|n| (n % 251).to_le_bytes()[0]).collect();
            let layers = [
                ImageLayer::new(data.clone(), IMAGE_LAYER_GZIP_MEDIA_TYPE.to_owned(), None),
                ImageLayer::new("small", IMAGE_LAYER_GZIP_MEDIA_TYPE.to_owned(), None),
            ];
            let config = Config::new("{}", IMAGE_CONFIG_MEDIA_TYPE.to_owned(), None);
            let annotations = BTreeMap::from([("of".to_owned(), "app".to_owned())]);
            let manifest = OciImageManifest::build(&layers, &config, Some(annotations));
            let pushed = client.push(&name, &layers, config, &Anonymous, Some(manifest.clone())).await.unwrap();
            assert!(pushed.manifest_url.contains("/v2/team/app-"), "{}", pushed.manifest_url);

            let pulled = client.pull(&name, &Anonymous, vec![IMAGE_LAYER_GZIP_MEDIA_TYPE]).await.unwrap();
            // They come in the order in which they were there.
            let mut pulled_layers: Vec<_> = pulled.layers.iter().map(|layer| layer.data.to_vec()).collect();
            pulled_layers.sort_by_key(|layer| std::cmp::Reverse(layer.len()));
            assert!(pulled_layers == [data.clone(), b"small".to_vec()]);
            assert_eq!(pulled.manifest.unwrap().to_string(), manifest.to_string());
            assert_eq!(pulled.digest.unwrap(), client.fetch_manifest_digest(&name, &Anonymous).await.unwrap());
            let tags = client.list_tags(&name, &Anonymous, Some(10), None).await.unwrap();
            assert_eq!((tags.name, tags.tags), (format!("team/app-{monolithic}"), vec!["1.0".to_owned()]));

            let copy = reference(&registry, &format!("copy-{monolithic}:1.0"));
            for layer in &layers {
                client.mount_blob(&copy, &name, &layer.sha256_digest()).await.unwrap();
                assert!(client.blob_exists(&copy, &layer.sha256_digest()).await.unwrap());
            }
            assert!(!client.blob_exists(&copy, &sha256(b"unknown")).await.unwrap());
        }
        let any = reference(&registry, "any:1");
        let catalog = client(true).catalog(&any, &Anonymous, None, None).await.unwrap();
        assert_eq!(catalog.repositories, ["team/app-false", "team/app-true"]);
    }
}

#[tokio::test]
async fn a_client_finds_the_platform_it_wants_and_the_referrers() {
    let registry = TestRegistry::memory();
    let images = [registry.image("a", "amd", "amd64").await, registry.image("a", "arm", "arm64").await];
    let mut index = ImageIndex::default();
    let children = images.iter().zip([Arch::Amd64, Arch::ARM64]).map(|(image, arch)| {
        let digest = image.digest.parse::<oci_spec::image::Digest>().unwrap();
        let mut child = Descriptor::new(MediaType::ImageManifest, image.manifest.len() as u64, digest);
        child.set_platform(Some(PlatformBuilder::default().architecture(arch).os(Os::Linux).build().unwrap()));
        child
    });
    index.set_manifests(children.collect());
    index.set_media_type(Some(MediaType::ImageIndex));
    let body = index.to_string().unwrap();
    registry.put_manifest("/v2/a/manifests/multi", "application/vnd.oci.image.index.v1+json", body).await.expect(201);
    let resolver = |arch: Arch| {
        let wanted = arch.to_string();
        Box::new(move |entries: &[oci_client::manifest::ImageIndexEntry]| {
            let found = entries.iter().find(|entry| {
                entry.platform.as_ref().is_some_and(|platform| platform.architecture.to_string() == wanted)
            });
            found.map(|entry| entry.digest.clone())
        })
    };
    for (image, arch) in images.iter().zip([Arch::Amd64, Arch::ARM64]) {
        let client = Client::new(ClientConfig {
            protocol: ClientProtocol::Http,
            platform_resolver: Some(resolver(arch)),
            ..ClientConfig::default()
        });
        let (_, digest) = client.pull_image_manifest(&reference(&registry, "a:multi"), &Anonymous).await.unwrap();
        assert_eq!(digest, image.digest);
    }
    let signature = Image::referrer("signature", &images[0], Some("application/vnd.example.signature.v1"));
    registry.push_image("a", &signature.digest, &signature).await;
    let subject = reference(&registry, &format!("a@{}", images[0].digest));
    for (filter, found) in
        [(None, 1), (Some("application/vnd.example.signature.v1"), 1), (Some("application/vnd.none"), 0)]
    {
        let referrers = client(true).pull_referrers(&subject, filter).await.unwrap();
        assert_eq!(referrers.manifests.len(), found, "{filter:?}");
    }
}

#[tokio::test]
async fn lists_and_manifests_are_what_the_specifications_types_say() {
    let registry = TestRegistry::memory();
    let image = registry.image("a", "1", "image").await;
    let index = index(&[&image]);
    registry.put_manifest("/v2/a/manifests/index", "application/vnd.oci.image.index.v1+json", index).await.expect(201);
    for (seed, artifact_type) in [("1", Some("application/vnd.example.x")), ("2", None)] {
        registry.push_image("a", seed, &Image::referrer(seed, &image, artifact_type)).await;
    }
    let read = async |path: &str| registry.get(path).await.expect(200).body;
    ImageManifest::from_reader(&read("/v2/a/manifests/1").await[..]).unwrap();
    ImageIndex::from_reader(&read("/v2/a/manifests/index").await[..]).unwrap();
    let referrers = ImageIndex::from_reader(&read(&format!("/v2/a/referrers/{}", image.digest)).await[..]).unwrap();
    assert_eq!(referrers.media_type(), &Some(MediaType::ImageIndex));
    let types: Vec<_> = referrers.manifests().iter().map(|child| child.artifact_type().clone().unwrap()).collect();
    assert!(
        types.contains(&MediaType::Other("application/vnd.example.x".to_owned()))
            && types.contains(&MediaType::ImageConfig)
    );
    let empty = ImageIndex::from_reader(&read(&format!("/v2/a/referrers/{}", sha256(b""))).await[..]).unwrap();
    assert!(empty.manifests().is_empty());
    let tags: TagList = serde_json::from_slice(&read("/v2/a/tags/list").await).unwrap();
    assert_eq!((tags.name().as_str(), tags.tags().len()), ("a", 3));
    let catalog: RepositoryList = serde_json::from_slice(&read("/v2/_catalog").await).unwrap();
    assert_eq!(catalog.repositories(), &["a"]);
}

#[tokio::test]
async fn errors_are_what_the_specifications_types_say() {
    let registry = TestRegistry::memory();
    let image = Image::new("image");
    let unknown = sha256(b"unknown");
    let rows = [
        (registry.get(&format!("/v2/a/blobs/{unknown}")).await, ErrorCode::BlobUnknown),
        (registry.get("/v2/a/manifests/1").await, ErrorCode::ManifestUnknown),
        (registry.get("/v2/a/tags/list").await, ErrorCode::NameUnknown),
        (registry.get("/v2/A/tags/list").await, ErrorCode::NameInvalid),
        (registry.get("/v2/a/blobs/x").await, ErrorCode::DigestInvalid),
        (registry.get("/nowhere").await, ErrorCode::Unsupported),
        (registry.put_manifest("/v2/a/manifests/1", &image.media_type(), "{").await, ErrorCode::ManifestInvalid),
        (
            registry.put_manifest("/v2/a/manifests/1", &image.media_type(), image.manifest.clone()).await,
            ErrorCode::ManifestBlobUnknown,
        ),
        (
            registry.with_body(Method::POST, &format!("/v2/a/blobs/uploads/?digest={unknown}"), "x").await,
            ErrorCode::DigestInvalid,
        ),
    ];
    for (answer, code) in rows {
        let errors: ErrorResponse =
            serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"));
        // Of what is missing, each has an error: a config and a layer.
        let count = if code == ErrorCode::ManifestBlobUnknown { 2 } else { 1 };
        assert_eq!(errors.detail().len(), count);
        assert!(errors.detail().iter().all(|error| *error.code() == code));
        assert!(errors.detail()[0].message().as_ref().is_some_and(|message| !message.is_empty()), "{answer:?}");
        let errors: oci_client::errors::OciEnvelope = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(errors.errors.len(), count);
    }
}
