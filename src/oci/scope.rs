//! Scopes: what a token is asked for and grants.

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

/// `<type>(<class>):<name>:<actions>` ([distribution, token scope]).
///
/// [distribution, token scope]: https://distribution.github.io/distribution/spec/auth/scope/
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceScope;
