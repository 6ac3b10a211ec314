//! Records: an event in the form in which it waits, in the outbox or in memory.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use crate::{
    oci::{Digest, MediaType, RepositoryName, Tag},
    registry::{
        ChangeOutcome,
        events::{Action, BlobTarget, ManifestTarget, RepositoryEvent, Source},
    },
};

/// An event of a repository, as it is reported. It holds no secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// When, in UTC (RFC 3339).
    pub(super) timestamp: String,
    pub(super) repository: RepositoryName,
    pub(super) what: What,
    /// Where the URL of the target begins, if the operator wants that of the request.
    pub(super) origin: Option<String>,
    pub(super) request: Request,
    /// The sender's name.
    pub(super) actor: Option<String>,
    /// The identifier of each event that is reported. They stay the same when an event is sent again.
    pub(super) ids: Vec<String>,
}

/// The action of an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum What {
    /// A manifest was pushed.
    Push(Manifest),
    /// A manifest was fetched from an upstream.
    Fetch(Manifest),
    /// A manifest was pulled.
    Pull(Manifest),
    /// A blob was pushed.
    PushBlob(Blob),
    /// A blob was fetched from an upstream.
    FetchBlob(Blob),
    /// A blob was pulled.
    PullBlob(Blob),
    /// A blob was mounted from a repository.
    Mount(Blob, RepositoryName),
    /// A manifest was deleted, and these tags.
    Delete(Digest, Vec<Tag>),
    /// A tag was deleted.
    DeleteTag(Tag),
    /// A blob was deleted.
    DeleteBlob(Digest),
}

/// A manifest that was pushed or pulled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) digest: Digest,
    pub(super) media_type: MediaType,
    pub(super) size: u64,
    pub(super) tags: Vec<Tag>,
    /// The descriptors in it.
    pub(super) references: Vec<Value>,
}

/// A blob that was pushed, pulled or mounted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Blob {
    pub(super) digest: Digest,
    pub(super) size: u64,
}

/// The request that caused an event; empty for what wharf does on its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) id: String,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub(super) addr: String,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub(super) host: String,
    pub(super) method: String,
    pub(super) useragent: String,
}

impl Record {
    /// The record of an event; `None` if such events are not reported.
    pub(super) fn of(event: &RepositoryEvent<'_>, include_references: bool) -> Option<Self> {
        let manifest = |target: ManifestTarget<'_>| Manifest {
            digest: target.digest.clone(),
            media_type: target.media_type.clone(),
            size: target.bytes.len() as u64,
            tags: target.tags.to_vec(),
            references: if include_references { target.references() } else { Vec::new() },
        };
        let blob = |target: BlobTarget<'_>| Blob { digest: target.digest.clone(), size: target.size };
        let what = match event.action {
            Action::ManifestPushed(target) => What::Push(manifest(target)),
            Action::ManifestFetched(target) => What::Fetch(manifest(target)),
            Action::ManifestPulled(target) => What::Pull(manifest(target)),
            Action::ManifestDeleted { digest, tags } => What::Delete(digest.clone(), tags.to_vec()),
            Action::TagDeleted(tag) => What::DeleteTag(tag.clone()),
            Action::BlobPushed(target) => What::PushBlob(blob(target)),
            Action::BlobFetched(target) => What::FetchBlob(blob(target)),
            Action::BlobPulled(target) => What::PullBlob(blob(target)),
            Action::BlobMounted { blob: target, from } => What::Mount(blob(target), from.clone()),
            Action::BlobDeleted(digest) => What::DeleteBlob(digest.clone()),
            Action::UploadBegun(_) | Action::UploadCancelled(_) => return None,
        };
        let ids = (0..what.events()).map(|_| Uuid::new_v4().to_string()).collect();
        Some(Self {
            timestamp: OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default(),
            repository: event.repository.clone(),
            what,
            origin: event.source.and_then(|source| source.origin.clone()),
            request: event.source.map(Request::of).unwrap_or_default(),
            actor: event.source.and_then(|source| source.actor.clone()),
            ids,
        })
    }

    /// About how many bytes of memory it takes.
    pub(super) fn bytes(&self) -> u64 {
        /// A descriptor takes more in memory than its text, which is a part of the manifest.
        const PARSED: u64 = 4;
        let references = match &self.what {
            What::Push(manifest) | What::Fetch(manifest) | What::Pull(manifest) if !manifest.references.is_empty() => {
                PARSED * manifest.size
            }
            _ => 0,
        };
        // A client chooses the length of these.
        let Request { host, useragent, .. } = &self.request;
        references + (host.len() + useragent.len()) as u64
    }

    /// Whether it is one of a change. The others are of pulls.
    pub(super) fn is_change(&self) -> bool {
        !matches!(self.what, What::Pull(_) | What::PullBlob(_))
    }

    /// Whether nothing else changed the repository meanwhile: earlier records of it are of changes that have ended.
    pub(super) fn is_exclusive(&self) -> bool {
        matches!(
            self.what,
            What::Push(_) | What::Fetch(_) | What::Delete(..) | What::DeleteTag(_) | What::DeleteBlob(_)
        )
    }

    /// The state of the repository after the change; `None` after a pull.
    pub(super) fn outcome(&self) -> Option<ChangeOutcome<'_>> {
        match &self.what {
            What::Push(manifest) | What::Fetch(manifest) => {
                Some(ChangeOutcome::Manifest(&manifest.digest, &manifest.tags))
            }
            What::PushBlob(blob) | What::FetchBlob(blob) | What::Mount(blob, _) => {
                Some(ChangeOutcome::Blob(&blob.digest))
            }
            What::Delete(digest, _) => Some(ChangeOutcome::NoManifest(digest)),
            What::DeleteTag(tag) => Some(ChangeOutcome::NoTag(tag)),
            What::DeleteBlob(digest) => Some(ChangeOutcome::NoBlob(digest)),
            What::Pull(_) | What::PullBlob(_) => None,
        }
    }
}

impl What {
    /// How many events report it: registry:2 has one for each tag.
    pub(super) fn events(&self) -> usize {
        match self {
            Self::Push(manifest) | Self::Fetch(manifest) | Self::Pull(manifest) => manifest.tags.len().max(1),
            Self::Delete(_, tags) => 1 + tags.len(),
            _ => 1,
        }
    }

    /// The word for it in events.
    pub(super) fn action(&self) -> &'static str {
        match self {
            Self::Push(_) | Self::PushBlob(_) => "push",
            Self::Pull(_) | Self::PullBlob(_) => "pull",
            Self::Fetch(_) | Self::FetchBlob(_) => "fetch",
            Self::Mount(..) => "mount",
            Self::Delete(..) | Self::DeleteTag(_) | Self::DeleteBlob(_) => "delete",
        }
    }

    /// The media type of the target; a delete has none.
    pub(super) fn media_type(&self) -> &str {
        match self {
            Self::Push(manifest) | Self::Fetch(manifest) | Self::Pull(manifest) => manifest.media_type.as_str(),
            Self::PushBlob(_) | Self::FetchBlob(_) | Self::PullBlob(_) | Self::Mount(..) => "application/octet-stream",
            Self::Delete(..) | Self::DeleteTag(_) | Self::DeleteBlob(_) => "",
        }
    }
}

impl Request {
    fn of(source: &Source) -> Self {
        let Source { id, address, host, method, user_agent, .. } = source.clone();
        Self { id, addr: address, host, method, useragent: user_agent }
    }
}
