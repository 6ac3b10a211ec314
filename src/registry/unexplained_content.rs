//! Whether the repositories of a store were there when wharf began to record them.
//!
//! Content that no repository explains at that time may belong to repositories that are only out of reach. A mark says
//! so from then on, across starts and pushes, until the operator says that they were removed, or until they are back
//! before anything is pushed.

use super::{
    Registry, layout,
    repository_records::{BEGUN, ContentOrigin, RepositoryRecords, UNEXPLAINED},
};
use crate::storage::{Key, StorageError};

impl Registry {
    /// Marks content that no repository explains. To be done before anything is pushed, because a push makes a record
    /// and a repository.
    ///
    /// # Errors
    /// The error of the store; nothing may be pushed then.
    pub async fn mark_unexplained(&self) -> Result<(), StorageError> {
        // A bucket has no record of repositories.
        if self.is_read_only() || self.storage().is_shared() || self.origin().await? != ContentOrigin::Unknown {
            return Ok(());
        }
        if !self.may_have_content().await {
            // A store that is full, or can't be written, has nothing to lose yet.
            if let Err(error) = self.mark(BEGUN).await {
                tracing::warn!(%error, "the record of repositories can't be begun; the next collection tries it again");
            }
            return Ok(());
        }
        if self.some_repository(false).await {
            return Ok(());
        }
        tracing::error!("the store has content, and no repository: nothing is collected until that is explained");
        self.mark(UNEXPLAINED).await
    }

    /// Begins the record if it has not begun, and lifts the mark if the repositories were brought back before anything
    /// was pushed.
    ///
    /// # Errors
    /// The error of the store.
    pub(super) async fn begin_record(&self) -> Result<(), StorageError> {
        match self.origin().await? {
            ContentOrigin::Unknown => {
                if !self.may_have_content().await || self.some_repository(false).await {
                    return self.mark(BEGUN).await;
                }
                self.mark(UNEXPLAINED).await
            }
            ContentOrigin::Explained => self.mark(BEGUN).await,
            ContentOrigin::Unexplained => {
                // In this order: wharf makes the record of a repository before the first link into it.
                let is_linked = self.some_repository(true).await;
                if !self.may_have_content().await || (is_linked && !self.has_records().await?) {
                    self.lift_unexplained().await?;
                }
                Ok(())
            }
        }
    }

    /// Takes the word that the content belongs to nobody, or that all repositories are back.
    ///
    /// # Errors
    /// The error of the store.
    pub(super) async fn lift_unexplained(&self) -> Result<(), StorageError> {
        self.mark(BEGUN).await?;
        self.storage().remove_empty_prefixes(&[layout::records().then(UNEXPLAINED)]).await?;
        Ok(())
    }

    async fn mark(&self, mark: &str) -> Result<(), StorageError> {
        self.storage().make_prefixes(&[layout::records().then(mark)]).await
    }

    async fn origin(&self) -> Result<ContentOrigin, StorageError> {
        Ok(RepositoryRecords::origin_in(&self.storage().children(&layout::records()).await?))
    }

    async fn has_records(&self) -> Result<bool, StorageError> {
        Ok(self.storage().children(&layout::records()).await?.iter().any(|child| !child.name.starts_with('_')))
    }

    /// Whether there is content; what can't be read may be some.
    async fn may_have_content(&self) -> bool {
        let mut unread = vec![(0, layout::all_contents())];
        while let Some((depth, key)) = unread.pop() {
            match self.storage().children(&key).await {
                Ok(children) if depth < 2 => {
                    unread.extend(children.iter().map(|child| (depth + 1, key.join(&child.name))));
                }
                Ok(children) if children.is_empty() => {}
                Ok(_) | Err(_) => return true,
            }
        }
        false
    }

    /// Whether there is any repository, or any with a link. A repository that can't be read counts as none.
    async fn some_repository(&self, linked: bool) -> bool {
        let root = layout::repositories();
        let mut unread: Vec<(String, Key)> = vec![(String::new(), root)];
        while let Some((path, key)) = unread.pop() {
            let children = self.storage().children(&key).await.unwrap_or_default();
            let is_part = children.iter().any(|child| child.is_prefix && child.name.starts_with('_'));
            if let (true, Ok(name)) = (is_part, path.parse())
                && (!linked || self.repository(name).has_any_link().await.unwrap_or(false))
            {
                return true;
            }
            for child in children.into_iter().filter(|child| child.is_prefix && !child.name.starts_with('_')) {
                let slash = if path.is_empty() { "" } else { "/" };
                unread.push((format!("{path}{slash}{}", child.name), key.join(&child.name)));
            }
        }
        false
    }
}
