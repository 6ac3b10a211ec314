//! What a token may carry of what was asked for.

use std::collections::BTreeSet;

use super::claims::{AccessEntry, expand};
use crate::{
    auth::access_rules::AccessRules,
    oci::{Action, RepositoryName, ResourceKind, ResourceScope},
};

/// The part of `scopes` that the rules allow to `user` (nobody in particular if `None`), one entry for each name. Kinds of things that are not
/// known are passed over, as are scopes of which nothing is left.
pub(crate) fn grant(access: &AccessRules, user: Option<&str>, scopes: &[ResourceScope]) -> Vec<AccessEntry> {
    let mut repositories: Vec<(RepositoryName, BTreeSet<Action>)> = Vec::new();
    for scope in scopes.iter().filter(|scope| scope.kind == ResourceKind::Repository) {
        let Ok(name) = scope.name.parse::<RepositoryName>() else { continue };
        let allowed = allowed(access, user, &name, scope);
        match repositories.iter_mut().find(|(known, _)| *known == name) {
            Some((_, actions)) => actions.extend(allowed),
            None => repositories.push((name, allowed)),
        }
    }
    let entry = |(name, actions): (RepositoryName, BTreeSet<Action>)| AccessEntry {
        kind: "repository".to_owned(),
        class: None,
        name: name.into(),
        actions: actions.into_iter().map(|action| action.as_str().to_owned()).collect(),
    };
    let mut granted: Vec<_> = repositories.into_iter().filter(|(_, actions)| !actions.is_empty()).map(entry).collect();
    if user.is_some() && scopes.iter().any(asks_for_catalog) {
        granted.push(AccessEntry {
            kind: "registry".to_owned(),
            class: None,
            name: "catalog".to_owned(),
            actions: vec!["*".to_owned()],
        });
    }
    granted
}

/// What was granted, as a scope says it.
pub(crate) fn scope_text(granted: &[AccessEntry]) -> String {
    let scope = |entry: &AccessEntry| format!("{}:{}:{}", entry.kind, entry.name, entry.actions.join(","));
    granted.iter().map(scope).collect::<Vec<_>>().join(" ")
}

/// Clients know no action for new tags only, so that where push is asked for and not held, `create` is what is meant.
fn allowed(access: &AccessRules, user: Option<&str>, name: &RepositoryName, scope: &ResourceScope) -> BTreeSet<Action> {
    let mut asked: BTreeSet<Action> = scope.actions.iter().flat_map(expand).collect();
    if asked.contains(&Action::Push) {
        asked.insert(Action::Create);
    }
    let mut allowed: BTreeSet<Action> = asked.into_iter().filter(|action| access.allows(user, *action, name)).collect();
    if allowed.contains(&Action::Push) {
        allowed.remove(&Action::Create);
    }
    allowed
}

fn asks_for_catalog(scope: &ResourceScope) -> bool {
    scope.kind == ResourceKind::Registry && scope.name == "catalog" && !scope.actions.is_empty()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

    use super::*;
    use crate::auth::access_rules::RuleSettings;

    fn access() -> AccessRules {
        let rule = |user: &str, repository: &str, actions: &[Action]| RuleSettings {
            users: vec![user.to_owned()],
            groups: vec![],
            repositories: vec![repository.to_owned()],
            actions: actions.to_vec(),
        };
        let rules = [
            rule("alice", "a", &Action::ALL),
            rule("alice", "read/*", &[Action::Pull]),
            rule("alice", "new", &[Action::Pull, Action::Create]),
            rule("anonymous", "public", &[Action::Pull]),
        ];
        AccessRules::new(&rules, &[].into()).unwrap()
    }

    fn granted(user: Option<&str>, scopes: &str) -> String {
        let scopes: Vec<_> = ResourceScope::parse_list(scopes).filter_map(Result::ok).collect();
        scope_text(&grant(&access(), user, &scopes))
    }

    #[test]
    fn b30_b31_what_is_asked_and_allowed_and_no_more() {
        let table = [
            (Some("alice"), "", ""),
            (Some("alice"), "repository:a:pull", "repository:a:pull"),
            (Some("alice"), "repository:a:pull,push", "repository:a:pull,push"),
            (Some("alice"), "repository:a:*", "repository:a:pull,push,delete"),
            (Some("alice"), "repository:a:delete", "repository:a:delete"),
            (Some("alice"), "repository:read/x:pull,push", "repository:read/x:pull"),
            (Some("alice"), "repository:read/x:*", "repository:read/x:pull"),
            (Some("alice"), "repository:read/x:push", ""),
            (Some("alice"), "repository:other:pull,push", ""),
            (Some("alice"), "repository:new:pull,push", "repository:new:pull,create"),
            (Some("alice"), "repository:new:*", "repository:new:pull,create"),
            (Some("alice"), "repository:a:create", "repository:a:create"),
            // containerd asks twice, and the entries overlap.
            (Some("alice"), "repository:a:pull repository:a:pull,push", "repository:a:pull,push"),
            (Some("alice"), "repository:a:pull repository:read/x:pull", "repository:a:pull repository:read/x:pull"),
            (Some("alice"), "repository(plugin):a:pull,push", "repository:a:pull,push"),
            (Some("alice"), "repository(plugin):a:pull repository:a:push", "repository:a:pull,push"),
            (Some("alice"), "repository(plugin):other:pull", ""),
            (Some("alice"), "repository:localhost:5000/a:pull", ""),
            (Some("alice"), "repository:A:pull repository:a/../a:pull repository:**:pull", ""),
            (Some("alice"), "repository:a:PULL,fly", ""),
            (Some("alice"), "registry:catalog:*", "registry:catalog:*"),
            (Some("alice"), "registry:other:*", ""),
            (Some("bob"), "registry:catalog:* repository:a:pull", "registry:catalog:*"),
            (None, "registry:catalog:* repository:a:pull", ""),
            (None, "repository:public:pull,push", "repository:public:pull"),
        ];
        for (user, scopes, expected) in table {
            assert_eq!(granted(user, scopes), expected, "{user:?} {scopes}");
        }
    }
}
