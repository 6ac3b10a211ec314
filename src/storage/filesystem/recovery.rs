//! What is done after a start while reads are already answered.

use std::{ffi::OsString, fs, io, path::Path, sync::Arc};

use tokio::sync::watch;

use super::{
    super::StorageError,
    hash_state::SavedHash,
    volume::{Volume, hashes, temporary},
};

/// Whether the start has gone so far that writes may be answered.
#[derive(Clone, Debug)]
pub(super) struct WriteGate(watch::Receiver<State>);

#[derive(Clone, Debug)]
enum State {
    Closed,
    Open,
    Failed(io::ErrorKind, String),
}

impl WriteGate {
    /// Begins with what is to be done after a start: to sync what an earlier process left visible, as it may have been killed
    /// between a rename and its sync; and then to remove its temporary files.
    pub(super) fn begin(volume: &Arc<Volume>) -> Self {
        let (state, gate) = watch::channel(if volume.read_only { State::Open } else { State::Closed });
        if !volume.read_only {
            // Listed before the first write, so that nothing of this process is among them.
            let leftovers = names_in(&temporary(&volume.base()));
            let volume = volume.clone();
            tokio::task::spawn_blocking(move || {
                let synced = volume.syncs.everything(&volume.base());
                state.send_replace(after(synced));
                let base = volume.base();
                // What is removed is nobody's, so the lock need not wait for it.
                drop(volume);
                clean(&base, leftovers);
            });
        }
        Self(gate)
    }

    /// Waits until writes may be answered.
    ///
    /// # Errors
    /// What the sync met. It is not tried again: no later sync would tell what was lost, so nothing may build on it until the
    /// store is opened anew.
    pub(super) async fn wait(&self, root: &Path) -> Result<(), StorageError> {
        if let State::Open = *self.0.borrow() {
            return Ok(());
        }
        let gone = || StorageError::io("syncfs", root, io::Error::other("the sync at the start was broken off"));
        let mut gate = self.0.clone();
        let state = gate.wait_for(|state| !matches!(state, State::Closed)).await.map_err(|_| gone())?;
        match &*state {
            State::Failed(kind, text) => Err(StorageError::io("syncfs", root, io::Error::new(*kind, text.clone()))),
            State::Open | State::Closed => Ok(()),
        }
    }
}

fn after(synced: Result<(), StorageError>) -> State {
    let Err(error) = synced else { return State::Open };
    tracing::error!(%error, "what an earlier process left could not be synced: no write is taken until the next start");
    match error {
        StorageError::Io { source, .. } => State::Failed(source.kind(), source.to_string()),
        other => State::Failed(io::ErrorKind::Other, other.to_string()),
    }
}

fn clean(base: &Path, leftovers: Vec<OsString>) {
    for name in leftovers {
        remove_any(&temporary(base).join(name));
    }
    for name in names_in(&hashes(base)) {
        let path = hashes(base).join(name);
        // A staged object keeps its state; a name is never staged twice, so none can come to be meanwhile.
        let staged = SavedHash::key_at(&path).map(|key| base.join(key));
        if !staged.is_some_and(|staged| staged.exists()) {
            remove_any(&path);
        }
    }
}

/// Removes a file, or a directory and all below it. What can't be removed is left for the next start.
pub(super) fn remove_any(path: &Path) {
    let removed = match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    if let Err(error) = removed
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "a leftover can't be removed");
    }
}

/// The names in a directory, none if it can't be read.
pub(super) fn names_in(directory: &Path) -> Vec<OsString> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect()
}
