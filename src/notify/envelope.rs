//! Envelopes: events as JSON, one in each, as registry:2 and registry:3 send them.

use serde_json::{Map, Value, json};

use super::{
    EnvelopeVersion, Ignore, Settings,
    record::{Manifest, Record, What},
};
use crate::oci::{Digest, Tag};

impl EnvelopeVersion {
    /// The media type of envelopes.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::V1 => "application/vnd.docker.distribution.events.v1+json",
            Self::V2 => "application/vnd.docker.distribution.events.v2+json",
        }
    }

    /// The descriptors of a manifest with the fields that envelopes have.
    fn references(self, references: &[Value]) -> Value {
        const FIELDS: [&str; 8] =
            ["mediaType", "digest", "size", "urls", "annotations", "platform", "data", "artifactType"];
        let fields = match self {
            Self::V1 => &FIELDS[..5],
            Self::V2 => &FIELDS[..],
        };
        let with_fields = |reference: &Value| -> Value {
            let field = |name: &&str| Some(((*name).to_owned(), reference.get(name)?.clone()));
            fields.iter().filter_map(field).collect::<Map<_, _>>().into()
        };
        references.iter().map(with_fields).collect()
    }
}

impl Ignore {
    /// Whether the events of a record are not sent.
    pub(super) fn covers(&self, record: &Record) -> bool {
        let has = |list: &[String], text: &str| list.iter().any(|ignored| ignored == text);
        has(&self.actions, record.what.action()) || has(&self.media_types, record.what.media_type())
    }
}

impl Record {
    /// The envelopes of its events, in the order in which they are sent.
    pub(super) fn envelopes(&self, settings: &Settings, version: EnvelopeVersion) -> Vec<String> {
        let envelope = |(target, id): (Value, &String)| {
            let actor = self.actor.as_ref().map_or_else(|| json!({}), |name| json!({ "name": name }));
            let event = json!({
                "id": id,
                "timestamp": self.timestamp,
                "action": self.what.action(),
                "target": target,
                "request": self.request,
                "actor": actor,
                "source": { "addr": settings.address, "instanceID": settings.instance },
            });
            json!({ "events": [event] }).to_string()
        };
        self.targets(settings, version).into_iter().zip(&self.ids).map(envelope).collect()
    }

    fn targets(&self, settings: &Settings, version: EnvelopeVersion) -> Vec<Value> {
        match &self.what {
            What::Push(manifest) | What::Fetch(manifest) | What::Pull(manifest) => {
                let target = |tag| self.manifest(settings, version, manifest, tag);
                if manifest.tags.is_empty() {
                    vec![target(None)]
                } else {
                    manifest.tags.iter().map(Some).map(target).collect()
                }
            }
            What::PushBlob(blob) | What::FetchBlob(blob) | What::PullBlob(blob) => {
                vec![self.content(settings, "blobs", &blob.digest, blob.size).into()]
            }
            What::Mount(blob, from) => {
                let mut target = self.content(settings, "blobs", &blob.digest, blob.size);
                target.insert("fromRepository".to_owned(), json!(from));
                vec![target.into()]
            }
            What::Delete(digest, tags) => {
                let tags = tags.iter().map(|tag| self.deleted(version, None, Some(tag)));
                std::iter::once(self.deleted(version, Some(digest), None)).chain(tags).collect()
            }
            What::DeleteTag(tag) => vec![self.deleted(version, None, Some(tag))],
            What::DeleteBlob(digest) => vec![self.deleted(version, Some(digest), None)],
        }
    }

    fn manifest(&self, settings: &Settings, version: EnvelopeVersion, manifest: &Manifest, tag: Option<&Tag>) -> Value {
        let mut target = self.content(settings, "manifests", &manifest.digest, manifest.size);
        if let Some(tag) = tag {
            target.insert("tag".to_owned(), json!(tag));
        }
        if !manifest.references.is_empty() {
            target.insert("references".to_owned(), version.references(&manifest.references));
        }
        target.into()
    }

    fn content(&self, settings: &Settings, kind: &str, digest: &Digest, size: u64) -> Map<String, Value> {
        let origin = self.origin.as_ref().unwrap_or(&settings.origin);
        let url = format!("{origin}{}/v2/{}/{kind}/{digest}", settings.path_base, self.repository);
        let fields = [
            ("mediaType", json!(self.what.media_type())),
            ("size", json!(size)),
            ("digest", json!(digest)),
            ("length", json!(size)),
            ("repository", json!(self.repository)),
            ("url", json!(url)),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The target of a delete. registry:3 writes the fields of a descriptor though they are empty.
    fn deleted(&self, version: EnvelopeVersion, digest: Option<&Digest>, tag: Option<&Tag>) -> Value {
        let mut target = match version {
            EnvelopeVersion::V1 => json!({ "repository": self.repository }),
            EnvelopeVersion::V2 => json!({ "repository": self.repository, "mediaType": "", "digest": "", "size": 0 }),
        };
        if let Some(digest) = digest {
            target["digest"] = json!(digest);
        }
        if let Some(tag) = tag {
            target["tag"] = json!(tag);
        }
        target
    }
}
