//! Many looks in one call.

use super::{
    super::{Key, Pace, Storage, StorageError},
    children, key, put,
};

/// More than any back end does in one go.
const MANY: usize = 300;

pub(super) async fn many_answers_come_in_order(storage: &Storage) {
    let keys: Vec<Key> = (0..MANY).map(|n| key(&format!("m/{n}/x"))).collect();
    for n in (0..MANY).step_by(7) {
        put(storage, &format!("m/{n}/x"), "bytes").await;
    }
    let (stats, read) = (storage.stat_all(&keys).await, storage.read_all(&keys, 9).await);
    assert_eq!((stats.len(), read.len()), (MANY, MANY));
    for (n, (stat, read)) in stats.into_iter().zip(read).enumerate() {
        let expected = (n % 7 == 0).then_some(&b"bytes"[..]);
        assert_eq!(read.unwrap().as_deref(), expected, "{n}");
        assert_eq!(stat.unwrap().map(|stat| stat.len), expected.map(|_| 5), "{n}");
    }
    assert!(storage.stat_all(&[]).await.is_empty() && storage.read_all(&[], 9).await.is_empty());
}

pub(super) async fn many_trees_go_nonblocking(storage: &Storage) {
    for pace in [Pace::Full, Pace::Gentle] {
        for name in ["t/a/x", "t/a/y/z", "t/b/x", "t/c"] {
            put(storage, name, "x").await;
        }
        let deleted = storage.delete_trees(&["t/a", "t/none", "t/b", "t/c", "t/a"].map(key), pace).await.unwrap();
        assert_eq!(deleted, [true, false, true, false, false]);
        assert_eq!(children(storage, "t").await, ["c"]);
    }
}

pub(super) async fn many_objects_go_in_one_call(storage: &Storage) {
    for name in ["d/a", "d/b/x", "d/c"] {
        put(storage, name, "x").await;
    }
    // What is below a prefix stays: it is no object.
    let deleted = storage.delete_all(&["d/a", "d/none", "d/b", "d/c", "d/a"].map(key)).await.unwrap();
    assert_eq!(deleted, [true, false, false, true, false]);
    assert_eq!(children(storage, "d").await, ["b/"]);
    assert!(storage.delete_all(&[]).await.unwrap().is_empty());
}

pub(super) async fn one_failure_among_many_is_one(storage: &Storage) {
    put(storage, "m/a", "short").await;
    put(storage, "m/b", "much longer").await;
    put(storage, "m/c", "short").await;
    let read = storage.read_all(&["m/a", "m/b", "m/c"].map(key), 5).await;
    assert!(matches!(read[..], [Ok(Some(_)), Err(StorageError::TooLarge), Ok(Some(_))]), "{read:?}");
}

pub(super) async fn children_of_many_are_those_of_each(storage: &Storage) {
    let prefixes: Vec<Key> = (0..MANY).map(|n| key(&format!("m/{n}"))).collect();
    for n in 0..MANY {
        for name in 0..n % 4 {
            put(storage, &format!("m/{n}/{name}/x"), "x").await;
        }
    }
    for (n, found) in storage.children_of(&prefixes, usize::MAX).await.into_iter().enumerate() {
        assert_eq!(found.unwrap(), storage.children(&prefixes[n]).await.unwrap(), "{n}");
    }
}

pub(super) async fn a_few_children_are_any_of_them(storage: &Storage) {
    for name in ["f/a", "f/b/x", "f/c"] {
        put(storage, name, "x").await;
    }
    let all = children(storage, "f").await;
    for limit in 0..5 {
        let prefixes = [key("f"), key("none"), key("f/a")];
        let found: Vec<_> = storage.children_of(&prefixes, limit).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [limit.min(3), 0, 0]);
        assert!(found[0].is_sorted());
        let is_one =
            |child: &super::Child| all.contains(&(child.name.clone() + if child.is_prefix { "/" } else { "" }));
        assert!(found[0].iter().all(is_one), "{found:?}");
    }
}
