//! Errors in the settings, for the operator: the problem, its place and its remedy.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::Source;

/// One error in the settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The settings file can't be read.
    #[error("{}: the settings file{} can't be read: {cause}", path.display(), named(*named_by))]
    Unreadable {
        /// The file, as it was named.
        path: PathBuf,
        /// The variable that named it.
        named_by: Option<&'static str>,
        /// The error of the system.
        cause: io::Error,
    },
    /// The file, or the value of a variable, is not valid TOML or YAML.
    #[error("{place}: this is not valid {language}: {problem}")]
    Syntax {
        /// The place of the error.
        place: Source,
        /// TOML or YAML.
        language: &'static str,
        /// The message of the parser.
        problem: String,
    },
    /// A key of the file that is not a setting.
    #[error("{place}: `{key}` is not a setting{}", suggestion(nearest.as_deref()))]
    UnknownKey {
        /// Its place.
        place: Source,
        /// The whole key, with dots.
        key: String,
        /// A similar setting, as a suggestion.
        nearest: Option<String>,
    },
    /// A value that does not fit its setting.
    #[error("{place}: {key}: {problem}")]
    BadValue {
        /// Its place.
        place: Source,
        /// The setting.
        key: String,
        /// The problem, and a correct form.
        problem: String,
    },
    /// A setting of a feature that wharf will have.
    #[error("{place}: {key} is not implemented yet: {reason}")]
    NotYet {
        /// Its place.
        place: Source,
        /// The setting.
        key: String,
        /// The remedy until then.
        reason: &'static str,
    },
    /// A setting of a feature that wharf does not have.
    #[error("{place}: {key} is not supported: {reason}")]
    Refused {
        /// Its place.
        place: Source,
        /// The setting.
        key: String,
        /// Why, and what to do.
        reason: &'static str,
    },
    /// Settings that contradict each other.
    #[error("{place}: {problem}")]
    Conflict {
        /// The place of the later one.
        place: Source,
        /// The contradiction, and what to do.
        problem: String,
    },
}

impl ConfigError {
    /// The line of the error; errors without a line sort last, except for an unreadable file.
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

/// All errors in the settings, one line each; at least one.
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

/// A warning about the settings, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The value that it is about.
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
