//! From the async worker that receives a body to the blocking thread that hashes and writes it.
//!
//! The writer takes a thread only while there is something to write: one that waits for a slow client gives it back after a
//! short while, so that any number of stalled uploads can't take all the threads that reads need too.

use std::{
    collections::VecDeque,
    io,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::Notify;

use super::{super::StorageError, content::Content, leases::Lease, volume::Volume};

/// How many batches may wait.
const DEPTH: usize = 1;

/// How many batches of an upload are in memory at most: one more is being written, and one filled.
pub(super) const BATCHES: usize = DEPTH + 2;

/// How long a writer waits for more before it gives its thread back.
const LINGER: Duration = Duration::from_millis(50);

/// What the holder of a staged object and its writer share.
#[derive(Debug)]
pub(super) struct WriteQueue {
    pub(super) volume: Arc<Volume>,
    lease: Lease,
    state: Mutex<State>,
    /// Tells the writer that there is a batch, or that there will be none.
    arrived: Condvar,
    /// Tells the holder that there is room, or that the writer has ended.
    progress: Notify,
}

#[derive(Debug)]
struct State {
    batches: VecDeque<Vec<Bytes>>,
    /// Whether nothing more is to be expected for now.
    is_closed: bool,
    /// Whether the content is out of here, with a writer.
    is_locked: bool,
    /// `None` while it is out, and when it is gone.
    content: Option<Content>,
    failure: Option<StorageError>,
}

/// The content, out of the queue, in the hands of the only one who may touch it. Goes back when this is dropped.
#[derive(Debug)]
pub(super) struct ContentGuard {
    queue: Arc<WriteQueue>,
    content: Option<Content>,
    is_returned: bool,
}

impl WriteQueue {
    /// The pipe to `content`.
    pub(super) fn new(volume: Arc<Volume>, lease: Lease, content: Content) -> Arc<Self> {
        let state = State {
            batches: VecDeque::new(),
            is_closed: true,
            is_locked: false,
            content: Some(content),
            failure: None,
        };
        Arc::new(Self { volume, lease, state: Mutex::new(state), arrived: Condvar::new(), progress: Notify::new() })
    }

    /// Hands over a batch, once there is room for it.
    ///
    /// # Errors
    /// What the writer met.
    pub(super) async fn send(self: &Arc<Self>, batch: Vec<Bytes>) -> Result<(), StorageError> {
        let mut batch = Some(batch);
        loop {
            if let Some(guard) = self.try_send(&mut batch)? {
                tokio::task::spawn_blocking(move || guard.write());
            }
            if batch.is_none() {
                return Ok(());
            }
            self.progress.notified().await;
        }
    }

    /// Waits until everything that was handed over is written, and takes the content out.
    ///
    /// # Errors
    /// What the writer met.
    pub(super) async fn lock(self: &Arc<Self>) -> Result<ContentGuard, StorageError> {
        loop {
            {
                let mut state = self.state();
                if !state.is_locked {
                    return self.take_content(&mut state);
                }
                state.is_closed = true;
                self.arrived.notify_one();
            }
            self.progress.notified().await;
        }
    }

    /// The holder is gone: the writer ends what it was given. What is held, if there is something, is short, and is written here.
    pub(super) fn abandon(&self) {
        let mut state = self.state();
        state.is_closed = true;
        if let Some(content) = &mut state.content
            && let Err(error) = content.flush()
        {
            tracing::warn!(%error, "the end of an upload can't be written");
            content.remove(&self.volume);
            state.content = None;
        }
        drop(state);
        self.arrived.notify_one();
        self.lease.holder_is_gone();
    }

    /// How much content there is, if no writer is at work.
    pub(super) fn len(&self) -> Option<u64> {
        self.state().content.as_ref().map(Content::len)
    }

    /// The content, if no writer is at work.
    ///
    /// # Errors
    /// What the writer met.
    pub(super) fn try_lock(self: &Arc<Self>) -> Result<Option<ContentGuard>, StorageError> {
        let mut state = self.state();
        if state.is_locked { Ok(None) } else { self.take_content(&mut state).map(Some) }
    }

    /// Queues the batch if there is room; gives the guard if there is no writer at work.
    fn try_send(self: &Arc<Self>, batch: &mut Option<Vec<Bytes>>) -> Result<Option<ContentGuard>, StorageError> {
        let mut state = self.state();
        let guard = if state.is_locked { None } else { Some(self.take_content(&mut state)?) };
        state.is_closed = false;
        if state.batches.len() < DEPTH {
            state.batches.extend(batch.take());
            self.arrived.notify_one();
        }
        Ok(guard)
    }

    fn take_content(self: &Arc<Self>, state: &mut State) -> Result<ContentGuard, StorageError> {
        if let Some(failure) = state.failure.take() {
            return Err(failure);
        }
        let Some(content) = state.content.take() else {
            let path = self.volume.path(self.lease.key());
            return Err(StorageError::io("use the staged object", &path, io::Error::from(io::ErrorKind::NotFound)));
        };
        state.is_locked = true;
        Ok(ContentGuard { queue: self.clone(), content: Some(content), is_returned: false })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ContentGuard {
    /// Does something to the content that must not fail: if it does, the content is removed.
    ///
    /// # Errors
    /// What was met.
    pub(super) fn run<T>(
        &mut self,
        work: impl FnOnce(&Arc<Volume>, &mut Content) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let volume = self.queue.volume.clone();
        let Some(content) = &mut self.content else { unreachable!("the content is here until it is gone") };
        work(&volume, content).inspect_err(|_| self.discard())
    }

    /// As [`ContentGuard::run`], for content that has not been promoted: where the disk is full, what was durable before stays.
    ///
    /// # Errors
    /// What was met.
    pub(super) fn run_or_roll_back<T>(
        &mut self,
        work: impl FnOnce(&Arc<Volume>, &mut Content) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let volume = self.queue.volume.clone();
        let Some(content) = &mut self.content else { unreachable!("the content is here until it is gone") };
        work(&volume, content).inspect_err(|error| self.give_up(error))
    }

    /// Removes the content, unless the disk is full: then it goes back to what was durable.
    pub(super) fn give_up(&mut self, error: &StorageError) {
        if !matches!(error, StorageError::Full)
            || self.content.as_mut().is_some_and(|content| content.roll_back().is_err())
        {
            self.discard();
        }
    }

    /// [`Content::hold`].
    pub(super) fn buffer(&mut self, pieces: Vec<Bytes>) -> Result<(), Vec<Bytes>> {
        match &mut self.content {
            Some(content) => content.buffer(pieces),
            None => Err(pieces),
        }
    }

    /// The content, to look at.
    pub(super) fn content(&self) -> Option<&Content> {
        self.content.as_ref()
    }

    /// Removes the content.
    pub(super) fn discard(&mut self) {
        if let Some(content) = self.content.take() {
            content.remove(&self.queue.volume);
        }
    }

    /// The content is no longer a staged object.
    pub(super) fn promoted(mut self) {
        self.content = None;
    }

    /// Writes batch after batch.
    fn write(mut self) {
        while let Some(batch) = self.next() {
            if let Err(error) = self.run_or_roll_back(|volume, content| content.write(volume, batch)) {
                let mut state = self.queue.state();
                state.failure = Some(error);
                state.batches.clear();
                // In the same moment, so that no batch can come between.
                self.is_returned = true;
                state.content = self.content.take();
                state.is_locked = false;
                self.queue.progress.notify_one();
                return;
            }
        }
    }

    /// The next batch, or, in the same moment, the content's way back.
    fn next(&mut self) -> Option<Vec<Bytes>> {
        let mut state = self.queue.state();
        loop {
            if let Some(batch) = state.batches.pop_front() {
                self.queue.progress.notify_one();
                return Some(batch);
            }
            if !state.is_closed {
                let waited = self.queue.arrived.wait_timeout(state, LINGER);
                let timeout;
                (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                if !timeout.timed_out() || !state.batches.is_empty() {
                    continue;
                }
            }
            self.is_returned = true;
            state.content = self.content.take();
            state.is_locked = false;
            self.queue.progress.notify_one();
            return None;
        }
    }
}

impl Drop for ContentGuard {
    fn drop(&mut self) {
        if self.is_returned {
            return;
        }
        let was_broken_off = std::thread::panicking() || !self.queue.state().batches.is_empty();
        if was_broken_off {
            // What was written and what was hashed may differ.
            self.discard();
        }
        let mut state = self.queue.state();
        if was_broken_off {
            let error = io::Error::other("the writer was broken off");
            state.failure.get_or_insert(StorageError::io("write", Path::new(self.queue.lease.key().as_str()), error));
            state.batches.clear();
        }
        state.content = self.content.take();
        state.is_locked = false;
        self.queue.progress.notify_one();
    }
}
