//! Several objects as one.

use bytes::Bytes;

use super::{
    super::{Key, Storage, StorageError},
    children, key, put, read,
};

pub(super) async fn a_tree_appears_whole(storage: &Storage) {
    storage.put_tree(&key("t/latest"), tree()).await.unwrap();
    assert_eq!(children(storage, "t").await, ["latest/"]);
    assert_eq!(children(storage, "t/latest").await, ["current/", "index/"]);
    assert_eq!(read(storage, "t/latest/current/link").await.as_deref(), Some("one"));
    assert_eq!(read(storage, "t/latest/index/x/link").await.as_deref(), Some("two"));
}

pub(super) async fn a_tree_takes_the_place_of_an_empty_prefix(storage: &Storage) {
    storage.make_prefixes(&[key("t/latest")]).await.unwrap();
    storage.put_tree(&key("t/latest"), tree()).await.unwrap();
    assert_eq!(read(storage, "t/latest/current/link").await.as_deref(), Some("one"));
}

pub(super) async fn a_tree_refuses_what_is_there(storage: &Storage) {
    put(storage, "t/latest/index/old", "x").await;
    let put = storage.put_tree(&key("t/latest"), tree()).await;
    assert!(matches!(put, Err(StorageError::Exists)), "{put:?}");
    assert_eq!(children(storage, "t/latest").await, ["index/"]);
}

pub(super) async fn a_tree_replaces_no_object(storage: &Storage) {
    put(storage, "t/object", "y").await;
    let object = vec![(key("t/object/a"), Bytes::from("z"))];
    let put = storage.put_tree(&key("t/object"), object).await;
    assert!(matches!(put, Err(StorageError::Exists)), "{put:?}");
    assert_eq!(read(storage, "t/object").await.as_deref(), Some("y"));
}

pub(super) async fn a_deleted_tree_is_gone(storage: &Storage) {
    storage.put_tree(&key("t/latest"), tree()).await.unwrap();
    put(storage, "t/latest-2/current/link", "x").await;
    assert!(storage.delete_tree(&key("t/latest")).await.unwrap());
    assert!(!storage.delete_tree(&key("t/latest")).await.unwrap());
    assert_eq!(children(storage, "t").await, ["latest-2/"]);
    assert_eq!(read(storage, "t/latest/current/link").await, None);
    storage.put_tree(&key("t/latest"), tree()).await.unwrap();
    assert_eq!(read(storage, "t/latest/current/link").await.as_deref(), Some("one"));
}

pub(super) async fn an_object_is_no_tree(storage: &Storage) {
    put(storage, "t/x", "x").await;
    assert!(!storage.delete_tree(&key("t/x")).await.unwrap());
    assert!(!storage.delete_tree(&key("t/x/y")).await.unwrap());
    assert_eq!(read(storage, "t/x").await.as_deref(), Some("x"));
}

fn tree() -> Vec<(Key, Bytes)> {
    vec![(key("t/latest/current/link"), Bytes::from("one")), (key("t/latest/index/x/link"), Bytes::from("two"))]
}

/// A reader that finds the first key before and after the others has seen the whole tree of one put.
pub(super) async fn the_first_key_of_a_tree_stands_for_all(storage: &Storage) {
    const ROUNDS: usize = 40;
    let writer = async {
        for round in 0..ROUNDS {
            let bytes = Bytes::from(round.to_string());
            let objects = ["t/a/current", "t/a/index/x", "t/a/index/y"].map(|at| (key(at), bytes.clone()));
            storage.put_tree(&key("t/a"), objects.into()).await.unwrap();
            assert!(storage.delete_tree(&key("t/a")).await.unwrap());
        }
    };
    let reader = async {
        for _ in 0..ROUNDS {
            let first = read(storage, "t/a/current").await;
            let others = [read(storage, "t/a/index/x").await, read(storage, "t/a/index/y").await];
            if first.is_some() && read(storage, "t/a/current").await == first {
                assert!(others.iter().all(|other| *other == first), "{first:?} {others:?}");
            }
            tokio::task::yield_now().await;
        }
    };
    futures_util::join!(writer, reader);
}
