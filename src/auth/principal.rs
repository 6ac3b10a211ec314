//! Who sent a request, and what it may do.

use crate::oci::{Action, RepositoryName};

/// The sender of a request, with its rights.
#[derive(Clone, Debug)]
pub struct Principal {
    user: Option<String>,
    unrestricted: bool,
}

impl Principal {
    /// Anybody, where everybody may do everything.
    #[must_use]
    pub fn unrestricted() -> Self {
        Self { user: None, unrestricted: true }
    }

    /// The user's name, for the log; `None` for one who did not say.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Whether the sender has shown who it is, or need not.
    #[must_use]
    pub fn is_authenticated(&self) -> bool {
        self.unrestricted || self.user.is_some()
    }

    /// Whether the sender may do `action` to the repository `name`.
    #[must_use]
    pub fn may(&self, _action: Action, _name: &RepositoryName) -> bool {
        self.unrestricted
    }
}
