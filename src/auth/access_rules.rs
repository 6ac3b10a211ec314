//! The access rules, and the rule that decided.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::oci::{Action, Glob, InvalidGlob, RepositoryName};

/// How a rule names every user that has logged in.
pub const ANY_USER: &str = "*";
/// How a rule names everybody: requests without a login, and every user as well.
pub const ANONYMOUS: &str = "anonymous";

/// One `[[access]]` table as it is written. A rule without users, repositories or actions allows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSettings {
    /// Names of users, [`ANY_USER`] or [`ANONYMOUS`].
    pub users: Vec<String>,
    /// Names of groups.
    pub groups: Vec<String>,
    /// Patterns of names, see [`Glob`].
    pub repositories: Vec<String>,
    /// What they may do.
    pub actions: Vec<Action>,
}

/// The rules of a server. They add up: no rule takes away what another allows.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct AccessRules {
    rules: Vec<Rule>,
}

/// A bad pattern in a rule. Rules are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("access rule {rule}: {fault}")]
pub struct InvalidAccess {
    rule: usize,
    fault: InvalidGlob,
}

/// The rule that decides about an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There are no rules, and a user asks.
    AllowedWithoutRules,
    /// There are no rules, and the request has no login.
    DeniedWithoutRules,
    /// This rule allows it; counted from 1.
    Allowed {
        /// The number of the rule.
        rule: usize,
        /// Which of its words means the user, and which of its patterns matches.
        because: String,
    },
    /// No rule allows it.
    Denied,
}

#[derive(Debug, PartialEq, Eq)]
struct Rule {
    users: BTreeSet<String>,
    /// Members of its groups, each with the group that names it.
    members: BTreeMap<String, String>,
    repositories: Vec<Glob>,
    actions: BTreeSet<Action>,
}

impl AccessRules {
    /// Reads rules and groups. A group that does not exist has no members.
    ///
    /// # Errors
    /// [`InvalidAccess`] names the first bad rule.
    pub fn new(rules: &[RuleSettings], groups: &BTreeMap<String, Vec<String>>) -> Result<Self, InvalidAccess> {
        let rule =
            |(index, settings)| Rule::new(settings, groups).map_err(|fault| InvalidAccess { rule: index + 1, fault });
        Ok(Self { rules: rules.iter().enumerate().map(rule).collect::<Result<_, _>>()? })
    }

    /// Whether `user` (`None` for a request without a login) may do `action` to the repository `name`.
    #[must_use]
    pub fn allows(&self, user: Option<&str>, action: Action, name: &RepositoryName) -> bool {
        if self.rules.is_empty() {
            return user.is_some();
        }
        self.rules.iter().any(|rule| rule.allows(user, action, name).is_some())
    }

    /// Whether there are no rules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether a rule is about requests without a login.
    #[must_use]
    pub fn mentions_anonymous(&self) -> bool {
        self.rules.iter().any(|rule| rule.users.contains(ANONYMOUS))
    }

    /// The rule by which [`allows`](Self::allows) is true.
    #[must_use]
    pub fn explain(&self, user: Option<&str>, action: Action, name: &RepositoryName) -> Verdict {
        match (self.rules.is_empty(), user) {
            (true, Some(_)) => return Verdict::AllowedWithoutRules,
            (true, None) => return Verdict::DeniedWithoutRules,
            (false, _) => {}
        }
        let decides = |(index, rule): (usize, &Rule)| {
            let (who, pattern) = rule.allows(user, action, name)?;
            Some(Verdict::Allowed { rule: index + 1, because: format!("{who}, repositories \"{pattern}\"") })
        };
        self.rules.iter().enumerate().find_map(decides).unwrap_or(Verdict::Denied)
    }
}

/// Which word of a rule means a user.
enum Who<'a> {
    User(&'a str),
    Group(&'a str),
    Everybody,
}

impl Rule {
    fn new(settings: &RuleSettings, groups: &BTreeMap<String, Vec<String>>) -> Result<Self, InvalidGlob> {
        let members = |group: &String| {
            let names = groups.get(group).into_iter().flatten();
            names.map(|name| (name.clone(), group.clone())).collect::<Vec<_>>()
        };
        let mut actions: BTreeSet<Action> = settings.actions.iter().copied().collect();
        // The right to push includes the right to push a new tag.
        if actions.contains(&Action::Push) {
            actions.insert(Action::Create);
        }
        Ok(Self {
            users: settings.users.iter().cloned().collect(),
            members: settings.groups.iter().flat_map(members).collect(),
            repositories: settings.repositories.iter().map(|text| text.parse()).collect::<Result<_, _>>()?,
            actions,
        })
    }

    /// The word that means the user and the pattern that matches, if the rule allows it.
    fn allows(&self, user: Option<&str>, action: Action, name: &RepositoryName) -> Option<(Who<'_>, &Glob)> {
        if !self.actions.contains(&action) {
            return None;
        }
        let who = self.who(user)?;
        Some((who, self.repositories.iter().find(|pattern| pattern.matches(name))?))
    }

    fn who(&self, user: Option<&str>) -> Option<Who<'_>> {
        let word = |word: &str| self.users.get(word).map(|word| Who::User(word));
        let Some(user) = user else { return word(ANONYMOUS) };
        // No user is named `*` or `anonymous`, but a token may say so.
        let own = Some(user).filter(|user| ![ANY_USER, ANONYMOUS].contains(user)).and_then(word);
        let group = || self.members.get(user).map(|group| Who::Group(group));
        // A login takes away nothing that is allowed without one.
        own.or_else(group).or_else(|| word(ANY_USER)).or_else(|| word(ANONYMOUS).map(|_| Who::Everybody))
    }
}

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "users \"{user}\""),
            Self::Group(group) => write!(f, "groups \"{group}\""),
            Self::Everybody => write!(f, "users \"{ANONYMOUS}\", which is everybody"),
        }
    }
}

impl Verdict {
    /// Whether the action is allowed.
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
    fn a_bad_pattern_is_named_with_the_number_of_the_rule() {
        let rules = [rule(&["a"], &[], &["**"], &[Pull]), rule(&["a"], &[], &["a**"], &[Pull])];
        let error = AccessRules::new(&rules, &groups()).unwrap_err().to_string();
        assert!(error.starts_with("access rule 2: ") && error.contains("'**' in 'a**'"), "{error}");
    }

    /// Settings refuse such rules before.
    #[test]
    fn a_rule_that_lacks_something_allows_nothing() {
        let rules = [
            rule(&[], &[], &["**"], &Action::ALL),
            rule(&["alice"], &[], &[], &Action::ALL),
            rule(&["alice"], &[], &["**"], &[]),
            rule(&[], &["none"], &["**"], &Action::ALL),
        ];
        let access = AccessRules::new(&rules, &groups()).unwrap();
        for action in Action::ALL {
            assert!(!access.allows(Some("alice"), action, &"a".parse().unwrap()), "{action}");
        }
    }
}
