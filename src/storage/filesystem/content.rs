//! The file of a staged object, and the hash of the bytes in it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, IoSlice},
    mem,
    os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::PathBuf,
    sync::Arc,
};

use bytes::Bytes;
use rustix::{fs::OFlags, io::pwritev};

use super::{
    super::{Condition, Key, Object, Result, StorageError},
    directories::{ATTEMPTS, is_in_the_way},
    early_sync::EarlySyncs,
    job::Work,
    lookup::stat_of,
    owner::create_file,
    volume::Volume,
};
use crate::oci::{Algorithm, Digest, Hasher};

/// How much is read at once when content has to be hashed again.
const READ_LEN: usize = 256 * 1024;

/// Staged content. Only the owner of this value writes to the file.
#[derive(Debug)]
pub(super) struct Content {
    key: Key,
    path: PathBuf,
    file: Arc<File>,
    len: u64,
    /// The last bytes, if they are hashed and not yet written.
    unwritten: Vec<Bytes>,
    hash: Hash,
    /// Whether all of the content is durable.
    is_synced: bool,
    /// Whether the file's name is durable.
    is_named: bool,
    early_syncs: EarlySyncs,
    /// Whether there may be a saved hash.
    is_hash_saved: bool,
    /// The state at the last sync.
    synced: Synced,
}

/// The content at its last sync, to go back to.
#[derive(Debug)]
struct Synced {
    len: u64,
    /// The hash of so much, if it was known.
    hasher: Option<Box<Hasher>>,
}

#[derive(Debug)]
enum Hash {
    /// Of all that was written.
    Known(Box<Hasher>),
    /// It has to be made again before anything is added, with this algorithm.
    Lost(Algorithm),
}

impl Hash {
    fn known(&self) -> Option<&Hasher> {
        match self {
            Self::Known(hasher) => Some(hasher),
            Self::Lost(_) => None,
        }
    }
}

impl Content {
    /// A new and empty file.
    ///
    /// # Errors
    /// [`StorageError::Exists`] if there is something.
    pub(super) fn create(volume: &Volume, key: &Key, algorithm: Algorithm) -> Result<Self> {
        let path = volume.path(key);
        let parent = volume.parent(&path);
        let mut made = create_file(&path);
        for _ in 0..ATTEMPTS {
            let Err(error) = &made else { break };
            if error.kind() != io::ErrorKind::NotFound {
                break;
            }
            volume.directories.make(parent)?;
            made = create_file(&path);
        }
        let file = made.map_err(|error| {
            if is_in_the_way(&error) { StorageError::Exists } else { StorageError::io("create", &path, error) }
        })?;
        volume.forget_hash(key);
        let hasher = Box::new(Hasher::new(algorithm));
        Ok(Self {
            key: key.clone(),
            path,
            file: Arc::new(file),
            len: 0,
            unwritten: Vec::new(),
            hash: Hash::Known(hasher.clone()),
            is_synced: false,
            is_named: false,
            early_syncs: EarlySyncs::default(),
            is_hash_saved: false,
            synced: Synced { len: 0, hasher: Some(hasher) },
        })
    }

    /// Opens an existing file, with its saved hash if that can be trusted. All of it is durable afterwards.
    ///
    /// After a crash of the kernel, the file may have more bytes than were synced, and these may be anything, so they
    /// are cut off. The saved hash may be of bytes that are lost, so the hash is computed again.
    pub(super) fn reopen(volume: &Volume, key: &Key) -> Result<Option<Self>> {
        let path = volume.path(key);
        // A symbolic link is refused: its target is never written to.
        if !path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Ok(None);
        }
        let error = |error| StorageError::io("open", &path, error);
        let flags = OFlags::NOFOLLOW.bits().cast_signed();
        let file = match OpenOptions::new().read(true).write(true).custom_flags(flags).open(&path) {
            Ok(file) => file,
            Err(failure) if failure.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(failure) => return Err(error(failure)),
        };
        let metadata = file.metadata().map_err(error)?;
        if metadata.nlink() != 1 {
            // On a filesystem whose renames are not atomic, the file was promoted under another name. Promoted content
            // is never written to.
            return Ok(None);
        }
        let mut len = metadata.len();
        let mut hash = Hash::Lost(Algorithm::default());
        let mut is_synced = false;
        if let Some(saved) = volume.saved_hash(key) {
            let is_same_boot = saved.boot_id == volume.boot_id;
            if !is_same_boot && saved.offset < len {
                file.set_len(saved.offset).map_err(error)?;
                len = saved.offset;
            }
            is_synced = is_same_boot && saved.offset == len;
            hash = if is_synced { Hash::Known(Box::new(saved.hasher)) } else { Hash::Lost(saved.hasher.algorithm()) };
        }
        let synced = Synced { len, hasher: hash.known().cloned().map(Box::new) };
        let mut content = Self {
            key: key.clone(),
            path,
            file: Arc::new(file),
            len,
            unwritten: Vec::new(),
            hash,
            is_synced,
            is_named: is_synced,
            early_syncs: EarlySyncs::default(),
            is_hash_saved: true,
            synced,
        };
        if let Err(error) = content.make_durable(volume) {
            if !matches!(error, StorageError::Full) {
                content.remove(volume);
            }
            return Err(error);
        }
        Ok(Some(content))
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The file, to be read while it is written to.
    pub(super) fn to_object(&self) -> Result<Object> {
        let metadata = self.file.metadata().map_err(|error| StorageError::io("look at", &self.path, error))?;
        Ok(Object::of_shared_file(Arc::clone(&self.file), stat_of(&metadata)))
    }

    /// Hashes and appends `pieces`: the one pass over the bytes.
    pub(super) fn write(&mut self, volume: &Arc<Volume>, pieces: Vec<Bytes>) -> Result<()> {
        self.flush()?;
        if let Hash::Lost(algorithm) = self.hash {
            self.hash = Hash::Known(Box::new(self.hash_again(algorithm)?));
        }
        // The hash is known now, so the pieces are accepted.
        let _ = self.buffer(pieces);
        self.flush()?;
        self.early_syncs.begin_if_due(volume, &self.file, &self.path, self.len)
    }

    /// Hashes `pieces`, and buffers them until the next operation writes them. Returns them as `Err` if the hash is
    /// lost, since the file would have to be read.
    pub(super) fn buffer(&mut self, pieces: Vec<Bytes>) -> Result<(), Vec<Bytes>> {
        let Hash::Known(hasher) = &mut self.hash else { return Err(pieces) };
        for piece in &pieces {
            hasher.update(piece);
            self.len += piece.len() as u64;
        }
        self.unwritten.extend(pieces);
        self.is_synced = false;
        Ok(())
    }

    /// Writes the buffered bytes.
    pub(super) fn flush(&mut self) -> Result<()> {
        let pieces = mem::take(&mut self.unwritten);
        let mut offset = self.len - pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
        let mut slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        let mut slices = slices.as_mut_slice();
        while !slices.is_empty() {
            let written = match pwritev(&self.file, slices, offset) {
                Ok(0) => return Err(StorageError::io("write", &self.path, io::Error::from(io::ErrorKind::WriteZero))),
                Ok(written) => written,
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(StorageError::io("write", &self.path, error)),
            };
            offset += written as u64;
            IoSlice::advance_slices(&mut slices, written);
        }
        Ok(())
    }

    /// Makes the content durable, and saves its hash.
    pub(super) fn sync(&mut self, volume: &Volume) -> Result<()> {
        self.make_durable(volume)?;
        self.synced = Synced { len: self.len, hasher: self.hash.known().cloned().map(Box::new) };
        self.is_hash_saved = true;
        if let Hash::Known(hasher) = &self.hash
            && let Err(error) = volume.save_hash(&self.key, self.len, hasher)
        {
            // Nothing is lost: after a restart, the content is hashed again.
            tracing::warn!(%error, "the hash of an upload can't be saved");
        }
        Ok(())
    }

    /// Goes back to the state at the last sync. Not for content that may have been promoted.
    pub(super) fn roll_back(&mut self) -> Result<()> {
        self.unwritten.clear();
        // A failed early sync may also have lost bytes that were durable before.
        mem::take(&mut self.early_syncs).end()?;
        self.file.set_len(self.synced.len).map_err(|error| StorageError::io("cut", &self.path, error))?;
        let algorithm = match &self.hash {
            Hash::Known(hasher) => hasher.algorithm(),
            Hash::Lost(algorithm) => *algorithm,
        };
        self.len = self.synced.len;
        self.hash = self.synced.hasher.clone().map_or(Hash::Lost(algorithm), Hash::Known);
        self.is_synced = false;
        Ok(())
    }

    /// The digest of the content. Reads the file again if it was hashed with another algorithm.
    pub(super) fn digest(&mut self, algorithm: Algorithm) -> Result<Digest> {
        self.flush()?;
        self.known_digest(algorithm).map_or_else(|| Ok(self.hash_again(algorithm)?.finish()), Ok)
    }

    /// The digest, if the file need not be read for it.
    pub(super) fn known_digest(&self, algorithm: Algorithm) -> Option<Digest> {
        match &self.hash {
            Hash::Known(hasher) if hasher.algorithm() == algorithm => Some(Hasher::clone(hasher).finish()),
            Hash::Known(_) | Hash::Lost(_) => None,
        }
    }

    /// The sync that makes the content durable, but not its name, which the promotion replaces; `None` if it is
    /// durable.
    pub(super) fn sync_to_promote(&mut self, volume: &Volume) -> Result<Option<Work>> {
        self.flush()?;
        if self.is_synced {
            return Ok(None);
        }
        self.early_syncs.end()?;
        let (syncs, file, path) = (volume.syncs.clone(), self.file.clone(), self.path.clone());
        Ok(Some(Box::new(move || syncs.file(&file, &path))))
    }

    /// Renames the synced content to `key`. An object at the key is replaced.
    pub(super) fn promote(&mut self, volume: &Volume, key: &Key) -> Result<()> {
        volume.rename_durably(&self.path, &volume.path(key), Condition::Any)?;
        if self.is_hash_saved {
            volume.forget_hash(&self.key);
        }
        Ok(())
    }

    /// Removes the file and its saved hash. This need not be durable: a file that comes back after a power cut expires.
    pub(super) fn remove(&self, volume: &Volume) {
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "an upload can't be removed");
        }
        volume.forget_hash(&self.key);
    }

    fn make_durable(&mut self, volume: &Volume) -> Result<()> {
        self.flush()?;
        if !self.is_synced {
            self.early_syncs.end()?;
            volume.syncs.data(&self.file, &self.path)?;
            self.is_synced = true;
        }
        if !self.is_named {
            let parent = volume.parent(&self.path);
            volume.syncs.directory(parent)?;
            volume.sync_path(volume.parent(parent))?;
            self.is_named = true;
        }
        Ok(())
    }

    fn hash_again(&self, algorithm: Algorithm) -> Result<Hasher> {
        let mut hasher = Hasher::new(algorithm);
        let mut buffer = vec![0; READ_LEN.min(usize::try_from(self.len).unwrap_or(READ_LEN))];
        let mut offset = 0;
        while offset < self.len {
            let left = usize::try_from(self.len - offset).unwrap_or(READ_LEN).min(buffer.len());
            let error = |error| StorageError::io("read", &self.path, error);
            self.file.read_exact_at(&mut buffer[..left], offset).map_err(error)?;
            hasher.update(&buffer[..left]);
            offset += left as u64;
        }
        Ok(hasher)
    }
}
