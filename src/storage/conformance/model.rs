//! Random sequences of calls: both back ends must answer as a simple model does.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::prelude::*;

use super::{
    super::{Child, Condition, Durability, Storage, StorageError},
    body, key,
};
use crate::oci::Algorithm;

const BODIES: [&str; 3] = ["", "one", "longer than one"];

#[derive(Clone, Debug)]
enum Call {
    Put { at: String, body: usize, condition: Condition },
    PutTree { at: String, names: Vec<String>, body: usize },
    Delete(String),
    DeleteTree(String),
    MakePrefixes(Vec<String>),
    RemoveEmptyPrefixes(Vec<String>),
    Rename { from: String, to: String },
    Upload { at: String, body: usize, to: Option<String> },
}

/// The keys of objects, and those of prefixes.
#[derive(Debug, Default)]
struct Model {
    objects: BTreeMap<String, &'static str>,
    prefixes: BTreeSet<String>,
}

/// What a call answered, as far as every back end must agree.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Done,
    Whether(bool),
    Exists,
    Failed,
}

fn place() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab]", 1..4).prop_map(|components| components.join("/"))
}

fn call() -> impl Strategy<Value = Call> {
    let (places, bodies) = (|| prop::collection::vec(place(), 1..4), || 0..BODIES.len());
    let condition = prop_oneof![Just(Condition::Any), Just(Condition::IfAbsent)];
    prop_oneof![
        4 => (place(), bodies(), condition).prop_map(|(at, body, condition)| Call::Put { at, body, condition }),
        1 => (place(), prop::collection::hash_set("[ab]", 1..3), bodies())
            .prop_map(|(at, names, body)| Call::PutTree { at, names: names.into_iter().collect(), body }),
        2 => place().prop_map(Call::Delete),
        1 => place().prop_map(Call::DeleteTree),
        1 => places().prop_map(Call::MakePrefixes),
        2 => places().prop_map(Call::RemoveEmptyPrefixes),
        1 => (place(), place()).prop_map(|(from, to)| Call::Rename { from, to }),
        2 => (place(), bodies(), prop::option::of(place())).prop_map(|(at, body, to)| Call::Upload { at, body, to }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn back_ends_do_as_the_model_does(calls in prop::collection::vec(call(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let directory = tempfile::tempdir().unwrap();
            let disk = Storage::filesystem(directory.path(), Durability::None).await.unwrap();
            let (memory, mut model) = (Storage::memory(), Model::default());
            for call in &calls {
                let expected = model.run(call);
                for (name, storage) in [("disk", &disk), ("memory", &memory)] {
                    assert_eq!(run(storage, call).await, expected, "{call:?} on {name}");
                }
                model.compare(&disk).await;
                model.compare(&memory).await;
            }
        });
    }
}

async fn run(storage: &Storage, call: &Call) -> Answer {
    match call {
        Call::Put { at, body, condition } => {
            answer(storage.put(&key(at), Bytes::from(BODIES[*body]), *condition).await, |()| Answer::Done)
        }
        Call::PutTree { at, names, body } => {
            let objects = names.iter().map(|name| (key(at).join(name).join("x"), Bytes::from(BODIES[*body])));
            answer(storage.put_tree(&key(at), objects.collect()).await, |()| Answer::Done)
        }
        Call::Delete(at) => answer(storage.delete(&key(at)).await, Answer::Whether),
        Call::DeleteTree(at) => answer(storage.delete_tree(&key(at)).await, Answer::Whether),
        Call::MakePrefixes(at) => {
            let keys: Vec<_> = at.iter().map(|at| key(at)).collect();
            answer(storage.make_prefixes(&keys).await, |()| Answer::Done)
        }
        Call::RemoveEmptyPrefixes(at) => {
            let keys: Vec<_> = at.iter().map(|at| key(at)).collect();
            answer(storage.remove_empty_prefixes(&keys).await, Answer::Whether)
        }
        Call::Rename { from, to } => answer(storage.rename(&key(from), &key(to)).await, |()| Answer::Done),
        Call::Upload { at, body, to } => answer(upload(storage, at, *body, to.as_deref()).await, |()| Answer::Done),
    }
}

async fn upload(storage: &Storage, at: &str, of: usize, to: Option<&str>) -> Result<(), StorageError> {
    let mut staging = storage.stage(&key(at), Algorithm::Sha256).await?;
    staging.append(body(&[BODIES[of]])).await.unwrap();
    let Some(to) = to else { return staging.abort().await };
    let staged = staging.finish(Algorithm::Sha256).await?;
    let digest = staged.digest().clone();
    storage.promote(staged.verify(&digest).unwrap(), &key(to)).await
}

fn answer<T>(result: Result<T, StorageError>, of: impl FnOnce(T) -> Answer) -> Answer {
    match result {
        Ok(value) => of(value),
        Err(StorageError::Exists) => Answer::Exists,
        Err(_) => Answer::Failed,
    }
}

impl Model {
    fn run(&mut self, call: &Call) -> Answer {
        match call {
            Call::Put { at, body, condition } => self.put(at, BODIES[*body], *condition),
            Call::PutTree { at, names, body } => {
                if self.objects.contains_key(at) || self.has_children(at) || !self.make_prefix(at) {
                    return Answer::Exists;
                }
                for name in names {
                    self.put(&format!("{at}/{name}/x"), BODIES[*body], Condition::Any);
                }
                Answer::Done
            }
            Call::Delete(at) => Answer::Whether(self.objects.remove(at).is_some()),
            Call::DeleteTree(at) => {
                let below = format!("{at}/");
                let was_there = self.prefixes.contains(at);
                self.objects.retain(|key, _| !key.starts_with(&below));
                self.prefixes.retain(|key| key != at && !key.starts_with(&below));
                Answer::Whether(was_there)
            }
            Call::MakePrefixes(at) => {
                if at.iter().all(|at| self.make_prefix(at)) {
                    Answer::Done
                } else {
                    Answer::Exists
                }
            }
            Call::RemoveEmptyPrefixes(at) => Answer::Whether(at.iter().all(|at| {
                let is_gone = !self.objects.contains_key(at) && !self.has_children(at);
                if is_gone {
                    self.prefixes.remove(at);
                }
                is_gone
            })),
            Call::Rename { from, to } => self.rename(from, to),
            Call::Upload { at, body, to } => match (self.put(at, BODIES[*body], Condition::IfAbsent), to) {
                (Answer::Done, None) => {
                    self.objects.remove(at);
                    Answer::Done
                }
                (Answer::Done, Some(to)) => {
                    let answer = self.rename(at, to);
                    if answer != Answer::Done {
                        self.objects.remove(at);
                    }
                    answer
                }
                (other, _) => other,
            },
        }
    }

    fn put(&mut self, at: &str, body: &'static str, condition: Condition) -> Answer {
        let is_taken = condition == Condition::IfAbsent && self.objects.contains_key(at);
        if is_taken || self.prefixes.contains(at) || !parent(at).is_none_or(|parent| self.make_prefix(parent)) {
            return Answer::Exists;
        }
        self.objects.insert(at.to_owned(), body);
        Answer::Done
    }

    fn rename(&mut self, from: &str, to: &str) -> Answer {
        let Some(body) = self.objects.get(from).copied() else { return Answer::Failed };
        let answer = self.put(to, body, Condition::Any);
        if answer == Answer::Done && from != to {
            self.objects.remove(from);
        }
        answer
    }

    /// Prefixes above one that can't be made come to be all the same, up to the object that is in the way.
    fn make_prefix(&mut self, at: &str) -> bool {
        if !parent(at).is_none_or(|parent| self.make_prefix(parent)) || self.objects.contains_key(at) {
            return false;
        }
        self.prefixes.insert(at.to_owned());
        true
    }

    fn has_children(&self, at: &str) -> bool {
        !self.children(at).is_empty()
    }

    fn children(&self, at: &str) -> Vec<Child> {
        let under = |key: &str| key.strip_prefix(at).and_then(|rest| rest.strip_prefix('/')).map(str::to_owned);
        let objects = self.objects.keys().filter_map(|key| Some(Child { name: under(key)?, is_prefix: false }));
        let prefixes = self.prefixes.iter().filter_map(|key| Some(Child { name: under(key)?, is_prefix: true }));
        let mut children: Vec<_> = objects.chain(prefixes).filter(|child| !child.name.contains('/')).collect();
        children.sort();
        children
    }

    async fn compare(&self, storage: &Storage) {
        for at in self.prefixes.iter().chain(self.objects.keys()) {
            assert_eq!(storage.children(&key(at)).await.unwrap(), self.children(at), "under {at}");
            let found = storage.read(&key(at), 100).await.unwrap();
            assert_eq!(found.as_deref(), self.objects.get(at).map(|body| body.as_bytes()), "at {at}");
            let stat = storage.stat(&key(at)).await.unwrap();
            assert_eq!(stat.map(|stat| stat.len), self.objects.get(at).map(|body| body.len() as u64), "at {at}");
        }
    }
}

fn parent(at: &str) -> Option<&str> {
    at.rsplit_once('/').map(|(parent, _)| parent)
}
