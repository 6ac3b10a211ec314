//! Scopes: what a token is asked for and grants.

use std::{fmt, str::FromStr};

use super::RepositoryName;

/// One thing that may be done to a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Read.
    Pull,
    /// Write, existing tags included.
    Push,
    /// Write, but never move an existing tag.
    Create,
    /// Delete.
    Delete,
}

/// A text is none of the actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an action is pull, push, create or delete")]
pub struct InvalidAction;

impl Action {
    /// Every action.
    pub const ALL: [Self; 4] = [Self::Pull, Self::Push, Self::Create, Self::Delete];

    /// The action as it stands in a scope.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Create => "create",
            Self::Delete => "delete",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Action {
    type Err = InvalidAction;

    fn from_str(text: &str) -> Result<Self, InvalidAction> {
        Self::ALL.into_iter().find(|action| action.as_str() == text).ok_or(InvalidAction)
    }
}

/// An action as a scope has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ScopeAction {
    /// One that a registry knows.
    Action(Action),
    /// `*`, every action.
    All,
    /// One that means nothing here.
    Other(String),
}

impl ScopeAction {
    /// The action as it stands in a scope.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Action(action) => action.as_str(),
            Self::All => "*",
            Self::Other(text) => text,
        }
    }
}

impl From<Action> for ScopeAction {
    fn from(action: Action) -> Self {
        Self::Action(action)
    }
}

impl From<&str> for ScopeAction {
    fn from(text: &str) -> Self {
        match text {
            "*" => Self::All,
            text => text.parse().map_or_else(|InvalidAction| Self::Other(text.to_owned()), Self::Action),
        }
    }
}

/// The kind of resource of a scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ResourceKind {
    /// `repository`
    Repository,
    /// `registry`: the whole of it, of which only the catalog can be asked for.
    Registry,
    /// Something else.
    Other(String),
}

impl ResourceKind {
    /// The kind as it stands in a scope.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Repository => "repository",
            Self::Registry => "registry",
            Self::Other(text) => text,
        }
    }
}

impl From<&str> for ResourceKind {
    fn from(text: &str) -> Self {
        match text {
            "repository" => Self::Repository,
            "registry" => Self::Registry,
            text => Self::Other(text.to_owned()),
        }
    }
}

/// `<type>(<class>):<name>:<actions>` ([distribution, token scope]). A class says what the content is for, not where it
/// is: it is read and not kept.
///
/// ```
/// use wharf::oci::{Action, ResourceScope, ScopeAction};
/// let scope: ResourceScope = "repository:localhost:5000/team/app:pull,push".parse()?;
/// assert_eq!(scope.name, "localhost:5000/team/app");
/// assert_eq!(scope.actions, [ScopeAction::Action(Action::Pull), ScopeAction::Action(Action::Push)]);
/// # Ok::<(), wharf::oci::InvalidScope>(())
/// ```
///
/// [distribution, token scope]: https://distribution.github.io/distribution/spec/auth/scope/
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ResourceScope {
    /// The kind of the resource.
    pub kind: ResourceKind,
    /// Which one. Not yet a [`RepositoryName`]: a scope may ask for anything.
    pub name: String,
    /// The actions; each once, in the order in which they came.
    pub actions: Vec<ScopeAction>,
}

/// A text is not a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a scope is <type>:<name>:<action>,<action>…")]
pub struct InvalidScope;

impl ResourceScope {
    /// The scope of some actions on a repository.
    #[must_use]
    pub fn repository(name: &RepositoryName, actions: impl IntoIterator<Item = Action>) -> Self {
        let actions = each_once(actions.into_iter().map(ScopeAction::from));
        Self { kind: ResourceKind::Repository, name: name.as_str().to_owned(), actions }
    }

    /// The scope that the list of all repositories needs.
    #[must_use]
    pub fn catalog() -> Self {
        Self { kind: ResourceKind::Registry, name: "catalog".to_owned(), actions: vec![ScopeAction::All] }
    }

    /// Reads scopes that are parted by spaces. A text that is no scope is an error in its place, and the others stay
    /// good.
    pub fn parse_list(text: &str) -> impl Iterator<Item = Result<Self, InvalidScope>> {
        text.split(' ').filter(|scope| !scope.is_empty()).map(str::parse)
    }
}

fn each_once(actions: impl Iterator<Item = ScopeAction>) -> Vec<ScopeAction> {
    let mut seen = std::collections::HashSet::new();
    actions.filter(|action| seen.insert(action.clone())).collect()
}

impl fmt::Display for ResourceScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.kind.as_str(), self.name)?;
        for (index, action) in self.actions.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}", action.as_str())?;
        }
        Ok(())
    }
}

impl FromStr for ResourceScope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        // A scope is also an OAuth scope token (RFC 6749, section 3.3), so it can stand between the quotes of a
        // challenge.
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\') {
            return Err(InvalidScope);
        }
        let (kind, rest) = text.split_once(':').ok_or(InvalidScope)?;
        // A name may begin with a host and its port, so it is the last colon that ends it.
        let (name, actions) = rest.rsplit_once(':').ok_or(InvalidScope)?;
        if !is_kind(kind) || name.is_empty() {
            return Err(InvalidScope);
        }
        let kind = kind.split_once('(').map_or(kind, |(kind, _)| kind);
        let actions = each_once(actions.split(',').filter(|action| !action.is_empty()).map(ScopeAction::from));
        Ok(Self { kind: kind.into(), name: name.to_owned(), actions })
    }
}

/// `repository` or `repository(plugin)`: lower-case letters and digits.
fn is_kind(text: &str) -> bool {
    let is_word =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    match text.strip_suffix(')') {
        Some(text) => text.split_once('(').is_some_and(|(kind, class)| is_word(kind) && is_word(class)),
        None => is_word(text),
    }
}

#[cfg(test)]
mod tests;
