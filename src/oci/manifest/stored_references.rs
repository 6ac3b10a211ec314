//! The content that a stored manifest keeps alive.

use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};

use super::{InvalidManifest, Manifest, shape::Shape};
use crate::oci::Digest;

/// The content that a stored manifest keeps alive, and the manifest that keeps it alive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredReferences {
    /// What must stay for as long as the manifest does: blobs and children. Of a type that is not known, everything
    /// that it may mean.
    pub references: Vec<Digest>,
    /// Those of `references` that are meant to be manifests: the children of an index.
    pub children: Vec<Digest>,
    /// The subject: the manifest stays as long as this one does.
    pub subject: Option<Digest>,
}

impl StoredReferences {
    /// Reads a stored body. One that names no type may have been pushed as any; one that is JSON and no manifest that
    /// would be taken today may be another registry's: everything in it that is a digest is kept.
    ///
    /// # Errors
    /// [`InvalidManifest`] if it is not JSON, so that what it refers to can't be known.
    pub fn of(body: &[u8]) -> Result<Self, InvalidManifest> {
        let parsed = Manifest::parse(body, None);
        let subject = parsed.as_ref().ok().and_then(|manifest| manifest.subject.clone());
        let children: Vec<_> =
            parsed.iter().flat_map(|manifest| &manifest.children).map(|child| child.digest.clone()).collect();
        if let Ok(manifest) = &parsed
            && manifest.names_its_type
            && Shape::of(&manifest.media_type) != Shape::Unknown
        {
            let blobs = manifest.blobs.iter().map(|blob| &blob.digest);
            let references = blobs.chain(&children).cloned().collect();
            return Ok(Self { references, children, subject });
        }
        let mut references = Vec::new();
        let mut json = serde_json::Deserializer::from_slice(body);
        let read = Mentioned(&mut references).read(&mut json).and_then(|()| json.end());
        read.map_err(|error| InvalidManifest(format!("the body is not JSON: {error}")))?;
        Ok(Self { references, children, subject })
    }
}

/// Collects every string that is a digest, wherever it stands, also under names that are there twice.
struct Mentioned<'a>(&'a mut Vec<Digest>);

impl Mentioned<'_> {
    fn read<'de, D: Deserializer<'de>>(&mut self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(Mentioned(self.0))
    }

    fn note(&mut self, text: &str) {
        self.0.extend(text.parse());
    }
}

impl<'de> DeserializeSeed<'de> for Mentioned<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(mut self, json: D) -> Result<(), D::Error> {
        self.read(json)
    }
}

impl<'de> Visitor<'de> for Mentioned<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<(), E> {
        self.note(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Mentioned(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        while object.next_key_seed(Mentioned(self.0))?.is_some() {
            object.next_value_seed(Mentioned(self.0))?;
        }
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;
    use crate::oci::Algorithm;

    fn digest(number: u8) -> Digest {
        Digest::of(Algorithm::Sha256, &[number])
    }

    #[test]
    fn a_known_type_keeps_what_its_fields_name_and_nothing_else() {
        let [config, layer, noted, subject] = [1, 2, 3, 4].map(digest);
        let body = serde_json::json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "a/b", "digest": config, "size": 1},
            "layers": [{"mediaType": "a/b", "digest": layer, "size": 1}],
            "subject": {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": subject, "size": 1},
            "annotations": {"base": noted},
        });
        let ties = StoredReferences::of(body.to_string().as_bytes()).unwrap();
        assert_eq!(
            ties,
            StoredReferences { references: vec![config, layer], children: Vec::new(), subject: Some(subject) }
        );
    }

    #[test]
    fn of_what_is_not_known_every_digest_is_kept() {
        let [a, b, c, d] = [1, 2, 3, 4].map(|number| digest(number).to_string());
        let unknown = format!(
            r#"{{"mediaType": "application/vnd.test.thing+json", "x": {{"{a}": [1, null, true, -1, 1.5, "{b}"]}}, "y": "{c}", "y": "{d}", "z": "sha256:0"}}"#
        );
        let texts: Vec<_> =
            StoredReferences::of(unknown.as_bytes()).unwrap().references.iter().map(ToString::to_string).collect();
        assert_eq!(texts, [&a, &b, &c, &d].map(String::as_str));
        // No manifest, but JSON that somebody stored as one.
        assert_eq!(StoredReferences::of(format!(r#"["{a}"]"#).as_bytes()).unwrap().references, [digest(1)]);
    }

    #[test]
    fn a_body_without_a_type_may_have_been_pushed_as_any() {
        let [config, other] = [1, 2].map(digest);
        let body = serde_json::json!({
            "schemaVersion": 2, "config": {"mediaType": "a/b", "digest": config, "size": 1}, "layers": [],
            "parts": [{"digest": other}],
        });
        let references = StoredReferences::of(body.to_string().as_bytes()).unwrap().references;
        assert!(references.contains(&config) && references.contains(&other), "{references:?}");
    }

    #[test]
    fn what_is_no_json_keeps_nobody_knows_what() {
        for body in ["", "{", "{} {}", "\u{feff}{}", &"[".repeat(100_000)] {
            assert!(StoredReferences::of(body.as_bytes()).is_err(), "{body:.20}");
        }
    }
}
