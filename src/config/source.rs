//! The sources of values.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// The source of a value, for `wharf config show` and for errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The default.
    Default,
    /// A line of the settings file.
    File {
        /// The file, as it was named.
        path: Arc<Path>,
        /// Counted from 1.
        line: usize,
    },
    /// An environment variable.
    Variable(Arc<str>),
    /// An option of the command line, with its dashes.
    Flag(&'static str),
}

impl Source {
    /// The line, for sorting; sources outside the file sort last.
    pub(super) fn line(&self) -> usize {
        match self {
            Self::File { line, .. } => *line,
            Self::Default | Self::Variable(_) | Self::Flag(_) => usize::MAX,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}
