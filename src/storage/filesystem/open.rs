//! Opening a store.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, RwLock,
        atomic::{AtomicU64, AtomicUsize},
    },
};

use super::{
    super::{Durability, Result, StorageError},
    batch_threads::BatchThreads,
    check::cannot,
    directories::Directories,
    lock::{self, Lock},
    nonblocking_support::NonblockingSupport,
    own_location::{OwnLocation, migrate, own, temporary},
    owner::make_directory,
    pending_names::PendingNames,
    read_cache::ReadCache,
    sync::Syncs,
    volume::Volume,
    write_check::writable_base,
    write_failure::is_full,
};

/// The store at `root`, made if it is not there, and locked; read-only and not locked, if it can't be written.
///
/// # Errors
/// [`StorageError::Open`]: it can't be made, it is another process's, or it can't be one.
pub(super) fn open(root: &Path, durability: Durability) -> Result<Volume> {
    super::check::check(root)?;
    let root = make_root(root, durability)?;
    let (lock, base) = match claim(&root, durability)? {
        Ok((lock, base)) => (Some(lock), base),
        Err(why) => {
            tracing::warn!(path = %root.display(), why, "the store can't be written: it is served read-only");
            (None, OwnLocation::found(&root))
        }
    };
    let base_path = base.path(&root);
    let run_id = uuid::Uuid::new_v4().simple().to_string();
    if lock.is_some() {
        refuse_folded_case(&base_path, &run_id)?;
        if base == OwnLocation::Docker {
            migrate(&root);
        }
    }
    let durability = if lock.is_some() { durability } else { Durability::None };
    Ok(Volume {
        read_only: lock.is_none(),
        syncs: Arc::new(Syncs::new(durability, &base_path)),
        directories: Arc::new(Directories::new(&root, &base_path)),
        names: PendingNames::default(),
        nonblocking: NonblockingSupport::default(),
        read_cache: ReadCache::default(),
        leases: Arc::default(),
        threads: BatchThreads::default(),
        boot_id: boot_id().unwrap_or_else(|| run_id.clone()),
        run_id,
        temporaries: AtomicU64::new(0),
        appending: AtomicUsize::new(0),
        replacing: RwLock::default(),
        _lock: lock,
        root,
        base,
    })
}

/// Makes the root, durably, and returns its path without links and dots, so that each path below it has one spelling.
fn make_root(root: &Path, durability: Durability) -> Result<PathBuf> {
    let missing: Vec<_> = root.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
    fs::create_dir_all(root).map_err(|error| cannot(root, "be made", &error))?;
    let path = root.canonicalize().map_err(|error| cannot(root, "be opened", &error))?;
    fs::read_dir(&path).map_err(|error| cannot(&path, "be read", &error))?;
    if durability == Durability::Full {
        for made in path.ancestors().take(missing.len()) {
            // Where directories can't be synced there is a warning later on.
            let _ = made.parent().map(|parent| File::open(parent).and_then(|parent| parent.sync_all()));
        }
    }
    Ok(path)
}

/// Locks the store, and finds where wharf's own files can be. The inner error is why it can only be read.
fn claim(root: &Path, durability: Durability) -> Result<Result<(Lock, OwnLocation), String>> {
    let lock = match make_directory(&own(root)).and_then(|()| lock::take(root)) {
        Ok(lock) => lock?,
        Err(error) if refuses_writes(&error) => return Ok(Err(format!("{}: {error}", own(root).display()))),
        Err(error) => return Err(cannot(&own(root), "be made ready", &error)),
    };
    Ok(writable_base(root, durability).map(|base| (lock, base)))
}

/// Repositories and tags are told apart by case; on a filesystem that folds it, one would overwrite another.
fn refuse_folded_case(base: &Path, run_id: &str) -> Result<()> {
    let directory = temporary(base);
    let (lower, upper) = (directory.join(format!("case-{run_id}")), directory.join(format!("CASE-{run_id}")));
    match File::create(&lower) {
        Err(error) if is_full(&error) || error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(|error| cannot(&lower, "be made", &error))?,
    };
    let folds = upper.symlink_metadata().is_ok();
    fs::remove_file(&lower).map_err(|error| cannot(&lower, "be removed", &error))?;
    if folds {
        return Err(StorageError::Open(format!(
            "{} is on a filesystem that does not tell upper from lower case: tags that differ in case would overwrite \
             each other; choose a directory on another filesystem",
            base.display()
        )));
    }
    Ok(())
}

fn refuses_writes(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied)
}

/// Which run of the kernel this is.
fn boot_id() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty())
}
