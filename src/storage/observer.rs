//! Reports of a store's actions, for metrics.

use std::{
    fmt::Debug,
    future::poll_fn,
    pin::pin,
    time::{Duration, Instant},
};

use super::{Storage, StorageError};

/// A kind of action. The names are those of the label `action` in registry:2's metric
/// `registry_storage_action_seconds`, except for [`Action::Sync`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Reads a whole small object.
    GetContent,
    /// Writes small objects, or makes prefixes.
    PutContent,
    /// Opens an object for reading.
    Reader,
    /// Begins or resumes a staged object.
    Writer,
    /// Reads or changes the metadata of an object.
    Stat,
    /// Lists a prefix.
    List,
    /// Renames an object, or commits staged content.
    Move,
    /// Deletes an object, a tree, a staged object or an empty prefix.
    Delete,
    /// One sync system call. It is part of another action, or of the start.
    Sync,
}

/// Receives the actions of a store.
///
/// Each call of [`Storage`] is one action, also a call for many keys or a commit of many steps. A call
/// whose caller went away before its end is not reported. The methods must return quickly: the caller waits for them.
pub trait Observer: Debug + Send + Sync {
    /// An action has ended, and its caller waited for it so long: not at all, if the answer was in memory. A call for
    /// many keys reports the first error among its answers.
    fn action(&self, action: Action, took: Duration, outcome: Result<(), &StorageError>);
}

/// The answer of an action.
pub(super) trait Outcome {
    /// Whether it failed.
    fn outcome(&self) -> Result<(), &StorageError>;
}

impl<T> Outcome for Result<T, StorageError> {
    fn outcome(&self) -> Result<(), &StorageError> {
        self.as_ref().map(|_| ())
    }
}

impl<T> Outcome for Vec<Result<T, StorageError>> {
    fn outcome(&self) -> Result<(), &StorageError> {
        self.iter().try_for_each(Outcome::outcome)
    }
}

impl Storage {
    /// Awaits `call`, and reports it, with the time that it waited. No clock is read without an observer, nor for a call
    /// that is answered from memory: that takes less time than the reading.
    pub(super) async fn observed<T: Outcome>(&self, action: Action, call: impl Future<Output = T>) -> T {
        let Some(observer) = &self.observer else { return call.await };
        let (mut call, mut waiting) = (pin!(call), None);
        let answer = poll_fn(|context| {
            let poll = call.as_mut().poll(context);
            if poll.is_pending() {
                waiting.get_or_insert_with(Instant::now);
            }
            poll
        });
        let answer = answer.await;
        let took = waiting.map_or(Duration::ZERO, |waiting| waiting.elapsed());
        observer.action(action, took, answer.outcome());
        answer
    }
}
