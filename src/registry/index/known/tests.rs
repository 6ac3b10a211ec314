//! Lists that change while they are read.
#![allow(clippy::unwrap_used, reason = "a test may fail that way")]

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::poll;
use proptest::prelude::*;

use super::*;
use crate::{
    oci::{Preconditions, Reference, Tag},
    registry::{ManifestPush, Missing, Overwrite, Registry, Rules},
    storage::{Durability, Storage},
};

/// What each of a few entries is, by its number.
#[derive(Debug, Default, Clone, PartialEq)]
struct Entries(BTreeMap<u8, u8>);

impl List for Entries {
    type Change = (u8, Option<u8>);

    fn of(_: &mut RepositoryState) -> &mut Known<Self> {
        unreachable!("it is in no repository")
    }

    fn seen(_: &RepositoryState) -> Option<&Self> {
        unreachable!("it is in no repository")
    }

    async fn read(_: &Repository, _: Option<Self>) -> Result<Self, StorageError> {
        unreachable!("it is in no repository")
    }

    fn apply(&mut self, (entry, value): Self::Change) {
        match value {
            Some(value) => drop(self.0.insert(entry, value)),
            None => drop(self.0.remove(&entry)),
        }
    }
}

/// What happens, one after the other.
#[derive(Debug, Clone)]
enum Step {
    Change(u8, Option<u8>),
    Begin,
    /// One entry more is read.
    Read,
    End,
    /// A change failed, or the repository was forgotten.
    Forget,
}

const ENTRIES: u8 = 6;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..ENTRIES, prop::option::of(0..4u8)).prop_map(|(entry, value)| Step::Change(entry, value)),
        2 => Just(Step::Begin),
        6 => Just(Step::Read),
        2 => Just(Step::End),
        1 => Just(Step::Forget),
    ]
}

proptest! {
    /// Whatever changes while it is read, entry by entry: what is known in the end is what is in the store, from then
    /// on.
    #[test]
    fn what_is_known_is_what_is_in_the_store(steps in prop::collection::vec(step(), 0..60)) {
        let (mut store, mut known) = (Entries::default(), Known::<Entries>::default());
        let mut reading: Option<(u8, Entries)> = None;
        for step in steps {
            match step {
                Step::Change(entry, value) => {
                    store.apply((entry, value));
                    known.note((entry, value));
                }
                Step::Begin => {
                    known.begin();
                    reading = Some((0, Entries::default()));
                }
                Step::Read => {
                    let Some((next, read)) = &mut reading else { continue };
                    read.0.extend(store.0.get(next).map(|value| (*next, *value)));
                    *next += 1;
                }
                Step::End => {
                    let Some((read_to, read)) = reading.take_if(|(next, _)| *next >= ENTRIES) else { continue };
                    let is_known = known.end(read);
                    prop_assert_eq!(is_known, known.all().is_some(), "read to {}", read_to);
                }
                Step::Forget => known = Known::Nothing,
            }
            if let Some(all) = known.all() {
                prop_assert_eq!(all, &store);
            }
        }
    }
}

#[test]
fn changes_that_nobody_fetches_do_not_pile_up() {
    let mut known = Known::<Entries>::default();
    known.begin();
    for n in 0..=CHANGES {
        known.note((u8::try_from(n % 7).unwrap(), Some(1)));
    }
    assert!(matches!(known, Known::Nothing));
    assert!(!known.end(Entries::default()));
}

#[tokio::test]
async fn changes_go_on_while_the_tags_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let storage = Storage::filesystem(directory.path(), Durability::None).await.unwrap();
    let registry = Registry::new(storage.clone(), Rules { missing: Missing::Allow, ..Rules::default() });
    let repository = registry.repository("some/thing".parse().unwrap());
    for name in ["stays", "goes", "moves"] {
        push(&repository, name, name).await;
    }
    let moved = repository.resolve(&tag("moves")).await.unwrap().unwrap();
    // So that what the start reads is not what waits here.
    registry.list_repositories(None, 1, |_| true).await.unwrap();
    let threads = storage.batch_threads().unwrap();
    let taken = threads.acquire_many(u32::try_from(threads.available_permits()).unwrap()).await.unwrap();
    let mut list = std::pin::pin!(repository.list_tags(None, 10));
    while !matches!(repository.locks().shared(&repository.name).await.tags, Known::Changes(_)) {
        assert!(poll!(list.as_mut()).is_pending());
        tokio::task::yield_now().await;
    }
    push(&repository, "comes", "comes").await;
    push(&repository, "moves", "elsewhere").await;
    repository.delete_tag(&tag("goes"), Preconditions::default()).await.unwrap();
    assert!(poll!(list.as_mut()).is_pending());
    drop(taken);
    assert_eq!(list.await.unwrap().entries, ["comes", "moves", "stays"].map(tag));
    // A delete takes the tags that it knows of.
    repository.delete_manifest(&moved, Preconditions::default()).await.unwrap();
    assert_eq!(repository.list_tags(None, 10).await.unwrap().entries, ["comes", "moves", "stays"].map(tag));
}

fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

/// Pushes a manifest that differs from others by `content`.
async fn push(repository: &Repository, name: &str, content: &str) {
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{{"a":"{content}"}}}}"#
    );
    let push = ManifestPush {
        reference: Reference::Tag(tag(name)),
        tags: Vec::new(),
        content_type: None,
        bytes: Bytes::from(manifest),
        overwrite: Overwrite::Allowed,
        conditions: Preconditions::default(),
    };
    repository.put_manifest(push).await.unwrap();
}
