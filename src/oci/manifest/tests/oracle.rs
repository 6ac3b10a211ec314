//! What another implementation of the image specification writes is read, and read alike.

use std::collections::HashMap;

use oci_spec::image;
use proptest::prelude::*;

use super::*;

fn any_digest() -> impl Strategy<Value = image::Digest> {
    ("sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})").prop_map(|text| text.parse().unwrap())
}

fn any_type() -> impl Strategy<Value = image::MediaType> {
    use image::MediaType as M;
    let known = prop::sample::select(vec![
        M::ImageManifest,
        M::ImageIndex,
        M::ImageLayer,
        M::ImageLayerGzip,
        M::ImageLayerZstd,
        M::ImageLayerNonDistributable,
        M::ImageLayerNonDistributableGzip,
        M::ImageLayerNonDistributableZstd,
        M::ImageConfig,
        M::EmptyJSON,
    ]);
    prop_oneof![known, "[a-z]{1,9}/[a-z0-9][a-z0-9.+-]{0,20}".prop_map(M::Other)]
}

fn any_annotations() -> impl Strategy<Value = HashMap<String, String>> {
    prop::collection::hash_map(any::<String>(), any::<String>(), 0..4)
}

prop_compose! {
    fn any_descriptor()(
        media_type in any_type(),
        digest in any_digest(),
        size in 0..=Descriptor::MAX_SIZE,
        urls in prop::option::of(prop::collection::vec("https://[a-z]{1,9}", 0..3)),
        annotations in prop::option::of(any_annotations()),
        artifact_type in prop::option::of(any_type()),
        data in prop::option::of("[A-Za-z0-9+/]{0,8}"),
    ) -> image::Descriptor {
        let mut descriptor = image::Descriptor::new(media_type, size, digest);
        descriptor.set_urls(urls);
        descriptor.set_annotations(annotations);
        descriptor.set_artifact_type(artifact_type);
        descriptor.set_data(data);
        descriptor
    }
}

prop_compose! {
    fn any_image()(
        named in any::<bool>(),
        config in any_descriptor(),
        layers in prop::collection::vec(any_descriptor(), 0..6),
        subject in prop::option::of(any_descriptor()),
        artifact_type in prop::option::of(any_type()),
        annotations in prop::option::of(any_annotations()),
    ) -> image::ImageManifest {
        let manifest = image::ImageManifestBuilder::default().schema_version(2_u32).config(config).layers(layers);
        let mut manifest = manifest.build().unwrap();
        manifest.set_media_type(named.then_some(image::MediaType::ImageManifest));
        manifest.set_subject(subject);
        manifest.set_artifact_type(artifact_type);
        manifest.set_annotations(annotations);
        manifest
    }
}

prop_compose! {
    fn any_index()(
        named in any::<bool>(),
        manifests in prop::collection::vec(any_descriptor(), 0..6),
        subject in prop::option::of(any_descriptor()),
        artifact_type in prop::option::of(any_type()),
        annotations in prop::option::of(any_annotations()),
    ) -> image::ImageIndex {
        let index = image::ImageIndexBuilder::default().schema_version(2_u32).manifests(manifests);
        let mut index = index.build().unwrap();
        index.set_media_type(named.then_some(image::MediaType::ImageIndex));
        index.set_subject(subject);
        index.set_artifact_type(artifact_type);
        index.set_annotations(annotations);
        index
    }
}

fn blob(descriptor: &image::Descriptor) -> BlobReference {
    use image::MediaType as M;
    let nondistributable =
        [M::ImageLayerNonDistributable, M::ImageLayerNonDistributableGzip, M::ImageLayerNonDistributableZstd];
    let has_urls = descriptor.urls().as_ref().is_some_and(|urls| !urls.is_empty());
    BlobReference {
        digest: descriptor.digest().to_string().parse().unwrap(),
        size: Some(descriptor.size()),
        required: !has_urls && !nondistributable.contains(descriptor.media_type()),
    }
}

fn whole(descriptor: &image::Descriptor) -> Descriptor {
    Descriptor {
        media_type: descriptor.media_type().to_string().parse().unwrap(),
        digest: descriptor.digest().to_string().parse().unwrap(),
        size: descriptor.size(),
        urls: descriptor.urls().clone().unwrap_or_default(),
        artifact_type: descriptor.artifact_type().as_ref().map(ToString::to_string),
        annotations: descriptor.annotations().clone().unwrap_or_default().into_iter().collect(),
    }
}

fn subject(subject: Option<&image::Descriptor>) -> Option<Digest> {
    subject.map(|subject| subject.digest().to_string().parse().unwrap())
}

fn annotations(annotations: Option<&HashMap<String, String>>) -> BTreeMap<String, String> {
    annotations.cloned().unwrap_or_default().into_iter().collect()
}

proptest! {
    #[test]
    fn images_of_oci_spec_are_read_alike(theirs in any_image()) {
        for text in [theirs.to_string().unwrap(), theirs.to_string_pretty().unwrap()] {
            for content_type in [None, Some(MediaType::known(MediaType::OCI_MANIFEST))] {
                let ours = Manifest::parse(text.as_bytes(), content_type.as_ref()).unwrap();
                let artifact_type = theirs.artifact_type().as_ref().unwrap_or(theirs.config().media_type());
                prop_assert_eq!(ours, Manifest {
                    media_type: MediaType::known(MediaType::OCI_MANIFEST),
                    names_its_type: theirs.media_type().is_some(),
                    blobs: std::iter::once(theirs.config()).chain(theirs.layers()).map(blob).collect(),
                    children: Vec::new(),
                    subject: subject(theirs.subject().as_ref()),
                    artifact_type: Some(artifact_type.to_string()),
                    annotations: annotations(theirs.annotations().as_ref()),
                });
            }
        }
    }

    #[test]
    fn indexes_of_oci_spec_are_read_alike(theirs in any_index()) {
        for text in [theirs.to_string().unwrap(), theirs.to_string_pretty().unwrap()] {
            for content_type in [None, Some(MediaType::known(MediaType::OCI_INDEX))] {
                let ours = Manifest::parse(text.as_bytes(), content_type.as_ref()).unwrap();
                prop_assert_eq!(ours, Manifest {
                    media_type: MediaType::known(MediaType::OCI_INDEX),
                    names_its_type: theirs.media_type().is_some(),
                    blobs: Vec::new(),
                    children: theirs.manifests().iter().map(whole).collect(),
                    subject: subject(theirs.subject().as_ref()),
                    artifact_type: theirs.artifact_type().as_ref().map(ToString::to_string),
                    annotations: annotations(theirs.annotations().as_ref()),
                });
            }
        }
    }
}
