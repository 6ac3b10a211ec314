//! Single objects.

use std::{io, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt as _, future::join_all};

use super::{
    super::{Condition, Storage, StorageError},
    children, collect, key, put, read,
};

pub(super) async fn what_is_put_can_be_read(storage: &Storage) {
    put(storage, "a/b/c", "hello").await;
    let stat = storage.stat(&key("a/b/c")).await.unwrap().unwrap();
    assert_eq!(stat.len, 5);
    assert!(stat.modified.elapsed().unwrap_or_default() < Duration::from_secs(3600));
    assert_eq!(read(storage, "a/b/c").await.as_deref(), Some("hello"));
    let object = storage.open(&key("a/b/c")).await.unwrap().unwrap();
    assert_eq!(object.stat(), stat);
    assert_eq!(collect(object.into_stream(0..5)).await.unwrap(), b"hello");
}

pub(super) async fn an_empty_object_is_an_object(storage: &Storage) {
    put(storage, "a", "").await;
    assert_eq!(storage.stat(&key("a")).await.unwrap().unwrap().len, 0);
    assert_eq!(read(storage, "a").await.as_deref(), Some(""));
    let object = storage.open(&key("a")).await.unwrap().unwrap();
    assert_eq!(collect(object.into_stream(0..0)).await.unwrap(), b"");
}

pub(super) async fn there_is_nothing_at_first(storage: &Storage) {
    assert_eq!(storage.stat(&key("a/b")).await.unwrap(), None);
    assert_eq!(read(storage, "a/b").await, None);
    assert!(storage.open(&key("a/b")).await.unwrap().is_none());
    assert!(!storage.delete(&key("a/b")).await.unwrap());
    assert!(children(storage, "a").await.is_empty());
}

pub(super) async fn a_put_replaces(storage: &Storage) {
    put(storage, "a/b", "one").await;
    put(storage, "a/b", "three").await;
    assert_eq!(read(storage, "a/b").await.as_deref(), Some("three"));
    assert_eq!(children(storage, "a").await, ["b"]);
}

pub(super) async fn a_put_if_absent_refuses_what_is_there(storage: &Storage) {
    let at = key("a/b");
    let put = |bytes: &'static str| storage.put(&at, Bytes::from(bytes), Condition::IfAbsent);
    put("one").await.unwrap();
    assert!(matches!(put("two").await, Err(StorageError::Exists)));
    assert_eq!(read(storage, "a/b").await.as_deref(), Some("one"));
    storage.delete(&key("a/b")).await.unwrap();
    put("two").await.unwrap();
    assert_eq!(read(storage, "a/b").await.as_deref(), Some("two"));
}

pub(super) async fn each_write_has_its_version(storage: &Storage) {
    let mut versions = Vec::new();
    for bytes in ["one", "two", "one"] {
        put(storage, "a/b", bytes).await;
        let stat = storage.stat(&key("a/b")).await.unwrap().unwrap();
        assert_eq!(storage.stat(&key("a/b")).await.unwrap().unwrap().version, stat.version);
        assert_eq!(storage.stat_all(&[key("a/b")]).await.pop().unwrap().unwrap().unwrap().version, stat.version);
        assert!(versions.last() != Some(&stat.version), "{bytes}");
        versions.push(stat.version);
    }
}

pub(super) async fn a_put_if_version_refuses_a_changed_object(storage: &Storage) {
    let at = key("a/b");
    let put_if = |version| storage.put(&at, Bytes::from("mine"), Condition::IfVersion(version));
    put(storage, "a/b", "one").await;
    let old = storage.stat(&at).await.unwrap().unwrap().version;
    put(storage, "a/b", "two").await;
    assert!(matches!(put_if(old).await, Err(StorageError::Changed)));
    assert_eq!(read(storage, "a/b").await.as_deref(), Some("two"));
    let current = storage.stat(&at).await.unwrap().unwrap().version;
    put_if(current).await.unwrap();
    assert_eq!(read(storage, "a/b").await.as_deref(), Some("mine"));
    let current = storage.stat(&at).await.unwrap().unwrap().version;
    storage.delete(&at).await.unwrap();
    assert!(matches!(put_if(current).await, Err(StorageError::Changed)));
    assert_eq!(read(storage, "a/b").await, None);
    storage.delete_tree(&key("a")).await.unwrap();
    assert!(matches!(put_if(current).await, Err(StorageError::Changed)));
    assert!(children(storage, "a").await.is_empty());
}

pub(super) async fn one_of_many_puts_if_version_wins(storage: &Storage) {
    put(storage, "a/b", "start").await;
    let version = storage.stat(&key("a/b")).await.unwrap().unwrap().version;
    let puts = (0..16).map(|n| async move {
        let put = storage.put(&key("a/b"), Bytes::from(format!("{n}")), Condition::IfVersion(version)).await;
        assert!(matches!(put, Ok(()) | Err(StorageError::Changed)), "{put:?}");
        (n, put)
    });
    let winners: Vec<_> = join_all(puts).await.into_iter().filter(|(_, put)| put.is_ok()).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(read(storage, "a/b").await, Some(winners[0].0.to_string()));
}

/// As the writers of a tag do it: read, put if the object is unchanged, else begin again.
pub(super) async fn every_increment_by_version_counts(storage: &Storage) {
    put(storage, "a/b", "0").await;
    let increment = async || {
        loop {
            let version = storage.stat(&key("a/b")).await.unwrap().unwrap().version;
            let count: u32 = read(storage, "a/b").await.unwrap().parse().unwrap();
            let bytes = Bytes::from((count + 1).to_string());
            match storage.put(&key("a/b"), bytes, Condition::IfVersion(version)).await {
                Ok(()) => return,
                Err(error) => assert!(matches!(error, StorageError::Changed), "{error}"),
            }
        }
    };
    join_all((0..8).map(|_| increment())).await;
    assert_eq!(read(storage, "a/b").await.as_deref(), Some("8"));
}

pub(super) async fn one_of_many_puts_if_absent_wins(storage: &Storage) {
    let puts = (0..16).map(|n| async move {
        let put = storage.put(&key("new/prefix/x"), Bytes::from(format!("{n}")), Condition::IfAbsent).await;
        (n, put)
    });
    let winners: Vec<_> = join_all(puts).await.into_iter().filter(|(_, put)| put.is_ok()).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(read(storage, "new/prefix/x").await, Some(winners[0].0.to_string()));
}

pub(super) async fn a_read_has_a_limit(storage: &Storage) {
    put(storage, "a", "12345").await;
    assert!(storage.read(&key("a"), 5).await.unwrap().is_some());
    assert!(matches!(storage.read(&key("a"), 4).await, Err(StorageError::TooLarge)));
}

pub(super) async fn an_open_object_keeps_its_bytes(storage: &Storage) {
    put(storage, "a", "before").await;
    let (one, two) = (storage.open(&key("a")).await.unwrap().unwrap(), storage.open(&key("a")).await.unwrap().unwrap());
    put(storage, "a", "after!").await;
    assert_eq!(collect(one.into_stream(0..6)).await.unwrap(), b"before");
    storage.delete(&key("a")).await.unwrap();
    assert_eq!(collect(two.into_stream(3..6)).await.unwrap(), b"ore");
}

pub(super) async fn ranges_are_streamed_in_small_pieces(storage: &Storage) {
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n / 7 % 251) as u8).collect();
    storage.put(&key("big"), Bytes::from(bytes.clone()), Condition::Any).await.unwrap();
    for range in [0..300_000, 0..1, 299_999..300_000, 65_535..65_537, 100..200_000, 7..7] {
        let object = storage.open(&key("big")).await.unwrap().unwrap();
        let pieces: Vec<_> = object.into_stream(range.clone()).map(|piece| piece.unwrap()).collect().await;
        assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= 64 * 1024), "{range:?}");
        let expected = &bytes[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
        assert!(pieces.concat() == expected, "{range:?}");
    }
}

pub(super) async fn a_range_beyond_the_end_fails(storage: &Storage) {
    put(storage, "a", "12345").await;
    for range in [0..6, 5..6, 100..200] {
        let object = storage.open(&key("a")).await.unwrap().unwrap();
        let error = collect(object.into_stream(range)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}

pub(super) async fn a_deleted_object_is_gone(storage: &Storage) {
    put(storage, "a/b", "x").await;
    put(storage, "a/c", "y").await;
    assert!(storage.delete(&key("a/b")).await.unwrap());
    assert!(!storage.delete(&key("a/b")).await.unwrap());
    assert_eq!(read(storage, "a/b").await, None);
    assert_eq!(children(storage, "a").await, ["c"]);
}

pub(super) async fn a_prefix_is_no_object(storage: &Storage) {
    put(storage, "a/b/c", "x").await;
    for at in ["a", "a/b"] {
        assert_eq!(storage.stat(&key(at)).await.unwrap(), None);
        assert_eq!(read(storage, at).await, None);
        assert!(storage.open(&key(at)).await.unwrap().is_none());
        assert!(!storage.delete(&key(at)).await.unwrap());
        for condition in [Condition::Any, Condition::IfAbsent] {
            let put = storage.put(&key(at), Bytes::from("y"), condition).await;
            assert!(matches!(put, Err(StorageError::Exists)), "{put:?}");
        }
    }
    assert_eq!(read(storage, "a/b/c").await.as_deref(), Some("x"));
}

pub(super) async fn nothing_goes_below_an_object(storage: &Storage) {
    put(storage, "a/b", "x").await;
    let put = storage.put(&key("a/b/c/d"), Bytes::from("y"), Condition::Any).await;
    assert!(matches!(put, Err(StorageError::Exists)), "{put:?}");
    assert_eq!(read(storage, "a/b/c/d").await, None);
    assert!(!storage.delete(&key("a/b/c")).await.unwrap());
    assert!(children(storage, "a/b").await.is_empty());
    assert_eq!(read(storage, "a/b").await.as_deref(), Some("x"));
}

pub(super) async fn a_rename_moves_over_what_is_there(storage: &Storage) {
    put(storage, "a/b", "x").await;
    put(storage, "c/d", "y").await;
    storage.rename(&key("a/b"), &key("e/f/g")).await.unwrap();
    assert_eq!((read(storage, "a/b").await, read(storage, "e/f/g").await.as_deref()), (None, Some("x")));
    storage.rename(&key("e/f/g"), &key("c/d")).await.unwrap();
    assert_eq!((read(storage, "e/f/g").await, read(storage, "c/d").await.as_deref()), (None, Some("x")));
}

pub(super) async fn a_rename_of_nothing_fails(storage: &Storage) {
    put(storage, "a/b", "x").await;
    assert!(storage.rename(&key("c"), &key("d")).await.is_err());
    assert!(storage.rename(&key("a"), &key("d")).await.is_err());
    assert_eq!(read(storage, "a/b").await.as_deref(), Some("x"));
}

pub(super) async fn a_rename_replaces_no_prefix(storage: &Storage) {
    put(storage, "a/b", "x").await;
    assert!(matches!(storage.rename(&key("a/b"), &key("a")).await, Err(StorageError::Exists)));
    assert_eq!(read(storage, "a/b").await.as_deref(), Some("x"));
}

pub(super) async fn a_long_name_is_no_object(storage: &Storage) {
    let name = "x".repeat(256);
    assert_eq!(storage.stat(&key(&name)).await.unwrap(), None);
    assert_eq!(read(storage, &name).await, None);
    assert!(!storage.delete(&key(&name)).await.unwrap());
}

pub(super) async fn a_touch_dates_what_is_there(storage: &Storage) {
    put(storage, "a/b", "x").await;
    let before = storage.stat(&key("a/b")).await.unwrap().unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(storage.touch(&key("a/b")).await.unwrap());
    let after = storage.stat(&key("a/b")).await.unwrap().unwrap();
    assert!(after.modified > before.modified && after.len == before.len);
    assert_eq!(read(storage, "a/b").await.as_deref(), Some("x"));
    for none in ["a", "a/c", "c/d"] {
        assert!(!storage.touch(&key(none)).await.unwrap(), "{none}");
    }
    assert!(!storage.boot_id().is_empty());
}

pub(super) async fn a_store_that_works_can_be_probed(storage: &Storage) {
    storage.probe().await.unwrap();
    assert!(storage.free_space().await.unwrap().is_none_or(|free| free.bytes > 0));
    assert!(!storage.is_read_only());
}
