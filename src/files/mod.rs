//! Files that are watched and files that are private, one of each: for users, rules, keys and certificates.

mod error;
pub(crate) mod private;
pub(crate) mod watch;

pub use error::{FileError, FileFault};
