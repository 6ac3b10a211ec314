//! Who may do what to which repository: the rules, and which of them decided.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::glob::{Glob, InvalidGlob};
use crate::oci::{Action, RepositoryName};

/// One `[[access]]` table as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSettings {
    /// Names of users; `*` is any user, `anonymous` is everybody, with a login or without.
    pub users: Vec<String>,
    /// Names of groups.
    pub groups: Vec<String>,
    /// Patterns of names, see [`Glob`].
    pub repositories: Vec<String>,
    /// What they may do.
    pub actions: Vec<Action>,
}

/// The rules of a server, checked. They add up: what one allows, no other takes away.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct AccessRules {
    rules: Vec<Rule>,
}

/// A mistake in the rules. Rules are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("access rule {rule}: {fault}")]
pub struct InvalidAccess {
    rule: usize,
    fault: RuleFault,
}

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleFault {
    /// It names neither a user nor a group.
    #[error(
        "it needs 'users' or 'groups': write users = [\"*\"] for every user, [\"anonymous\"] for everybody, with a login or without"
    )]
    Nobody,
    /// It names no repository.
    #[error("it needs 'repositories': write [\"**\"] for all")]
    NoRepositories,
    /// It names no action.
    #[error("it needs 'actions': \"pull\", \"push\", \"create\" or \"delete\"")]
    NoActions,
    /// A group that `[groups]` does not have.
    #[error("there is no group '{0}' in [groups]")]
    UnknownGroup(String),
    /// A pattern that can't be.
    #[error(transparent)]
    Pattern(#[from] InvalidGlob),
}

/// What decides about an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There are no rules, and a user is asking.
    AllowedWithoutRules,
    /// There are no rules, and nobody in particular is asking.
    DeniedWithoutRules,
    /// This rule allows it; counted from 1.
    Allowed {
        /// The number of the rule.
        rule: usize,
        /// Who it names that the asker is, and which of its patterns fits.
        because: String,
    },
    /// None of the rules allows it.
    Denied,
}

#[derive(Debug, PartialEq, Eq)]
struct Rule {
    anonymous: bool,
    any_user: bool,
    users: BTreeSet<String>,
    /// Members of its groups, each with the group that names it.
    members: BTreeMap<String, String>,
    repositories: Vec<Glob>,
    actions: BTreeSet<Action>,
}

impl AccessRules {
    /// Checks rules and groups.
    ///
    /// # Errors
    /// [`InvalidAccess`] names the first bad rule.
    pub fn new(rules: &[RuleSettings], groups: &BTreeMap<String, Vec<String>>) -> Result<Self, InvalidAccess> {
        let number = |(index, rule): (usize, &RuleSettings)| {
            Rule::new(rule, groups).map_err(|fault| InvalidAccess { rule: index + 1, fault })
        };
        Ok(Self { rules: rules.iter().enumerate().map(number).collect::<Result<_, _>>()? })
    }

    /// Whether `user` (nobody in particular if `None`) may do `action` to the repository `name`.
    #[must_use]
    pub fn allows(&self, user: Option<&str>, action: Action, name: &RepositoryName) -> bool {
        if self.rules.is_empty() {
            return user.is_some();
        }
        self.rules.iter().any(|rule| rule.allows(user, action, name))
    }

    /// Whether there are no rules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether some rule says something of requests without a login.
    #[must_use]
    pub fn mentions_anonymous(&self) -> bool {
        self.rules.iter().any(|rule| rule.anonymous)
    }

    /// What decides, for the operator who wonders.
    #[must_use]
    pub fn explain(&self, user: Option<&str>, action: Action, name: &RepositoryName) -> Verdict {
        match (self.rules.is_empty(), user) {
            (true, Some(_)) => return Verdict::AllowedWithoutRules,
            (true, None) => return Verdict::DeniedWithoutRules,
            (false, _) => {}
        }
        let decides = |(index, rule): (usize, &Rule)| {
            let who = rule.allows_action(action).then(|| rule.who(user)).flatten()?;
            let pattern = rule.repositories.iter().find(|pattern| pattern.matches(name))?;
            Some(Verdict::Allowed { rule: index + 1, because: format!("{who}, repositories \"{pattern}\"") })
        };
        self.rules.iter().enumerate().find_map(decides).unwrap_or(Verdict::Denied)
    }
}

impl Rule {
    fn new(settings: &RuleSettings, groups: &BTreeMap<String, Vec<String>>) -> Result<Self, RuleFault> {
        let checks = [
            (settings.users.is_empty() && settings.groups.is_empty(), RuleFault::Nobody),
            (settings.repositories.is_empty(), RuleFault::NoRepositories),
            (settings.actions.is_empty(), RuleFault::NoActions),
        ];
        if let Some((_, fault)) = checks.into_iter().find(|(fails, _)| *fails) {
            return Err(fault);
        }
        let mut members = BTreeMap::new();
        for group in &settings.groups {
            let names = groups.get(group).ok_or_else(|| RuleFault::UnknownGroup(group.clone()))?;
            members.extend(names.iter().map(|name| (name.clone(), group.clone())));
        }
        let named = |user: &&String| !matches!(user.as_str(), ANY_USER | ANONYMOUS);
        Ok(Self {
            anonymous: settings.users.iter().any(|user| user == ANONYMOUS),
            any_user: settings.users.iter().any(|user| user == ANY_USER),
            users: settings.users.iter().filter(named).cloned().collect(),
            members,
            repositories: settings.repositories.iter().map(|text| text.parse()).collect::<Result<_, _>>()?,
            actions: settings.actions.iter().copied().collect(),
        })
    }

    fn allows(&self, user: Option<&str>, action: Action, name: &RepositoryName) -> bool {
        self.allows_action(action) && self.names(user) && self.repositories.iter().any(|pattern| pattern.matches(name))
    }

    /// Who may push may push a new tag as well.
    fn allows_action(&self, action: Action) -> bool {
        self.actions.contains(&action) || (action == Action::Create && self.actions.contains(&Action::Push))
    }

    fn names(&self, user: Option<&str>) -> bool {
        match user {
            None => self.anonymous,
            // What may be done without a login is not taken away by one.
            Some(user) => {
                self.anonymous || self.any_user || self.users.contains(user) || self.members.contains_key(user)
            }
        }
    }

    /// By which of its words the rule means the asker.
    fn who(&self, user: Option<&str>) -> Option<String> {
        let Some(user) = user else { return self.anonymous.then(|| format!("users \"{ANONYMOUS}\"")) };
        if self.users.contains(user) {
            return Some(format!("users \"{user}\""));
        }
        let group = self.members.get(user).map(|group| format!("groups \"{group}\""));
        let any = || self.any_user.then(|| format!("users \"{ANY_USER}\""));
        group.or_else(any).or_else(|| self.anonymous.then(|| format!("users \"{ANONYMOUS}\", which is everybody")))
    }
}

/// How a rule names any user that has logged in.
pub const ANY_USER: &str = "*";
/// How a rule names everybody: requests without a login, and every user as well.
pub const ANONYMOUS: &str = "anonymous";

impl Verdict {
    /// Whether the action may be done.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::AllowedWithoutRules | Self::Allowed { .. })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllowedWithoutRules => {
                f.write_str("allowed: there are no access rules, so every user may do everything")
            }
            Self::DeniedWithoutRules => {
                f.write_str("denied: there are no access rules, so nobody may do anything without a login")
            }
            Self::Allowed { rule, because } => write!(f, "allowed by access rule {rule}: {because}"),
            Self::Denied => f.write_str("denied: no access rule allows it"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

    use super::*;

    use Action::{Create, Delete, Pull, Push};

    fn rule(users: &[&str], groups: &[&str], repositories: &[&str], actions: &[Action]) -> RuleSettings {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        RuleSettings {
            users: owned(users),
            groups: owned(groups),
            repositories: owned(repositories),
            actions: actions.to_vec(),
        }
    }

    fn groups() -> BTreeMap<String, Vec<String>> {
        [("ci".to_owned(), vec!["build".to_owned(), "deploy".to_owned()])].into()
    }

    fn access() -> AccessRules {
        let rules = [
            rule(&["*"], &[], &["public/**"], &[Pull]),
            rule(&["anonymous"], &[], &["public/open"], &[Pull]),
            rule(&["alice"], &["ci"], &["team/**"], &[Pull, Push]),
            rule(&["alice"], &[], &["team/*"], &[Delete]),
            rule(&["bob"], &[], &["releases"], &[Create]),
            rule(&["anonymous"], &[], &["inbox"], &[Create]),
        ];
        AccessRules::new(&rules, &groups()).unwrap()
    }

    #[test]
    fn rules_add_up() {
        let table = [
            (Some("alice"), Pull, "team/app", true),
            (Some("alice"), Push, "team/x/app", true),
            (Some("alice"), Create, "team/app", true),
            (Some("alice"), Delete, "team/app", true),
            (Some("alice"), Delete, "team/x/app", false),
            (Some("alice"), Pull, "public/x", true),
            (Some("alice"), Pull, "other", false),
            (Some("Alice"), Push, "team/app", false),
            (Some("build"), Push, "team/app", true),
            (Some("build"), Delete, "team/app", false),
            (Some("bob"), Create, "releases", true),
            (Some("bob"), Push, "releases", false),
            (Some("bob"), Pull, "releases", false),
            (Some("ci"), Pull, "team/app", false),
            (None, Pull, "public/open", true),
            (None, Pull, "public/x", false),
            (Some("bob"), Pull, "public/open", true),
            (Some("anonymous"), Pull, "public/open", true),
            (None, Create, "inbox", true),
            (None, Push, "inbox", false),
            (Some("bob"), Create, "inbox", true),
            (Some("bob"), Push, "inbox", false),
            (Some("*"), Pull, "team/app", false),
        ];
        let access = access();
        for (user, action, name, expected) in table {
            let name = name.parse().unwrap();
            assert_eq!(access.allows(user, action, &name), expected, "{user:?} {action:?} {name}");
            assert_eq!(access.explain(user, action, &name).is_allowed(), expected, "{user:?} {action:?} {name}");
        }
    }

    /// Whatever anonymous may do, each user may, whichever rules there are beside it.
    #[test]
    fn report_a1_what_anonymous_may_do_everybody_may() {
        let open = rule(&["anonymous"], &[], &["pub/**"], &[Pull, Create]);
        let others = [
            vec![],
            vec![rule(&["alice"], &[], &["team"], &[Push])],
            vec![rule(&[], &["ci"], &["pub/x"], &[Delete])],
            vec![rule(&["*"], &[], &["team"], &[Pull])],
        ];
        for other in others {
            let access = AccessRules::new(&[other.clone(), vec![open.clone()]].concat(), &groups()).unwrap();
            for name in ["pub/x", "pub/y/z", "pub", "team", "other"].map(|name| name.parse().unwrap()) {
                for action in Action::ALL.into_iter().filter(|action| access.allows(None, *action, &name)) {
                    for user in ["alice", "build", "nobody-knows", "anonymous", "*"] {
                        assert!(access.allows(Some(user), action, &name), "{user} {action} {name} {other:?}");
                        assert!(access.explain(Some(user), action, &name).is_allowed(), "{user} {action} {name}");
                    }
                }
            }
            let pulled = access.explain(Some("carol"), Pull, &"pub/x".parse().unwrap()).to_string();
            assert!(pulled.contains("users \"anonymous\", which is everybody"), "{pulled}");
        }
    }

    #[test]
    fn without_rules_every_user_may_do_everything_and_nobody_else_anything() {
        let access = AccessRules::default();
        let name = "any/thing".parse().unwrap();
        for action in [Action::Pull, Action::Push, Action::Create, Action::Delete] {
            assert!(access.allows(Some("alice"), action, &name));
            assert!(!access.allows(None, action, &name));
        }
        assert_eq!(access.explain(Some("alice"), Action::Push, &name), Verdict::AllowedWithoutRules);
        assert_eq!(access.explain(None, Action::Push, &name), Verdict::DeniedWithoutRules);
    }

    #[test]
    fn the_deciding_rule_is_named() {
        let table = [
            (Some("build"), "team/app", "allowed by access rule 3: groups \"ci\", repositories \"team/**\""),
            (Some("bob"), "public/x", "allowed by access rule 1: users \"*\", repositories \"public/**\""),
            (None, "public/open", "allowed by access rule 2: users \"anonymous\", repositories \"public/open\""),
            (None, "team/app", "denied: no access rule allows it"),
        ];
        for (user, name, expected) in table {
            assert_eq!(access().explain(user, Action::Pull, &name.parse().unwrap()).to_string(), expected);
        }
    }

    #[test]
    fn mistakes_are_named_with_the_number_of_the_rule() {
        let good = rule(&["a"], &[], &["**"], &[Pull]);
        let table = [
            (rule(&[], &[], &["**"], &[Pull]), "'users' or 'groups'"),
            (rule(&["a"], &[], &[], &[Pull]), "'repositories'"),
            (rule(&["a"], &[], &["**"], &[]), "'actions'"),
            (rule(&[], &["none"], &["**"], &[Pull]), "no group 'none'"),
            (rule(&["a"], &[], &["a**"], &[Pull]), "'**' in 'a**'"),
        ];
        for (bad, word) in table {
            let error = AccessRules::new(&[good.clone(), bad], &groups()).unwrap_err().to_string();
            assert!(error.starts_with("access rule 2: ") && error.contains(word), "{error}");
        }
    }
}
