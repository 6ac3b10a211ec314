//! Many looks in one call: on how many threads, and that they see no more than others do.

use std::sync::atomic::Ordering::SeqCst;

use super::{super::batch::BATCH_LEN, Disk, is_io, key};

#[tokio::test]
async fn many_looks_take_few_hops() {
    let disk = Disk::new().await;
    disk.put("d/7/x", "seven").await.unwrap();
    let (prefixes, objects): (Vec<_>, Vec<_>) =
        (0..10 * BATCH_LEN).map(|n| (key(&format!("d/{n}")), key(&format!("d/{n}/x")))).unzip();
    let hops = || disk.volume().threads.hops.swap(0, SeqCst);
    assert_eq!(disk.store.stat_all(&objects).await.len(), 10 * BATCH_LEN);
    assert_eq!(hops(), 10);
    assert!(matches!(disk.store.read_all(&objects, 9).await[7], Ok(Some(_))));
    assert_eq!(hops(), 10);
    assert_eq!(disk.store.children_of(&prefixes, 1).await[7].as_ref().unwrap().len(), 1);
    assert_eq!(hops(), 10);
}

#[tokio::test]
async fn others_are_served_while_all_batch_threads_looks_are_taken() {
    let disk = Disk::new().await;
    let free = &disk.volume().threads.free;
    let taken = free.acquire_many(u32::try_from(free.available_permits()).unwrap()).await.unwrap();
    let all = ["d/x", "d/y"].map(key);
    let mut looks = std::pin::pin!(disk.store.stat_all(&all));
    assert!(futures_util::poll!(looks.as_mut()).is_pending());
    disk.put("d/x", "1").await.unwrap();
    assert_eq!(disk.read("d/x").await.as_deref(), Some("1"));
    assert_eq!(disk.names("d").await, ["x"]);
    assert!(matches!(disk.store.children_of(&[key("d")], 1).await[..], [Ok(_)]));
    assert!(futures_util::poll!(looks.as_mut()).is_pending());
    drop(taken);
    assert!(matches!(looks.await[..], [Ok(Some(_)), Ok(None)]));
}

#[tokio::test]
async fn what_is_not_durable_is_not_among_many_either() {
    let disk = Disk::new().await;
    disk.put("d/there", "x").await.unwrap();
    disk.volume().syncs.faults.fail("fsync directory", "d");
    for name in ["d/a", "d/b", "d/c"] {
        assert!(is_io(disk.put(name, "1").await));
    }
    disk.volume().syncs.faults.heal();
    let keys = ["d/a", "d/there", "d/c"].map(key);
    assert!(matches!(disk.store.stat_all(&keys).await[..], [Ok(None), Ok(Some(_)), Ok(None)]));
    assert!(matches!(disk.store.read_all(&keys, 9).await[..], [Ok(None), Ok(Some(_)), Ok(None)]));
    // Whichever of the four names the system lists first.
    for limit in 1..5 {
        let found = disk.store.children_of(&[key("d")], limit).await.remove(0).unwrap();
        assert_eq!(found.iter().map(|child| child.name.as_str()).collect::<Vec<_>>(), ["there"], "{limit}");
    }
}
