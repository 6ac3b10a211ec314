//! The rights that a token gets, of those that were requested.

use std::collections::BTreeSet;

use super::claims::{AccessEntry, expand};
use crate::{
    auth::access_rules::AccessRules,
    oci::{Action, RepositoryName, ResourceKind, ResourceScope},
};

/// The part of `scopes` that the rules allow to `user` (`None` for a request without a login), one entry for each name.
/// Unknown types are skipped, and so are scopes of which nothing is allowed.
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
    let mut granted: Vec<_> = repositories
        .into_iter()
        .filter(|(_, actions)| !actions.is_empty())
        .map(|(name, actions)| entry("repository", name.as_str(), actions.into_iter().map(Action::as_str)))
        .collect();
    if user.is_some() && scopes.iter().any(asks_for_catalog) {
        granted.push(entry("registry", "catalog", ["*"]));
    }
    granted
}

fn entry<'a>(kind: &str, name: &str, actions: impl IntoIterator<Item = &'a str>) -> AccessEntry {
    let actions = actions.into_iter().map(ToOwned::to_owned).collect();
    AccessEntry { kind: kind.to_owned(), name: name.to_owned(), actions }
}

/// Granted rights in the form of a scope.
pub(crate) fn scope_text(granted: &[AccessEntry]) -> String {
    let scope = |entry: &AccessEntry| format!("{}:{}:{}", entry.kind, entry.name, entry.actions.join(","));
    granted.iter().map(scope).collect::<Vec<_>>().join(" ")
}

/// Clients know no action for new tags only, so a request to push is a request for `create` too, where push itself is
/// not allowed.
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
