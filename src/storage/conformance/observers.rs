//! What an observer is told.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;

use super::{
    super::{Action, Condition, Observer, Pace, Step, Storage, StorageError},
    body, key,
};
use crate::oci::Algorithm;

#[derive(Debug, Default)]
struct Log(Mutex<Vec<(Action, bool)>>);

impl Observer for Log {
    fn action(&self, action: Action, took: Duration, outcome: Result<(), &StorageError>) {
        assert!(took < Duration::from_secs(600));
        self.0.lock().unwrap().push((action, outcome.is_ok()));
    }
}

impl Log {
    /// The actions since the last call, without syncs.
    fn take(&self) -> Vec<(Action, bool)> {
        let taken = std::mem::take(&mut *self.0.lock().unwrap());
        taken.into_iter().filter(|(action, _)| *action != Action::Sync).collect()
    }
}

fn observed(storage: &Storage) -> (Storage, Arc<Log>) {
    let log = Arc::new(Log::default());
    (storage.clone().observed_by(log.clone()), log)
}

pub(super) async fn each_action_is_reported_once(storage: &Storage) {
    use Action::{Delete, GetContent, List, Move, PutContent, Reader, Stat, Writer};
    let (storage, log) = observed(storage);
    let (a, b, keys) = (key("a/a"), key("a/b"), [key("a/a"), key("a/b")]);
    let mut expected = BTreeMap::new();
    let mut check = |action: Action, call: &str| {
        assert_eq!(log.take(), [(action, true)], "{call}");
        *expected.entry(format!("{action:?}")).or_insert(0) += 1;
    };
    storage.put(&a, Bytes::from("x"), Condition::Any).await.unwrap();
    check(PutContent, "put");
    storage.put_tree(&key("t"), vec![(key("t/x"), Bytes::from("x"))]).await.unwrap();
    check(PutContent, "put_tree");
    storage.make_prefixes(&[key("p")]).await.unwrap();
    check(PutContent, "make_prefixes");
    storage.stat(&a).await.unwrap();
    check(Stat, "stat");
    storage.touch(&a).await.unwrap();
    check(Stat, "touch");
    storage.stat_all(&keys).await;
    check(Stat, "stat_all");
    for call in ["read", "read of what may be in a cache"] {
        storage.read(&a, 10).await.unwrap();
        check(GetContent, call);
    }
    storage.read_all(&keys, 10).await;
    check(GetContent, "read_all");
    storage.open(&a).await.unwrap();
    check(Reader, "open");
    storage.children(&key("a")).await.unwrap();
    check(List, "children");
    storage.children_after(&key("a"), "", 1).await.unwrap();
    check(List, "children_after");
    storage.children_of(&[key("a"), key("t")], 9).await;
    check(List, "children_of");
    storage.rename(&a, &b).await.unwrap();
    check(Move, "rename");
    let mut staging = storage.stage(&key("s/1"), Algorithm::Sha256).await.unwrap();
    check(Writer, "stage");
    staging.append(body(&["content"])).await.unwrap();
    staging.sync().await.unwrap();
    drop(staging);
    let staging = storage.resume(&key("s/1")).await.unwrap().unwrap();
    check(Writer, "resume");
    let staged = staging.finish(Algorithm::Sha256).await.unwrap();
    let digest = staged.digest().clone();
    let steps = vec![
        Step::MakePrefixes(vec![key("q")]),
        Step::Promote(staged.verify(&digest).unwrap(), key("c")),
        Step::Put(key("l"), Bytes::from("link")),
    ];
    storage.commit(steps).await.unwrap();
    check(Move, "commit with content");
    storage.commit(vec![Step::Put(key("l"), Bytes::from("link"))]).await.unwrap();
    check(PutContent, "commit without content");
    storage.delete(&b).await.unwrap();
    check(Delete, "delete");
    storage.delete_tree(&key("t")).await.unwrap();
    check(Delete, "delete_tree");
    storage.delete_trees(&[key("t"), key("u")], Pace::Full).await.unwrap();
    check(Delete, "delete_trees");
    storage.remove_empty_prefixes(&[key("p")]).await.unwrap();
    check(Delete, "remove_empty_prefixes");
    storage.discard_staging(&key("s/1")).await.unwrap();
    check(Delete, "discard_staging");
    assert_eq!(expected.len(), 8, "{expected:?}");
}

pub(super) async fn a_failed_action_is_reported_as_failed(storage: &Storage) {
    let (storage, log) = observed(storage);
    storage.put(&key("a"), Bytes::from("12345"), Condition::IfAbsent).await.unwrap();
    assert!(storage.put(&key("a"), Bytes::new(), Condition::IfAbsent).await.is_err());
    assert!(storage.read(&key("a"), 4).await.is_err());
    let answers = storage.read_all(&[key("b"), key("a"), key("b")], 4).await;
    assert!(answers[0].is_ok() && answers[1].is_err());
    let (put, get) = (Action::PutContent, Action::GetContent);
    assert_eq!(log.take(), [(put, true), (put, false), (get, false), (get, false)]);
}
