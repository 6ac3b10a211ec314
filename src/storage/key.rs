//! Keys: where bytes are.

use std::fmt;

/// The place of an object or of a prefix: components joined by `/`.
///
/// Invariants: no component is empty, `.` or `..`, or holds `/` or NUL. The only way to a longer key is [`Key::join`], which
/// takes one component; so a key never leaves the store.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// The key of one component.
    ///
    /// # Panics
    /// If `component` breaks the invariants: components come from parsed nouns or from literals, so this is a mistake in the code.
    #[must_use]
    pub fn new(component: &str) -> Self {
        assert!(is_component(component), "not a component of a key: {component:?}");
        Self(component.to_owned())
    }

    /// This key and one more component.
    ///
    /// # Panics
    /// As [`Key::new`].
    #[must_use]
    pub fn join(&self, component: &str) -> Self {
        assert!(is_component(component), "not a component of a key: {component:?}");
        Self(format!("{}/{component}", self.0))
    }

    /// The text, with `/` between the components.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key without its last component, unless it has only one.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.to_owned()))
    }

    /// The last component.
    #[must_use]
    pub fn last(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

fn is_component(text: &str) -> bool {
    !matches!(text, "" | "." | "..") && !text.contains(['/', '\0'])
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
