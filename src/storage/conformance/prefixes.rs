//! Prefixes, and what is under them.

use super::{
    super::{Key, Storage},
    children, key, put,
};

pub(super) async fn children_come_in_byte_order(storage: &Storage) {
    for name in ["p/b", "p/a-b", "p/a/x", "p/Z", "p/a.b", "p/ä", "p/ab/y/z"] {
        put(storage, name, "x").await;
    }
    assert_eq!(children(storage, "p").await, ["Z", "a/", "a-b", "a.b", "ab/", "b", "ä"]);
    assert_eq!(children(storage, "p/ab").await, ["y/"]);
    assert!(children(storage, "p/b").await.is_empty());
}

pub(super) async fn made_prefixes_are_seen(storage: &Storage) {
    let prefixes = keys(&["r/x/_layers", "r/x/_manifests/revisions", "r/x/_manifests/tags"]);
    storage.make_prefixes(&prefixes).await.unwrap();
    storage.make_prefixes(&prefixes).await.unwrap();
    assert_eq!(children(storage, "r").await, ["x/"]);
    assert_eq!(children(storage, "r/x").await, ["_layers/", "_manifests/"]);
    assert_eq!(children(storage, "r/x/_manifests").await, ["revisions/", "tags/"]);
    assert!(children(storage, "r/x/_layers").await.is_empty());
}

pub(super) async fn empty_prefixes_go_in_order(storage: &Storage) {
    storage.make_prefixes(&keys(&["r/a/b", "r/c"])).await.unwrap();
    assert!(storage.remove_empty_prefixes(&keys(&["r/none", "r/a/b", "r/a", "r/c", "r"])).await.unwrap());
    assert!(children(storage, "r").await.is_empty());
    assert!(storage.remove_empty_prefixes(&keys(&["r"])).await.unwrap());
}

pub(super) async fn removal_stops_at_what_is_full(storage: &Storage) {
    storage.make_prefixes(&keys(&["r/a", "r/b", "r/c"])).await.unwrap();
    put(storage, "r/b/x", "x").await;
    assert!(!storage.remove_empty_prefixes(&keys(&["r/a", "r/b", "r/c"])).await.unwrap());
    assert_eq!(children(storage, "r").await, ["b/", "c/"]);
    assert!(!storage.remove_empty_prefixes(&keys(&["r/b/x"])).await.unwrap());
    assert_eq!(children(storage, "r/b").await, ["x"]);
}

pub(super) async fn a_prefix_stays_when_its_objects_go(storage: &Storage) {
    put(storage, "r/a/x", "x").await;
    storage.delete(&key("r/a/x")).await.unwrap();
    assert_eq!(children(storage, "r").await, ["a/"]);
    put(storage, "r/a/x", "y").await;
    assert_eq!(children(storage, "r/a").await, ["x"]);
}

fn keys(texts: &[&str]) -> Vec<Key> {
    texts.iter().map(|text| key(text)).collect()
}

pub(super) async fn a_listing_goes_on_after_a_name(storage: &Storage) {
    for at in ["p/b", "p/a/x", "p/a.b", "p/a-b/x", "p/c"] {
        put(storage, at, "x").await;
    }
    let (mut pages, mut after) = (Vec::new(), String::new());
    loop {
        let page = storage.children_after(&key("p"), &after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after.clone_from(&last.name);
        pages.push(page.into_iter().map(|child| child.name).collect::<Vec<_>>());
    }
    assert_eq!(pages, [vec!["a", "a-b"], vec!["a.b", "b"], vec!["c"]]);
    assert_eq!(storage.children_after(&key("p"), "a.", 1).await.unwrap()[0].name, "a.b");
    assert!(storage.children_after(&key("nothing"), "", 2).await.unwrap().is_empty());
}
