//! The memory of what clients were told survives a restart of the server, and not a power cut.
//!
//! A client that is told that content is there dates the content's link anew, without a sync. So old content waits for
//! one grace time when the store is served in a run of the system that it was not served in before.

use std::time::Duration;

use bytes::Bytes;

use super::{Registry, Repository, layout};
use crate::storage::{Condition, Key, Storage, StorageError};

/// The longest note of a run of the system.
const LIMIT: u64 = 256;

impl Registry {
    /// How long old content has still to wait, because nobody knows what clients were told in an earlier run of the
    /// system.
    ///
    /// # Errors
    /// The error of the store.
    pub(super) async fn settles_in(&self) -> Result<Duration, StorageError> {
        let grace = self.0.rules.gc.grace;
        if self.0.beginning.serving.is_none() || grace.is_zero() {
            return Ok(Duration::ZERO);
        }
        let first = self.0.first_served.get_or_try_init(|| self.note_boot()).await?;
        Ok(grace.saturating_sub(Storage::uptime().saturating_sub(*first)))
    }

    /// When in this run of the system the store was served first.
    async fn note_boot(&self) -> Result<Duration, StorageError> {
        let (key, now) = (layout::boot(), Storage::uptime());
        let noted = match self.storage().read(&key, LIMIT).await {
            Err(StorageError::TooLarge) => None,
            other => other?,
        };
        let boot_id = self.storage().boot_id();
        let text = noted.as_deref().and_then(|text| std::str::from_utf8(text).ok());
        let first = text.and_then(|text| text.trim_end().strip_prefix(boot_id)?.trim().parse().ok());
        if let Some(first) = first.map(Duration::from_secs).filter(|first| *first <= now) {
            return Ok(first);
        }
        let note = format!("{boot_id} {}\n", now.as_secs() + 1);
        self.storage().put(&key, Bytes::from(note), Condition::Any).await?;
        Ok(now)
    }
}

impl Repository {
    /// Dates the link at `key` anew if it is older than half the grace time: a client was just told that what it leads
    /// to is there.
    pub(super) async fn renew(&self, key: Key) {
        // A shared store is collected while no process serves it, so a client is told anew after that.
        if self.registry.is_read_only() || self.storage().is_shared() || !self.locks().pins().is_look_due(&key) {
            return;
        }
        let half = self.rules().gc.grace / 2;
        let renewed = async {
            let stat = self.storage().stat(&key).await?;
            let is_due = stat.is_some_and(|stat| stat.modified.elapsed().is_ok_and(|age| age >= half));
            if is_due { self.storage().touch(&key).await } else { Ok(false) }
        };
        if let Err(error) = renewed.await {
            tracing::warn!(%error, "a link can't be dated anew: what a client was told is forgotten with a restart");
        }
    }
}
