//! The queue from the async worker that receives a body to the blocking thread that hashes and writes it.
//!
//! A writer uses a thread only while it has something to write. If the client is slow, the writer gives the thread back
//! after a short time. So no number of stalled uploads can take all threads, which reads need too.

use std::{
    collections::VecDeque,
    io,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::Notify;

use super::{
    super::{Result, StorageError},
    content::Content,
    leases::Lease,
    volume::Volume,
};

/// How many batches may wait.
const DEPTH: usize = 1;

/// The most batches of an upload in memory: those that wait, one that is being written, and one that is being filled.
pub(super) const BATCHES: usize = DEPTH + 2;

/// How long a writer waits for more before it gives its thread back.
const LINGER: Duration = Duration::from_millis(50);

/// State that the holder of a staged object shares with its writer.
#[derive(Debug)]
pub(super) struct WriteQueue {
    pub(super) volume: Arc<Volume>,
    lease: Lease,
    state: Mutex<State>,
    /// Wakes the writer: a batch has arrived, or none will.
    arrived: Condvar,
    /// Wakes the holder: there is room, or the writer has ended.
    progress: Notify,
}

#[derive(Debug)]
struct State {
    batches: VecDeque<Vec<Bytes>>,
    /// Whether no batch is expected for now.
    is_closed: bool,
    /// Whether a [`ContentGuard`] has the content.
    is_locked: bool,
    /// `None` while it is locked, and when it is gone.
    content: Option<Content>,
    failure: Option<StorageError>,
}

/// Exclusive access to the content. When this is dropped, the content goes back.
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
    /// The error of the writer.
    pub(super) async fn send(self: &Arc<Self>, batch: Vec<Bytes>) -> Result<()> {
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

    /// Waits until every batch is written, and locks the content.
    ///
    /// # Errors
    /// The error of the writer.
    pub(super) async fn lock(self: &Arc<Self>) -> Result<ContentGuard> {
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

    /// The holder is gone: the writer finishes its batches. Buffered bytes are few, so they are written on this thread.
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
    /// The error of the writer.
    pub(super) fn try_lock(self: &Arc<Self>) -> Result<Option<ContentGuard>> {
        let mut state = self.state();
        if state.is_locked { Ok(None) } else { self.take_content(&mut state).map(Some) }
    }

    /// Queues the batch if there is room; returns the guard if no writer is running.
    fn try_send(self: &Arc<Self>, batch: &mut Option<Vec<Bytes>>) -> Result<Option<ContentGuard>> {
        let mut state = self.state();
        let guard = if state.is_locked { None } else { Some(self.take_content(&mut state)?) };
        state.is_closed = false;
        if state.batches.len() < DEPTH {
            state.batches.extend(batch.take());
            self.arrived.notify_one();
        }
        Ok(guard)
    }

    fn take_content(self: &Arc<Self>, state: &mut State) -> Result<ContentGuard> {
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
    /// Does work on the content. If the work fails, the content is deleted.
    ///
    /// # Errors
    /// The error of the work.
    pub(super) fn run<T>(&mut self, work: impl FnOnce(&Arc<Volume>, &mut Content) -> Result<T>) -> Result<T> {
        let volume = self.queue.volume.clone();
        let Some(content) = &mut self.content else { unreachable!("the content is here until it is gone") };
        work(&volume, content).inspect_err(|_| self.discard())
    }

    /// As [`ContentGuard::run`], for content that was not promoted. If the disk is full, its durable part stays.
    ///
    /// # Errors
    /// The error of the work.
    pub(super) fn run_or_roll_back<T>(
        &mut self,
        work: impl FnOnce(&Arc<Volume>, &mut Content) -> Result<T>,
    ) -> Result<T> {
        let volume = self.queue.volume.clone();
        let Some(content) = &mut self.content else { unreachable!("the content is here until it is gone") };
        work(&volume, content).inspect_err(|error| self.give_up(error))
    }

    /// Deletes the content. If `error` says that the disk is full, the content goes back to its durable part instead.
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

    /// The content, if it is not gone.
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
                // Under the same lock, so that no batch can arrive in between.
                self.is_returned = true;
                state.content = self.content.take();
                state.is_locked = false;
                self.queue.progress.notify_one();
                return;
            }
        }
    }

    /// The next batch. If there is none, gives the content back under the same lock.
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
            // The file and the hash may differ.
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
