//! Why a store can't be written, in words for the operator.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::own_location::{OwnLocation, own};

/// A step of the trial that failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) at: PathBuf,
    pub(super) error: io::Error,
}

impl Failure {
    pub(super) fn in_words(&self, root: &Path) -> String {
        let (at, error) = (self.at.display(), &self.error);
        let is_own = self.at.starts_with(own(root));
        match error.kind() {
            io::ErrorKind::CrossesDevices => format!(
                "{at} is on another filesystem than what is above it, and a file can't be renamed into it; \
                 put the whole of {} on one",
                if is_own { own(root) } else { OwnLocation::Docker.path(root) }.display()
            ),
            io::ErrorKind::NotADirectory if self.at.is_symlink() && !self.at.exists() => format!(
                "{at} can't be written: it is a symbolic link that leads nowhere; mount what it leads to, or remove it"
            ),
            io::ErrorKind::NotADirectory => format!("{at} can't be written: it is no directory; move it away"),
            io::ErrorKind::PermissionDenied => {
                let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
                let (user, group) = (user.as_raw(), group.as_raw());
                let root = root.display();
                format!(
                    "user {user} (group {group}) can't write to {at}: {error}; give the store to it \
                     (chown -R {user}:{group} {root}), or run wharf as its owner"
                )
            }
            _ => format!("{at} can't be written: {error}"),
        }
    }
}

/// Whether the filesystem has no room.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
