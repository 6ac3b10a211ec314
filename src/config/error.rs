//! What can be wrong with the settings, in words for whoever runs wharf: what, where, what to do.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::Source;

/// One thing that is wrong with the settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The settings file can't be read.
    #[error("{}: the settings file{} can't be read: {cause}", path.display(), named(*named_by))]
    Unreadable {
        /// The file, as it was named.
        path: PathBuf,
        /// What named it.
        named_by: Option<&'static str>,
        /// What the system said.
        cause: io::Error,
    },
    /// The file, or the value of a variable, is no TOML or YAML.
    #[error("{place}: this is not valid {language}: {problem}")]
    Syntax {
        /// Where it stops making sense.
        place: Source,
        /// TOML or YAML.
        language: &'static str,
        /// What the parser said.
        problem: String,
    },
    /// A key of the file that is no setting.
    #[error("{place}: `{key}` is not a setting{}", suggestion(nearest.as_deref()))]
    UnknownKey {
        /// Where it stands.
        place: Source,
        /// The whole key, with dots.
        key: String,
        /// The setting that was probably meant.
        nearest: Option<String>,
    },
    /// A value that does not fit its setting.
    #[error("{place}: {key}: {problem}")]
    BadValue {
        /// Where it stands.
        place: Source,
        /// The setting.
        key: String,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// A setting of something that wharf will have.
    #[error("{place}: {key} is not there yet: {reason}")]
    NotYet {
        /// Where it stands.
        place: Source,
        /// The setting.
        key: String,
        /// What to do meanwhile.
        reason: &'static str,
    },
    /// A setting of something that wharf does not have.
    #[error("{place}: {key} can't be used here: {reason}")]
    Refused {
        /// Where it stands.
        place: Source,
        /// The setting.
        key: String,
        /// Why, and what to do.
        reason: &'static str,
    },
    /// Settings that do not go together.
    #[error("{place}: {problem}")]
    Conflict {
        /// Where the later of them stands.
        place: Source,
        /// What does not go together, and what to do.
        problem: String,
    },
}

impl ConfigError {
    /// Where it is, where that is known.
    fn line(&self) -> usize {
        match self {
            Self::Unreadable { .. } => 0,
            Self::Syntax { place, .. }
            | Self::UnknownKey { place, .. }
            | Self::BadValue { place, .. }
            | Self::NotYet { place, .. }
            | Self::Refused { place, .. }
            | Self::Conflict { place, .. } => place.line(),
        }
    }
}

/// Everything that is wrong with the settings, one line each; never empty.
#[derive(Debug)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl ConfigErrors {
    /// In the order of the file's lines.
    pub(super) fn sorted(mut errors: Vec<ConfigError>) -> Self {
        errors.sort_by_key(ConfigError::line);
        Self(errors)
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

/// Something about the settings that is no error and that the log should say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What it is about.
    pub place: Source,
    /// The line to print.
    pub text: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Source::Default => f.write_str(&self.text),
            _ => write!(f, "{}: {}", self.place, self.text),
        }
    }
}

fn named(by: Option<&str>) -> String {
    by.map(|by| format!(" that {by} names")).unwrap_or_default()
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map(|key| format!("; did you mean `{key}`?")).unwrap_or_default()
}
