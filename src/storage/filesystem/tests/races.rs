//! Writers that get in each other's way.

use bytes::Bytes;
use futures_util::future::join_all;

use super::{
    super::{super::Durability, Condition, Filesystem},
    key,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_make_one_new_directory() {
    let directory = tempfile::tempdir().unwrap();
    let store = Filesystem::open(directory.path(), Durability::None).await.unwrap();
    for round in 0..200 {
        let puts = (0..8).map(|n| {
            let (store, at) = (store.clone(), key(&format!("{round}/new/directory/{n}")));
            tokio::spawn(async move { store.put(&at, Bytes::new(), Condition::IfAbsent).await })
        });
        for put in join_all(puts).await {
            put.unwrap().unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_go_on_while_empty_directories_are_removed() {
    let directory = tempfile::tempdir().unwrap();
    let store = Filesystem::open(directory.path(), Durability::None).await.unwrap();
    let writers = (0..4).map(|n| {
        let (store, at) = (store.clone(), key(&format!("a/b/c/{n}")));
        tokio::spawn(async move {
            for _ in 0..200 {
                store.put(&at, Bytes::from("x"), Condition::Any).await.unwrap();
                assert!(store.read(&at, 9).await.unwrap().is_some());
                assert_eq!(store.delete_all(std::slice::from_ref(&at)).await.unwrap(), [true]);
                store.remove_empty_prefixes(&[key("a/b/c"), key("a/b"), key("a")]).await.unwrap();
            }
        })
    });
    for writer in join_all(writers).await {
        writer.unwrap();
    }
    assert!(store.children(&key("a")).await.unwrap().is_empty());
    assert!(store.volume.directories.are_clean(), "{:?}", store.volume.directories);
}
