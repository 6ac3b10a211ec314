//! Recovery after a start, while reads are already answered.

use std::{ffi::OsString, io, path::Path, sync::Arc};

use tokio::sync::watch;

use super::{
    super::StorageError,
    hash_state::SavedHash,
    leftovers::{names_in, remove_any},
    own_location::{hashes, temporary},
    volume::Volume,
};

/// Holds back writes until recovery has synced the store.
#[derive(Clone, Debug)]
pub(super) struct WriteGate(watch::Receiver<State>);

#[derive(Clone, Debug)]
enum State {
    Closed,
    Open,
    Failed(io::ErrorKind, String),
}

impl WriteGate {
    /// Begins recovery. It syncs everything that an earlier process left visible, since that process may have been
    /// killed between a rename and its sync, and then removes its temporary files.
    pub(super) fn begin(volume: &Arc<Volume>) -> Self {
        let (state, gate) = watch::channel(if volume.read_only { State::Open } else { State::Closed });
        if !volume.read_only {
            // Listed before the first write, so that no file of this process is among them.
            let leftovers = names_in(&temporary(&volume.base()));
            let volume = volume.clone();
            tokio::task::spawn_blocking(move || {
                let synced = volume.syncs.everything(&volume.base());
                state.send_replace(after(synced));
                let base = volume.base();
                // Nobody uses the leftovers, so the lock need not wait for their removal.
                drop(volume);
                clean(&base, leftovers);
            });
        }
        Self(gate)
    }

    /// Waits until writes may be answered.
    ///
    /// # Errors
    /// The error of the sync. It is not tried again: a later sync would not report the loss, so no write may rely on
    /// the store until it is opened again.
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
        // A staged object keeps its saved hash. No key is staged twice, so none of these keys can be staged meanwhile.
        let staged = SavedHash::key_at(&path).map(|key| base.join(key));
        if !staged.is_some_and(|staged| staged.exists()) {
            remove_any(&path);
        }
    }
}
