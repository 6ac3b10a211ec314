//! Work that is done again and again while a registry is there.

use std::{sync::Weak, time::Duration};

use super::{Inner, Registry};

/// Does `work` after `wait`, and then each time after the time that it returned. The registry is kept open only while
/// the work is done.
pub(super) async fn repeat<W: Future<Output = Duration>>(
    registry: Weak<Inner>,
    mut wait: Duration,
    mut work: impl FnMut(Registry) -> W,
) {
    loop {
        tokio::time::sleep(wait).await;
        let Some(inner) = registry.upgrade() else { return };
        wait = work(Registry(inner)).await;
    }
}
