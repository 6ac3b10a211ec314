//! Syncs of what a long upload has written so far, while more of it comes: then the last one, which the client waits for, has little to do.

use std::{fs::File, path::Path, sync::Arc};

use super::{super::StorageError, job::Job, volume::Volume};

/// After how many bytes there is another one, if the last has ended. The shorter it is, the less is left for the last sync, and the more
/// processor time they take together.
const INTERVAL: u64 = 64 * 1024 * 1024;

/// The early syncs of one file: one at a time.
#[derive(Debug, Default)]
pub(super) struct EarlySyncs {
    begun_at: u64,
    running: Option<Arc<Job>>,
}

impl EarlySyncs {
    /// Begins one, if it is time: `len` bytes are written.
    ///
    /// # Errors
    /// What the one before has met. The kernel says so only once, so it must not be lost.
    pub(super) fn begin_if_due(
        &mut self,
        volume: &Arc<Volume>,
        file: &Arc<File>,
        path: &Path,
        len: u64,
    ) -> Result<(), StorageError> {
        if len - self.begun_at < INTERVAL || !volume.syncs.are_on() {
            return Ok(());
        }
        if let Some(job) = &self.running {
            let Some(outcome) = job.outcome() else { return Ok(()) };
            outcome?;
        }
        self.begun_at = len;
        let (volume, file, path) = (volume.clone(), file.clone(), path.to_owned());
        self.running = Some(Job::begin(Box::new(move || volume.syncs.data(&file, &path))));
        Ok(())
    }

    /// Waits for the one that runs, to be followed by a sync of everything.
    ///
    /// # Errors
    /// What it met.
    pub(super) fn end(&mut self) -> Result<(), StorageError> {
        self.running.take().map_or(Ok(()), |job| job.end())
    }
}
