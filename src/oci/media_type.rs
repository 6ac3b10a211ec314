//! Media types.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A media type without parameters: `<type>/<subtype>`, both restricted names of RFC 6838, section 4.2.
///
/// Its case means nothing (RFC 9110, section 8.3.1): it is kept, compared and served in lower case.
///
/// ```
/// use wharf::oci::MediaType;
/// let index = MediaType::from_content_type("application/vnd.oci.image.index.v1+json; charset=utf-8");
/// assert!(index.is_ok_and(|index| index.as_str() == MediaType::OCI_INDEX));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MediaType(Box<str>);

/// A text is not a media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a media type is <type>/<subtype>, as RFC 6838 has it")]
pub struct InvalidMediaType;

impl MediaType {
    /// An OCI image manifest.
    pub const OCI_MANIFEST: &'static str = "application/vnd.oci.image.manifest.v1+json";
    /// An OCI image index.
    pub const OCI_INDEX: &'static str = "application/vnd.oci.image.index.v1+json";
    /// An artifact manifest, which the image-spec had for a time before 1.1.
    pub const OCI_ARTIFACT_MANIFEST: &'static str = "application/vnd.oci.artifact.manifest.v1+json";
    /// A config or layer that says nothing: the two bytes `{}`.
    pub const OCI_EMPTY: &'static str = "application/vnd.oci.empty.v1+json";
    /// A Docker image manifest, version 2, schema 2.
    pub const DOCKER_MANIFEST: &'static str = "application/vnd.docker.distribution.manifest.v2+json";
    /// A Docker manifest list.
    pub const DOCKER_MANIFEST_LIST: &'static str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// A Docker image manifest, version 2, schema 1.
    pub const DOCKER_SCHEMA_1: &'static str = "application/vnd.docker.distribution.manifest.v1+json";
    /// The same with its signatures.
    pub const DOCKER_SCHEMA_1_SIGNED: &'static str = "application/vnd.docker.distribution.manifest.v1+prettyjws";

    /// The longest type and the longest subtype, in bytes.
    const MAX_NAME_LEN: usize = 127;

    /// Reads the value of a `Content-Type` header: its parameters are left out, as is white space around it.
    ///
    /// # Errors
    /// [`InvalidMediaType`] if what is left is no media type.
    pub fn from_content_type(header: &str) -> Result<Self, InvalidMediaType> {
        let media_type = header.split_once(';').map_or(header, |(media_type, _parameters)| media_type);
        media_type.trim_matches([' ', '\t']).parse()
    }

    /// One of the constants above, as a media type.
    pub(super) fn known(constant: &'static str) -> Self {
        Self(constant.into())
    }

    /// The type of an OCI image manifest.
    #[must_use]
    pub fn oci_manifest() -> Self {
        Self::known(Self::OCI_MANIFEST)
    }

    /// The type of bytes of which nothing is known.
    pub(super) fn octet_stream() -> Self {
        Self::known("application/octet-stream")
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether content of this type may be pushed as a manifest: `application/…+json`, or Docker's signed schema 1.
    ///
    /// Nothing else may, so that a manifest is never served with a type that a browser would run.
    #[must_use]
    pub fn is_manifest(&self) -> bool {
        let is_json = self.0.strip_prefix("application/").and_then(|subtype| subtype.strip_suffix("+json"));
        is_json.is_some_and(|subtype| !subtype.is_empty()) || *self == *Self::DOCKER_SCHEMA_1_SIGNED
    }

    /// Whether layers of this type may be missing from a registry: their license can forbid that it has them.
    #[must_use]
    pub fn is_nondistributable(&self) -> bool {
        is_nondistributable(&self.0)
    }
}

/// [`MediaType::is_nondistributable`] of a text that need not be a media type.
pub(super) fn is_nondistributable(media_type: &str) -> bool {
    matches!(
        media_type.to_ascii_lowercase().as_str(),
        "application/vnd.docker.image.rootfs.foreign.diff.tar"
            | "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"
    )
}

impl FromStr for MediaType {
    type Err = InvalidMediaType;

    fn from_str(text: &str) -> Result<Self, InvalidMediaType> {
        let (main, sub) = text.split_once('/').ok_or(InvalidMediaType)?;
        if is_restricted_name(main) && is_restricted_name(sub) {
            Ok(Self(text.to_ascii_lowercase().into()))
        } else {
            Err(InvalidMediaType)
        }
    }
}

fn is_restricted_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
    text.len() <= MediaType::MAX_NAME_LEN
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && text.bytes().all(is_part)
}

impl PartialEq<str> for MediaType {
    fn eq(&self, text: &str) -> bool {
        *self.0 == *text
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl TryFrom<String> for MediaType {
    type Error = InvalidMediaType;

    fn try_from(text: String) -> Result<Self, InvalidMediaType> {
        text.parse()
    }
}

impl From<MediaType> for String {
    fn from(media_type: MediaType) -> Self {
        media_type.0.into()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_restricted_names_make_a_media_type() {
        let longest = format!("{0}/{0}", "a".repeat(127));
        for good in ["a/b", "text/html", MediaType::OCI_INDEX, "application/X.y+z", "1/2", "a/b!#$&-^_.+", &longest] {
            assert_eq!(good.parse::<MediaType>().unwrap().as_str(), good.to_ascii_lowercase());
        }
        let too_long = format!("a/{}", "a".repeat(128));
        for bad in [
            "", "/", "a", "a/", "/b", "a/b/c", "a/+b", ".a/b", "a b/c", "a/b ", " a/b", "a/b;c=d", "a/b\n", "a/\"b",
            "a/é", "*/*", &too_long,
        ] {
            assert!(bad.parse::<MediaType>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn report_p5_types_are_compared_without_case() {
        for text in [
            "application/vnd.OCI.image.manifest.v1+json",
            "APPLICATION/VND.OCI.IMAGE.MANIFEST.V1+JSON",
            "Application/vnd.oci.image.manifest.v1+JSON; Charset=UTF-8",
        ] {
            let media_type = MediaType::from_content_type(text).unwrap();
            assert_eq!(media_type, MediaType::oci_manifest(), "{text}");
            assert_eq!(media_type.to_string(), MediaType::OCI_MANIFEST);
            assert!(media_type.is_manifest());
        }
        assert!("Application/vnd.Example.Thing+JSON".parse::<MediaType>().unwrap().is_manifest());
        assert!(is_nondistributable("application/vnd.OCI.image.layer.NonDistributable.v1.tar+GZIP"));
    }

    #[test]
    fn a_content_type_loses_its_parameters() {
        for header in ["a/b", " a/b\t", "a/b;", "a/b; charset=utf-8", "a/b ;x=\"y;z\"", "a/b;;;"] {
            assert_eq!(MediaType::from_content_type(header).unwrap().as_str(), "a/b", "{header:?}");
        }
        for header in ["", ";", "; a/b", "a/b, c/d", "a/b\n"] {
            assert!(MediaType::from_content_type(header).is_err(), "{header:?}");
        }
    }

    #[test]
    fn j3_only_json_under_application_is_a_manifest() {
        for constant in [
            MediaType::OCI_MANIFEST,
            MediaType::OCI_INDEX,
            MediaType::OCI_ARTIFACT_MANIFEST,
            MediaType::OCI_EMPTY,
            MediaType::DOCKER_MANIFEST,
            MediaType::DOCKER_MANIFEST_LIST,
            MediaType::DOCKER_SCHEMA_1,
            MediaType::DOCKER_SCHEMA_1_SIGNED,
        ] {
            assert_eq!(constant.parse(), Ok(MediaType::known(constant)));
            assert!(MediaType::known(constant).is_manifest(), "{constant}");
        }
        assert!("application/vnd.example.thing+json".parse::<MediaType>().unwrap().is_manifest());
        for other in [
            "text/html",
            "text/x+json",
            "application/json",
            "application/xhtml+xml",
            "image/svg+json",
            "application/octet-stream",
            "application/x+jsonp",
        ] {
            assert!(!other.parse::<MediaType>().unwrap().is_manifest(), "{other}");
        }
    }

    #[test]
    fn only_foreign_layers_are_nondistributable() {
        for (media_type, expected) in [
            ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", true),
            ("application/vnd.oci.image.layer.nondistributable.v1.tar", true),
            ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", true),
            ("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", true),
            ("application/vnd.oci.image.layer.v1.tar+gzip", false),
            ("application/vnd.docker.image.rootfs.diff.tar.gzip", false),
            ("application/vnd.example.nondistributable", false),
        ] {
            assert_eq!(media_type.parse::<MediaType>().unwrap().is_nondistributable(), expected, "{media_type}");
        }
    }

    proptest! {
        #[test]
        fn any_text_that_is_a_media_type_says_the_same_again(text in prop_oneof![".*", "[a/+.; -]{0,8}"]) {
            if let Ok(media_type) = text.parse::<MediaType>() {
                prop_assert_eq!(media_type.as_str(), text.to_ascii_lowercase());
                prop_assert_eq!(text.matches('/').count(), 1);
                prop_assert!(text.is_ascii() && !text.contains([';', ' ', ',', '"']));
                prop_assert_eq!(MediaType::from_content_type(&format!("{text};q=1")), Ok(media_type));
            }
            let _never_panics = MediaType::from_content_type(&text);
        }
    }
}
