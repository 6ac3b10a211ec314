//! Files that are watched and files that are private: one of each, for users, rules, keys and certificates.

mod error;
mod memory;
mod private;
mod read;
mod watch;
mod watched;

pub use error::{FileError, FileFault};

pub(crate) use memory::MemoryFile;
pub(crate) use private::{bind, create, create_folder, publish, remove, replace, replace_if_there, temporary_folder};
pub(crate) use read::{Content, Files, Snapshot, names, read_if_there};
pub(crate) use watch::{POLL_INTERVAL, Poll, Watch, follow, settle};
pub(crate) use watched::Watched;
