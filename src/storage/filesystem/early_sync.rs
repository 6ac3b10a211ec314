//! Syncs of what a long upload has written so far, while more of it comes: then the last one, which the client waits for, has little to do.

use std::{
    fs::File,
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use super::{super::StorageError, volume::Volume};

/// After how many bytes there is another one, if the last has ended.
const INTERVAL: u64 = 16 * 1024 * 1024;

/// The early syncs of one file: one at a time.
#[derive(Debug, Default)]
pub(super) struct EarlySyncs {
    begun_at: u64,
    running: Option<Arc<Job>>,
}

/// One that runs on a thread of its own, or is about to.
#[derive(Debug, Default)]
struct Job {
    /// Whether it has begun, or shall not any more.
    is_claimed: AtomicBool,
    outcome: OnceLock<Result<(), StorageError>>,
}

impl EarlySyncs {
    /// Begins one, if it is time: `len` bytes are written.
    ///
    /// # Errors
    /// What the one before has met. The kernel says so only once, so it must not be lost.
    pub(super) fn go_on(
        &mut self,
        volume: &Arc<Volume>,
        file: &Arc<File>,
        path: &Path,
        len: u64,
    ) -> Result<(), StorageError> {
        if len - self.begun_at < INTERVAL || !volume.syncs.are_on() {
            return Ok(());
        }
        match self.running.as_ref().map(|job| job.outcome.get()) {
            Some(None) => return Ok(()),
            Some(Some(Err(error))) => return Err(error.again()),
            Some(Some(Ok(()))) | None => {}
        }
        self.begun_at = len;
        let job = Arc::<Job>::default();
        self.running = Some(job.clone());
        let (volume, file, path) = (volume.clone(), file.clone(), path.to_owned());
        tokio::task::spawn_blocking(move || {
            if !job.is_claimed.swap(true, SeqCst) {
                // Nobody else sets it.
                let _ = job.outcome.set(volume.syncs.data(&file, &path));
            }
        });
        Ok(())
    }

    /// Waits for the one that runs, to be followed by a sync of everything.
    ///
    /// # Errors
    /// What it met.
    pub(super) fn end(&mut self) -> Result<(), StorageError> {
        let Some(job) = self.running.take() else { return Ok(()) };
        if !job.is_claimed.swap(true, SeqCst) {
            // It waits for a thread, perhaps for this one.
            return Ok(());
        }
        match job.outcome.wait() {
            Ok(()) => Ok(()),
            Err(error) => Err(error.again()),
        }
    }
}
