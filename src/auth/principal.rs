//! The sender of a request, and its rights.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use super::access_rules::AccessRules;
use crate::oci::{Action, RepositoryName};

/// The sender of a request, with its rights at the time of the request.
#[derive(Clone, Debug)]
pub struct Principal {
    user: Option<Arc<str>>,
    method: Method,
    rights: Rights,
}

/// How a sender is authenticated. It decides about the answer to a request that is not allowed: with a password, a
/// request is denied; with a token, the client can get one with more scopes; without credentials, it can log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Not at all, because everybody may do everything.
    Open,
    /// Not at all: the request has no credentials.
    Anonymous,
    /// By a name and a password.
    Basic,
    /// By a token.
    Bearer,
}

#[derive(Clone, Debug)]
enum Rights {
    All,
    Rules(Arc<AccessRules>),
    /// The rights of a token. With rules: those that decide which repositories the user sees in a list, and what is
    /// allowed without a token.
    Token(Arc<Grants>, Option<Arc<AccessRules>>),
}

/// The rights of a token. Its text has a line for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// The actions on each repository.
    pub repositories: BTreeMap<String, BTreeSet<Action>>,
    /// Whether the repositories may be listed.
    pub catalog: bool,
}

impl Principal {
    /// A sender in the mode in which everybody may do everything.
    #[must_use]
    pub fn unrestricted() -> Self {
        Self { user: None, method: Method::Open, rights: Rights::All }
    }

    /// A sender without credentials, with the rights that the rules give to anonymous.
    #[must_use]
    pub fn anonymous(access: Arc<AccessRules>) -> Self {
        Self { user: None, method: Method::Anonymous, rights: Rights::Rules(access) }
    }

    /// A user that has logged in with its password.
    #[must_use]
    pub fn user_by_password(user: &str, access: Arc<AccessRules>) -> Self {
        Self { user: Some(user.into()), method: Method::Basic, rights: Rights::Rules(access) }
    }

    /// The holder of a token. `access` are the rules of the built-in issuer; with an external issuer, lists are not
    /// filtered.
    pub(super) fn bearer(user: Option<Arc<str>>, grants: Arc<Grants>, access: Option<Arc<AccessRules>>) -> Self {
        Self { user, method: Method::Bearer, rights: Rights::Token(grants, access) }
    }

    /// The user's name, for the log; `None` without a login.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// How the sender is authenticated.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// Whether the sender has valid credentials, or needs none.
    #[must_use]
    pub fn is_authenticated(&self) -> bool {
        self.method != Method::Anonymous
    }

    /// Whether the sender has logged in, or needs not. A token that was issued without a login is no login.
    #[must_use]
    pub fn is_logged_in(&self) -> bool {
        self.method == Method::Open || self.user.is_some()
    }

    /// Whether the sender may do `action` to the repository `name`.
    #[must_use]
    pub fn may(&self, action: Action, name: &RepositoryName) -> bool {
        match &self.rights {
            Rights::All => true,
            Rights::Rules(access) => access.allows(self.user(), action, name),
            Rights::Token(grants, None) => grants.allow(action, name),
            // A token takes away nothing that is allowed without one.
            Rights::Token(grants, Some(access)) => grants.allow(action, name) || access.allows(None, action, name),
        }
    }

    /// Whether the sender may list the repositories. [`may_see`](Self::may_see) decides about each of them.
    #[must_use]
    pub fn may_list_catalog(&self) -> bool {
        match &self.rights {
            Rights::All => true,
            Rights::Rules(_) => self.user.is_some(),
            Rights::Token(grants, _) => grants.catalog,
        }
    }

    /// Whether the sender sees the repository `name` in a list.
    #[must_use]
    pub fn may_see(&self, name: &RepositoryName) -> bool {
        match &self.rights {
            Rights::All | Rights::Token(_, None) => true,
            Rights::Rules(access) | Rights::Token(_, Some(access)) => access.allows(self.user(), Action::Pull, name),
        }
    }
}

impl Grants {
    /// The right to push includes the right to push a new tag.
    fn allow(&self, action: Action, name: &RepositoryName) -> bool {
        self.repositories.get(name.as_str()).is_some_and(|actions| {
            actions.contains(&action) || (action == Action::Create && actions.contains(&Action::Push))
        })
    }
}

impl fmt::Display for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, actions) in &self.repositories {
            let actions: Vec<_> = actions.iter().map(|action| action.as_str()).collect();
            writeln!(f, "grants {} on {name}", actions.join(", "))?;
        }
        match (self.catalog, self.repositories.is_empty()) {
            (true, _) => writeln!(f, "grants the list of repositories"),
            (false, true) => writeln!(f, "grants nothing beyond what needs no token"),
            (false, false) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

    use super::*;
    use crate::auth::access_rules::RuleSettings;

    fn access() -> Arc<AccessRules> {
        let list = |items: &[&str]| items.iter().map(ToString::to_string).collect();
        let rule = RuleSettings {
            users: list(&["alice", "anonymous"]),
            groups: vec![],
            repositories: list(&["a", "b"]),
            actions: vec![Action::Pull],
        };
        Arc::new(AccessRules::new(&[rule], &[].into()).unwrap())
    }

    fn token(user: Option<&str>, catalog: bool, access: Option<Arc<AccessRules>>) -> Principal {
        let repositories = [("a".to_owned(), [Action::Push].into())].into();
        Principal::bearer(user.map(Into::into), Arc::new(Grants { repositories, catalog }), access)
    }

    #[test]
    fn each_kind_of_sender_has_its_rights() {
        let (a, b, c) = ("a".parse().unwrap(), "b".parse().unwrap(), "c".parse().unwrap());
        // Sender; authenticated, logged in, catalog; pull a, push a, create a, pull b; sees a, b, c.
        let table = [
            (Principal::unrestricted(), [true, true, true, true, true, true, true, true, true, true]),
            (Principal::anonymous(access()), [false, false, false, true, false, false, true, true, true, false]),
            (
                Principal::user_by_password("alice", access()),
                [true, true, true, true, false, false, true, true, true, false],
            ),
            (
                Principal::user_by_password("bob", access()),
                [true, true, true, true, false, false, true, true, true, false],
            ),
            (token(Some("alice"), true, Some(access())), [true, true, true, true, true, true, true, true, true, false]),
            (token(Some("bob"), true, Some(access())), [true, true, true, true, true, true, true, true, true, false]),
            (token(Some("carol"), true, None), [true, true, true, false, true, true, false, true, true, true]),
            (token(None, false, Some(access())), [true, false, false, true, true, true, true, true, true, false]),
        ];
        for (sender, expected) in table {
            let seen = [
                sender.is_authenticated(),
                sender.is_logged_in(),
                sender.may_list_catalog(),
                sender.may(Action::Pull, &a),
                sender.may(Action::Push, &a),
                sender.may(Action::Create, &a),
                sender.may(Action::Pull, &b),
                sender.may_see(&a),
                sender.may_see(&b),
                sender.may_see(&c),
            ];
            assert_eq!(seen, expected, "{sender:?}");
        }
    }
}
