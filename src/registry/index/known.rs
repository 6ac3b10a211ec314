//! Lists that are read from the store when they are first needed, and kept current by every change from then on.
//!
//! Reading a list may take long. Only the requests for the list wait for it: the repository is locked exclusively when
//! the reading begins and when it ends, and not in between. Changes made during the reading are queued here, and
//! applied after it. Each change holds the exclusive lock until it is in the store. So every entry is right: an entry
//! that did not change was read as it is, and the last change of an entry that did change says what it is.

use super::RepositoryState;
use crate::{
    registry::{Repository, index::Shared},
    storage::StorageError,
};

/// How many changes are queued while a list is read. If there are more, or the reader went away, the list is read
/// again.
const CHANGES: usize = 10_000;

/// A list that is made from what is in the store.
pub(in crate::registry) trait List: Default + Send + Sync + 'static {
    /// Its changes.
    type Change: Send + Sync;

    /// Where it is kept.
    fn of(state: &mut RepositoryState) -> &mut Known<Self>;

    /// The list, if it is known.
    fn seen(state: &RepositoryState) -> Option<&Self>;

    /// Makes it from what is in the store, and from an earlier list if that is known. Others may change the store
    /// meanwhile.
    fn read(repository: &Repository, before: Option<Self>) -> impl Future<Output = Result<Self, StorageError>> + Send;

    /// Follows a change. To follow one twice must be the same as once.
    fn apply(&mut self, change: Self::Change);
}

/// The state of a list in memory.
#[derive(Debug, Default)]
pub(in crate::registry) enum Known<L: List> {
    /// Nothing.
    #[default]
    Nothing,
    /// It is being read; this has changed since that began.
    Changes(Vec<L::Change>),
    /// All of it.
    All(L),
}

impl<L: List> Known<L> {
    /// All of it, if it is known.
    pub(in crate::registry) fn all(&self) -> Option<&L> {
        if let Self::All(list) = self { Some(list) } else { None }
    }

    /// Follows a change that is in the store. The caller has the exclusive lock.
    pub(in crate::registry) fn note(&mut self, change: L::Change) {
        match self {
            Self::Nothing => {}
            Self::Changes(changes) if changes.len() >= CHANGES => *self = Self::Nothing,
            Self::Changes(changes) => changes.push(change),
            Self::All(list) => list.apply(change),
        }
    }

    /// The reading begins.
    fn begin(&mut self) {
        if self.all().is_none() {
            *self = Self::Changes(Vec::new());
        }
    }

    /// The reading has ended; whether all of it is known now. It is not if a change failed meanwhile, or there were too
    /// many.
    fn end(&mut self, mut read: L) -> bool {
        if let Self::Changes(changes) = self {
            for change in std::mem::take(changes) {
                read.apply(change);
            }
            *self = Self::All(read);
        }
        self.all().is_some()
    }
}

impl Repository {
    /// Locks the repository, shared, with a list of it known. Changes to the repository do not wait while the list is
    /// read.
    pub(in crate::registry) async fn with<L: List>(&self) -> Result<Shared, StorageError> {
        if self.storage().is_shared() {
            return self.read_anew::<L>().await;
        }
        let state = self.locks().shared(&self.name).await;
        if L::seen(&state).is_some() {
            return Ok(state);
        }
        drop(state);
        // One request reads the list, and the others wait for it.
        let _listing = self.locks().listing(&self.name).await;
        let mut state = self.locks().exclusive(&self.name).await;
        if L::seen(&state).is_none() {
            L::of(&mut state).begin();
            drop(state);
            let read = L::read(self, None).await;
            state = self.locks().exclusive(&self.name).await;
            if !L::of(&mut state).end(read?) {
                self.know::<L>(&mut state).await?;
            }
        }
        Ok(state.downgrade())
    }

    /// Makes a list known for a caller that has the exclusive lock. Others wait for that, unless it was known already:
    /// see [`Repository::with`].
    pub(in crate::registry) async fn know<'a, L: List>(
        &self,
        state: &'a mut RepositoryState,
    ) -> Result<&'a L, StorageError> {
        if L::seen(state).is_none() || self.storage().is_shared() {
            *L::of(state) = Known::All(L::read(self, None).await?);
        }
        Ok(L::seen(state).expect("it has just been read"))
    }

    /// [`Repository::with`], where another process may have changed the list since it was read.
    async fn read_anew<L: List>(&self) -> Result<Shared, StorageError> {
        let _listing = self.locks().listing(&self.name).await;
        let before = std::mem::take(L::of(&mut *self.locks().exclusive(&self.name).await));
        let before = if let Known::All(list) = before { Some(list) } else { None };
        let read = L::read(self, before).await?;
        let mut state = self.locks().exclusive(&self.name).await;
        *L::of(&mut state) = Known::All(read);
        Ok(state.downgrade())
    }
}

#[cfg(test)]
mod tests;
