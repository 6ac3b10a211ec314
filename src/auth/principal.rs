//! Who sent a request, and what it may do.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::access_rules::AccessRules;
use crate::oci::{Action, RepositoryName};

/// The sender of a request, with its rights as they were when it came.
#[derive(Clone, Debug)]
pub struct Principal {
    user: Option<Arc<str>>,
    method: Method,
    rights: Rights,
}

/// How a sender has shown who it is. It decides how a refusal is answered: what a password does not allow is denied for good, a token can be
/// had with more scopes, and who said nothing may log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// It need not, where everybody may do everything.
    Open,
    /// It did not.
    Anonymous,
    /// By name and password.
    Basic,
    /// By a token.
    Bearer,
}

#[derive(Clone, Debug)]
enum Rights {
    All,
    Rules(Arc<AccessRules>),
    /// What a token carries; and, where they are known, the rules that tell what its subject sees in a list and what needs no token.
    Token(Arc<Grants>, Option<Arc<AccessRules>>),
}

/// What a token allows: for each exact name a set of actions, and whether the catalog may be listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Grants {
    pub(super) repositories: HashMap<String, BTreeSet<Action>>,
    pub(super) catalog: bool,
}

impl Principal {
    /// Anybody, where everybody may do everything.
    #[must_use]
    pub fn unrestricted() -> Self {
        Self { user: None, method: Method::Open, rights: Rights::All }
    }

    /// Who shows no credentials, and may do what the rules allow to anonymous.
    #[must_use]
    pub fn anonymous(access: Arc<AccessRules>) -> Self {
        Self { user: None, method: Method::Anonymous, rights: Rights::Rules(access) }
    }

    /// A user that has shown its password.
    #[must_use]
    pub fn user_by_password(user: &str, access: Arc<AccessRules>) -> Self {
        Self { user: Some(user.into()), method: Method::Basic, rights: Rights::Rules(access) }
    }

    /// The holder of a token. With an issuer of our own, `access` filters lists and says what needs no token; another's list is whole.
    pub(super) fn bearer(user: Option<Arc<str>>, grants: Arc<Grants>, access: Option<Arc<AccessRules>>) -> Self {
        Self { user, method: Method::Bearer, rights: Rights::Token(grants, access) }
    }

    /// The user's name, for the log; `None` for one who did not say.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// How the sender has shown who it is.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// Whether the sender has shown valid credentials, or need not.
    #[must_use]
    pub fn is_authenticated(&self) -> bool {
        self.method != Method::Anonymous
    }

    /// Whether the sender may do `action` to the repository `name`.
    #[must_use]
    pub fn may(&self, action: Action, name: &RepositoryName) -> bool {
        match &self.rights {
            Rights::All => true,
            Rights::Rules(access) => access.allows(self.user(), action, name),
            Rights::Token(grants, None) => grants.allow(action, name),
            // What needs no token is not refused to one that was given out for something else.
            Rights::Token(grants, Some(access)) => grants.allow(action, name) || access.allows(None, action, name),
        }
    }

    /// Whether the sender may ask for the list of repositories at all. What is in it is for [`may_see`](Self::may_see).
    #[must_use]
    pub fn may_list_catalog(&self) -> bool {
        match &self.rights {
            Rights::All => true,
            Rights::Rules(_) => self.user.is_some(),
            Rights::Token(grants, _) => grants.catalog,
        }
    }

    /// Whether a list of repositories that the sender may ask for has `name` in it.
    #[must_use]
    pub fn may_see(&self, name: &RepositoryName) -> bool {
        match &self.rights {
            Rights::All | Rights::Token(_, None) => true,
            Rights::Rules(access) | Rights::Token(_, Some(access)) => access.allows(self.user(), Action::Pull, name),
        }
    }
}

impl Grants {
    /// Who may push may push a new tag as well.
    fn allow(&self, action: Action, name: &RepositoryName) -> bool {
        self.repositories.get(name.as_str()).is_some_and(|actions| {
            actions.contains(&action) || (action == Action::Create && actions.contains(&Action::Push))
        })
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
        // Sender; authenticated, catalog; pull a, push a, create a, pull b; sees a, b, c.
        let table = [
            (Principal::unrestricted(), [true, true, true, true, true, true, true, true, true]),
            (Principal::anonymous(access()), [false, false, true, false, false, true, true, true, false]),
            (Principal::user_by_password("alice", access()), [true, true, true, false, false, true, true, true, false]),
            (Principal::user_by_password("bob", access()), [true, true, true, false, false, true, true, true, false]),
            (token(Some("alice"), true, Some(access())), [true, true, true, true, true, true, true, true, false]),
            (token(Some("bob"), true, Some(access())), [true, true, true, true, true, true, true, true, false]),
            (token(Some("carol"), true, None), [true, true, false, true, true, false, true, true, true]),
            (token(None, false, Some(access())), [true, false, true, true, true, true, true, true, false]),
        ];
        for (sender, expected) in table {
            let seen = [
                sender.is_authenticated(),
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
