//! Syncs a long upload while it is received, so that the last sync, for which the client waits, has little to write.

use std::{fs::File, path::Path, sync::Arc};

use super::{super::StorageError, job::Job, volume::Volume};

/// The bytes between two syncs, if the first has ended by then. A shorter interval leaves less for the last sync, and
/// takes more processor time in total.
const INTERVAL: u64 = 64 * 1024 * 1024;

/// The early syncs of one file. One runs at a time.
#[derive(Debug, Default)]
pub(super) struct EarlySyncs {
    begun_at: u64,
    running: Option<Arc<Job>>,
}

impl EarlySyncs {
    /// Begins a sync if one is due after `len` bytes.
    ///
    /// # Errors
    /// The error of the previous sync. The kernel reports it only once, so it must not be lost.
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

    /// Waits for the running sync. The caller must sync the whole file afterwards.
    ///
    /// # Errors
    /// The error of that sync.
    pub(super) fn end(&mut self) -> Result<(), StorageError> {
        self.running.take().map_or(Ok(()), |job| job.end())
    }
}
