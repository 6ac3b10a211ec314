//! Events: each change that was made durable, and each pull, as a value for listeners.
//!
//! Metrics and notifications are listeners. A registry without listeners makes no event.
//!
//! A change has two parts. Before it, each listener may add steps to its commit ([`Listener::prepare`]): an outbox
//! stores its record there. After it, when it is durable and before its client is answered, each listener gets the
//! event ([`Listener::happened`]). Events of changes to the links of one repository come in the order of the changes,
//! but for blobs, which are pushed and mounted side by side.

use std::fmt;

use bytes::Bytes;
use serde::Deserialize as _;
use serde_json::Value;

use super::{CollectionReport, Registry, Repository, SessionId};
use crate::{
    oci::{Descriptor, Digest, MediaType, RepositoryName, Tag},
    storage::{Key, Step, StorageError},
};

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A repository was read or changed.
    Repository(RepositoryEvent<'a>),
    /// A garbage collection came to its end, a dry run too.
    Collected(&'a CollectionReport),
    /// Stored content was not what its digest says, and was set aside.
    Damaged(&'a Digest),
    /// An unfinished upload was removed because of its age.
    UploadExpired,
}

/// Something that happened in a repository.
#[derive(Clone, Copy, Debug)]
pub struct RepositoryEvent<'a> {
    /// The repository.
    pub repository: &'a RepositoryName,
    /// The action.
    pub action: Action<'a>,
    /// The cause; `None` for what wharf does on its own: a collection, a repair.
    pub source: Option<&'a Source>,
}

/// An action in a repository.
#[derive(Clone, Copy, Debug)]
pub enum Action<'a> {
    /// A manifest was pushed. A push with several tags is one event.
    ManifestPushed(ManifestTarget<'a>),
    /// A manifest was pulled, or asked for by a HEAD.
    ManifestPulled(ManifestTarget<'a>),
    /// A manifest was fetched from the upstream. A manifest that was stored and gets a tag is one, too.
    ManifestFetched(ManifestTarget<'a>),
    /// A manifest was deleted, and its tags with it.
    ManifestDeleted {
        /// The manifest.
        digest: &'a Digest,
        /// The tags that named it.
        tags: &'a [Tag],
    },
    /// A tag was deleted.
    TagDeleted(&'a Tag),
    /// A blob was pushed.
    BlobPushed(BlobTarget<'a>),
    /// A blob was opened for a pull, of the whole or of a range, or asked for by a HEAD.
    BlobPulled(BlobTarget<'a>),
    /// A blob was fetched from the upstream; or the store had it, and the upstream gives it to this repository.
    BlobFetched(BlobTarget<'a>),
    /// A blob of another repository was mounted.
    BlobMounted {
        /// The blob.
        blob: BlobTarget<'a>,
        /// The repository that had it.
        from: &'a RepositoryName,
    },
    /// A blob was deleted.
    BlobDeleted(&'a Digest),
    /// An upload session began.
    UploadBegun(SessionId),
    /// A client cancelled an upload session.
    UploadCancelled(SessionId),
}

/// A manifest in an event.
#[derive(Clone, Copy, Debug)]
pub struct ManifestTarget<'a> {
    /// Its digest.
    pub digest: &'a Digest,
    /// Its type.
    pub media_type: &'a MediaType,
    /// Its bytes, as they were pushed.
    pub bytes: &'a Bytes,
    /// The tags that it was given by this push or fetch; the tag that it was pulled by.
    pub tags: &'a [Tag],
}

impl ManifestTarget<'_> {
    /// The descriptors in it, with all their fields: config, layers, blobs and children. They are read when this is
    /// called. Entries that are no descriptors are left out.
    #[must_use]
    pub fn references(&self) -> Vec<Value> {
        let body: Value = serde_json::from_slice(self.bytes).unwrap_or_default();
        let lists = ["layers", "blobs", "manifests"].into_iter().filter_map(|field| body[field].as_array()).flatten();
        let entries = body.get("config").into_iter().chain(lists);
        entries.filter(|entry| Descriptor::deserialize(*entry).is_ok()).cloned().collect()
    }
}

/// A blob in an event.
#[derive(Clone, Copy, Debug)]
pub struct BlobTarget<'a> {
    /// Its digest.
    pub digest: &'a Digest,
    /// How many bytes it has.
    pub size: u64,
}

/// The cause of an event: a request and its sender.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The name of the sender; `None` if it is anonymous.
    pub actor: Option<String>,
    /// The id of the request.
    pub id: String,
    /// The address of the client.
    pub address: String,
    /// The `Host` of the request.
    pub host: String,
    /// The method of the request.
    pub method: String,
    /// The `User-Agent` of the request.
    pub user_agent: String,
    /// The scheme and the host that the request came with, if the operator wants links to begin with them.
    pub origin: Option<String>,
}

/// Gets the events of a registry. Its methods are called while the change's client waits and, for manifests and
/// deletes, while the repository is locked: they only note the event, and do no I/O. They must not panic.
pub trait Listener: fmt::Debug + Send + Sync {
    /// The event has happened, and is durable if it is a change.
    fn happened(&self, event: &Event<'_>);

    /// Whether this listener reads the source of events. Without such a listener, no source is made.
    fn needs_source(&self) -> bool {
        true
    }

    /// Steps that become durable in one commit with a change that is about to be made, before it can be seen; of a
    /// delete, before anything is removed. They use keys of the listener's own that are not in use. If the change
    /// fails, what they stored is removed. After a crash in between, what they stored may be there without the change.
    fn prepare(&self, event: &Event<'_>) -> Vec<Step> {
        let _ = event;
        Vec::new()
    }

    /// A change ended for which some listener prepared what is at `keys`. After [`ChangeEnd::Made`], the event has
    /// happened as well.
    fn ended(&self, keys: &[Key], end: ChangeEnd) {
        let _ = (keys, end);
    }
}

/// How a change ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeEnd {
    /// It was made, and is durable.
    Made,
    /// It failed. What was prepared is removed, if the store can do so.
    Failed,
    /// Its task was ended in the middle: only the store can tell whether it was made.
    Unknown,
}

/// A change that is about to be made, from its preparation to its end.
pub(super) struct Change<'a> {
    repository: &'a Repository,
    action: Action<'a>,
    /// Where the prepared steps store something; empty when the listeners know the end.
    prepared: Vec<Key>,
}

impl Registry {
    /// Gives an event to the listeners.
    pub(super) fn notify(&self, event: &Event<'_>) {
        self.0.extensions.listeners.iter().for_each(|listener| listener.happened(event));
    }
}

impl Repository {
    /// Gives the listeners an event of this repository.
    pub(super) fn notify(&self, action: Action<'_>) {
        if let Some(action) = self.told(action) {
            self.registry.notify(&self.event(action));
        }
    }

    /// The action that listeners are told of. What an upstream puts into its repository is no push, and what it reads or
    /// evicts there is told to nobody.
    fn told<'a>(&self, action: Action<'a>) -> Option<Action<'a>> {
        match action {
            action if !self.is_filled => Some(action),
            Action::ManifestPushed(target) => Some(Action::ManifestFetched(target)),
            Action::BlobPushed(target) => Some(Action::BlobFetched(target)),
            _ => None,
        }
    }

    /// Prepares a change, and gives the steps that its commit has to begin with.
    pub(super) fn prepare<'a>(&'a self, action: Action<'a>) -> (Change<'a>, Vec<Step>) {
        let event = self.told(action).map(|action| self.event(action));
        let listeners = self.registry.0.extensions.listeners.iter();
        let prepared = event.iter().flat_map(|event| listeners.clone().flat_map(|listener| listener.prepare(event)));
        let steps: Vec<Step> = prepared.collect();
        let prepared = steps.iter().filter_map(|step| match step {
            Step::Put(key, _) | Step::Record(key, _) | Step::PutTree(key, _) => Some(key.clone()),
            Step::Promote(..) | Step::MakePrefixes(_) => None,
        });
        (Change { repository: self, action, prepared: prepared.collect() }, steps)
    }

    /// Removes something, after what the listeners prepare for that is durable.
    pub(super) async fn remove<T>(
        &self,
        action: Action<'_>,
        removal: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        let (change, steps) = self.prepare(action);
        let prepared = if steps.is_empty() { Ok(()) } else { self.storage().commit(steps).await };
        let removed = match prepared {
            Ok(()) => removal.await,
            Err(error) => Err(error),
        };
        change.end(removed).await
    }

    fn event<'a>(&'a self, action: Action<'a>) -> Event<'a> {
        Event::Repository(RepositoryEvent { repository: &self.name, action, source: self.source.as_deref() })
    }
}

impl Change<'_> {
    /// Ends the change. If it was made, the listeners get the event; else what was prepared is removed.
    pub(super) async fn end<T>(mut self, done: Result<T, StorageError>) -> Result<T, StorageError> {
        if done.is_ok() {
            self.tell(ChangeEnd::Made);
            self.repository.notify(self.action);
        } else {
            self.undo().await;
            self.tell(ChangeEnd::Failed);
        }
        done
    }

    /// Tells the listeners the end, once.
    fn tell(&mut self, end: ChangeEnd) {
        let keys = std::mem::take(&mut self.prepared);
        if !keys.is_empty() {
            self.repository.registry.0.extensions.listeners.iter().for_each(|listener| listener.ended(&keys, end));
        }
    }

    async fn undo(&self) {
        let storage = self.repository.storage();
        for key in &self.prepared {
            let removed = match storage.delete(key).await {
                Ok(false) => storage.delete_tree(key).await,
                other => other,
            };
            if let Err(error) = removed {
                tracing::error!(%error, %key, "a record of a change that failed can't be removed");
            }
        }
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        self.tell(ChangeEnd::Unknown);
    }
}

#[cfg(test)]
mod tests;
