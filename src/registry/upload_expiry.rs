//! Expiry of unfinished uploads.

use std::{
    sync::Weak,
    time::{Duration, SystemTime},
};

use super::{Inner, Registry, UploadExpiry, events::Event, layout, periodic::repeat};
use crate::{
    oci::RepositoryName,
    storage::{Key, StorageError},
};

/// The dates of files are so much behind the clock at most.
const TICK: Duration = Duration::from_millis(20);

/// Looks for old uploads now, and then again and again.
pub(super) async fn run(registry: Weak<Inner>, interval: Duration) {
    let look = |registry: Registry| async move {
        if let Err(error) = registry.expire_uploads().await {
            tracing::error!(%error, "old uploads can't be thrown away");
        }
        interval
    };
    repeat(registry, Duration::ZERO, look).await;
}

impl Registry {
    /// Removes the uploads that are older than the rules say: sessions of wharf, and uploads that other registries left
    /// in the store. Returns their number.
    ///
    /// # Errors
    /// The error of the store.
    async fn expire_uploads(&self) -> Result<usize, StorageError> {
        if self.storage().is_shared() {
            return self.expire_uploads_of(&[], false).await;
        }
        let survey = self.survey().await?;
        if let Some(gap) = survey.gaps.first() {
            tracing::error!(%gap, gaps = survey.gaps.len(), "no upload is thrown away while a part of the store can't be seen");
            return Ok(0);
        }
        self.expire_uploads_of(&survey.names, false).await
    }

    /// [`Registry::expire_uploads`], for a caller that knows all repositories. A dry run removes nothing.
    ///
    /// # Errors
    /// The error of the store.
    pub(super) async fn expire_uploads_of(
        &self,
        names: &[RepositoryName],
        dry_run: bool,
    ) -> Result<usize, StorageError> {
        let Some(expiry) = self.0.rules.upload_expiry else { return Ok(0) };
        let expiry = UploadExpiry { dry_run: dry_run || expiry.dry_run, ..expiry };
        let dry_run = expiry.dry_run;
        let own = self.expire_own(expiry).await?;
        let mut foreign = 0;
        for name in names {
            foreign += self.expire_foreign(&layout::foreign_uploads(name), expiry).await?;
        }
        if own + foreign > 0 {
            tracing::info!(own, foreign, dry_run, "old uploads were thrown away");
        }
        Ok(own + foreign)
    }

    async fn expire_own(&self, expiry: UploadExpiry) -> Result<usize, StorageError> {
        let mut expired = 0;
        let mut unread = vec![layout::all_uploads()];
        let mut prefixes = Vec::new();
        while let Some(prefix) = unread.pop() {
            for child in self.storage().children(&prefix).await? {
                let key = prefix.join(&child.name);
                if child.is_prefix {
                    unread.push(key);
                } else if (self.is_old(&key, expiry.age).await? || self.is_broken_fetch(&key).await?)
                    && !self.0.sessions.is_in_use(&key, expiry.age)
                    && (expiry.dry_run || self.throw_away(&key).await?)
                {
                    expired += 1;
                }
            }
            prefixes.push(prefix);
        }
        if expiry.dry_run {
            return Ok(expired);
        }
        // The deepest came last; the root of all stays.
        for prefix in prefixes.iter().skip(1).rev() {
            self.storage().remove_empty_prefixes(std::slice::from_ref(prefix)).await?;
        }
        Ok(expired)
    }

    /// Whether a session is what another process has begun to fetch from an upstream: nobody goes on with that.
    async fn is_broken_fetch(&self, key: &Key) -> Result<bool, StorageError> {
        let is_filled = layout::uploading_repository(key).is_some_and(|name| self.filling(&name).is_some());
        let modified = if is_filled { self.storage().stat(key).await?.map(|stat| stat.modified) } else { None };
        Ok(modified.is_some_and(|modified| modified + TICK < self.0.beginning.date))
    }

    async fn throw_away(&self, key: &Key) -> Result<bool, StorageError> {
        let is_gone = self.0.sessions.forget(key) && self.storage().discard_staging(key).await?;
        if is_gone {
            self.notify(&Event::UploadExpired);
        }
        Ok(is_gone)
    }

    async fn expire_foreign(&self, uploads: &Key, expiry: UploadExpiry) -> Result<usize, StorageError> {
        let mut expired = 0;
        for child in self.storage().children(uploads).await? {
            let upload = uploads.join(&child.name);
            // One without a date is as old as this process at the most.
            let youngest = self.youngest(&upload).await?;
            if self.is_of_another_writer(youngest) {
                tracing::error!(%uploads, "another registry writes to this store at the same time: stop one of the two");
            }
            if is_older(youngest.unwrap_or(self.0.beginning.date), expiry.age) {
                expired += 1;
                if !expiry.dry_run {
                    self.storage().delete_tree(&upload).await?;
                    self.notify(&Event::UploadExpired);
                }
            }
        }
        Ok(expired)
    }

    /// Whether another registry has an upload in a repository that is younger than `age`.
    ///
    /// # Errors
    /// The error of the store.
    pub(super) async fn has_foreign_uploads(&self, name: &RepositoryName, age: Duration) -> Result<bool, StorageError> {
        let uploads = layout::foreign_uploads(name);
        for child in self.storage().children(&uploads).await? {
            let youngest = self.youngest(&uploads.join(&child.name)).await?;
            if youngest.is_some_and(|youngest| youngest.elapsed().map_or(true, |passed| passed < age)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether another registry writes to a repository while this one serves.
    ///
    /// # Errors
    /// The error of the store.
    pub(super) async fn has_another_writer(&self, name: &RepositoryName) -> Result<bool, StorageError> {
        let uploads = layout::foreign_uploads(name);
        for child in self.storage().children(&uploads).await? {
            let youngest = self.youngest(&uploads.join(&child.name)).await?;
            if self.is_of_another_writer(youngest) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_of_another_writer(&self, youngest: Option<SystemTime>) -> bool {
        youngest.is_some_and(|youngest| youngest > self.0.beginning.date)
    }

    /// When the last byte of another registry's upload came.
    async fn youngest(&self, upload: &Key) -> Result<Option<SystemTime>, StorageError> {
        let mut youngest = None;
        for object in ["data", "startedat"] {
            let stat = self.storage().stat(&upload.join(object)).await?;
            youngest = youngest.max(stat.map(|stat| stat.modified));
        }
        Ok(youngest)
    }

    async fn is_old(&self, key: &Key, age: Duration) -> Result<bool, StorageError> {
        Ok(self.storage().stat(key).await?.is_some_and(|stat| is_older(stat.modified, age)))
    }
}

/// A clock that was set back makes nothing old.
fn is_older(modified: SystemTime, age: Duration) -> bool {
    modified.elapsed().is_ok_and(|passed| passed > age)
}
