//! Keys: where bytes are.

use std::fmt;

/// Most keys are shorter: so they are built where they are.
const USUAL_LEN: usize = 192;

/// The place of an object or of a prefix: components joined by `/`.
///
/// Invariants: no component is empty, `.` or `..`, or contains `/` or NUL. Only [`Key::join`] and [`Key::then`] make
/// longer keys, and they take one component. So a key never leaves the store.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// The key of one component.
    ///
    /// # Panics
    /// If `component` breaks the invariants. Components come from parsed nouns or literals, so this is a bug.
    #[must_use]
    pub fn new(component: &str) -> Self {
        let mut text = String::with_capacity(USUAL_LEN);
        push(&mut text, component);
        Self(text)
    }

    /// This key and one more component.
    ///
    /// # Panics
    /// As [`Key::new`].
    #[must_use]
    pub fn join(&self, component: &str) -> Self {
        let mut text = String::with_capacity(self.0.len() + 1 + component.len());
        text.push_str(&self.0);
        Self(text).then(component)
    }

    /// As [`Key::join`], in the place of this key.
    ///
    /// # Panics
    /// As [`Key::new`].
    #[must_use]
    pub fn then(mut self, component: &str) -> Self {
        self.0.push('/');
        push(&mut self.0, component);
        self
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

fn push(text: &mut String, component: &str) {
    assert!(is_component(component), "not a component of a key: {component:?}");
    text.push_str(component);
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
