//! `[[access]]` and `[groups]`: the access rules.

use super::node::{Node, Value};
use super::values::{Values, texts};
use super::{ConfigError, Kind, Setting, Source, auth};
use crate::{auth::RuleSettings, oci::Action};

/// A group: its name and its users.
pub type Group = (String, Vec<String>);

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        "access",
        Kind::Rules,
        "",
        "The access rules: `users` (names, `*` for every user, `anonymous` for everybody) and `groups`, `repositories` (`*` \
         within one component, `**` any depth), `actions` (`pull`, `push`, `create`, `delete`). Rules add up; without any, every user may do everything.",
    ),
    Setting::new("groups", Kind::Lists, "", "Groups of users, for `[[access]]`: `ci = [\"build\", \"deploy\"]`."),
];

/// The rules and the groups they name.
pub(super) fn read(values: &mut Values) -> (Vec<RuleSettings>, Vec<Group>) {
    let groups = values.lists("groups");
    let Some(node) = values.node("access") else { return (Vec::new(), groups) };
    let tables = match node.value {
        Value::List(tables) => tables,
        Value::Table(_) => vec![node],
        _ => return (values.bad("access", node.source.clone(), "a list of tables was expected, [[access]]"), groups),
    };
    let mut rules = Vec::new();
    for table in tables {
        let Some(rule) = rule(values, &table) else { continue };
        for name in rule.groups.iter().filter(|name| !groups.iter().any(|(group, _)| group == *name)) {
            values.bad::<()>("access.groups", table.source.clone(), format!("[groups] has no `{name}`"));
        }
        rules.push(rule);
    }
    (rules, groups)
}

/// Refuses rules in mode none, where they would protect nothing.
pub(super) fn check(values: &mut Values, mode: &auth::Mode) {
    if values.is_set("access") && matches!(mode, auth::Mode::None) {
        let problem =
            "[[access]] has no effect while auth.mode is none; choose a mode, or leave the rules out".to_owned();
        values.errors.push(ConfigError::Conflict { place: values.source("access"), problem });
    }
}

fn rule(values: &mut Values, table: &Node) -> Option<RuleSettings> {
    let Value::Table(entries) = &table.value else {
        return values.bad("access", table.source.clone(), format!("a rule is a table, not {}", table.kind()));
    };
    let mut rule = RuleSettings::default();
    for (name, node) in entries {
        let list =
            texts(node).unwrap_or_else(|problem| values.bad(&format!("access.{name}"), node.source.clone(), problem));
        match name.as_str() {
            "users" => rule.users = list,
            "groups" => rule.groups = list,
            "repositories" => rule.repositories = list,
            "actions" => rule.actions = actions(values, &list, &node.source),
            _ => values.errors.push(ConfigError::UnknownKey {
                place: node.source.clone(),
                key: format!("access.{name}"),
                nearest: super::nearest::nearest(name, ["users", "groups", "repositories", "actions"].into_iter())
                    .map(|near| format!("access.{near}")),
            }),
        }
    }
    let lacks = match &rule {
        rule if rule.users.is_empty() && rule.groups.is_empty() => Some("users or groups"),
        rule if rule.repositories.is_empty() => Some("repositories"),
        rule if rule.actions.is_empty() => Some("actions"),
        _ => None,
    };
    match lacks {
        Some(lacks) => values.bad("access", table.source.clone(), format!("this rule has no {lacks}")),
        None => Some(rule),
    }
}

fn actions(values: &mut Values, words: &[String], place: &Source) -> Vec<Action> {
    let action = |word: &String| match word.as_str() {
        "pull" => Ok(Action::Pull),
        "push" => Ok(Action::Push),
        "create" => Ok(Action::Create),
        "delete" => Ok(Action::Delete),
        _ => Err(format!("`{word}` is none of pull, push, create, delete")),
    };
    let actions: Result<Vec<_>, _> = words.iter().map(action).collect();
    actions.unwrap_or_else(|problem| values.bad("access.actions", place.clone(), problem))
}

#[cfg(test)]
mod tests {
    use super::super::load::tried;
    use super::*;

    const AUTH: &str = "[auth.htpasswd]\npath = '/f'\n";

    #[test]
    fn reads_rules_and_groups() {
        let text = format!(
            "{AUTH}[groups]\nci = ['build']\n[[access]]\ngroups = ['ci']\nrepositories = 'team/**'\nactions = ['pull', 'create']\n"
        );
        let (config, errors, _) = tried("f.toml", &text, &[]);
        assert_eq!(errors, Vec::<String>::new());
        assert_eq!(config.groups, [("ci".to_owned(), vec!["build".to_owned()])]);
        let [rule] = config.access.as_slice() else { panic!("{:?}", config.access) };
        assert_eq!((rule.groups.as_slice(), rule.users.as_slice()), (&["ci".to_owned()][..], &[][..]));
        assert_eq!(
            (rule.repositories.as_slice(), rule.actions.as_slice()),
            (&["team/**".to_owned()][..], &[Action::Pull, Action::Create][..])
        );
    }

    #[test]
    fn a_variable_holds_rules_too() {
        let rules = "[{users: ['*'], repositories: ['**'], actions: [pull]}]";
        let (config, errors, _) = tried("f.toml", AUTH, &[("REGISTRY_ACCESS", rules)]);
        assert_eq!((errors, config.access.len()), (vec![], 1));
    }

    #[test]
    fn says_what_is_wrong_with_a_rule() {
        let cases = [
            ("repositories = ['**']\nactions = ['pull']", "no users or groups"),
            ("users = ['a']\nactions = ['pull']", "no repositories"),
            ("users = ['a']\nrepositories = ['**']", "no actions"),
            (
                "users = ['a']\nrepositories = ['**']\nactions = ['read']",
                "`read` is none of pull, push, create, delete",
            ),
            ("groups = ['x']\nrepositories = ['**']\nactions = ['pull']", "[groups] has no `x`"),
            ("user = ['a']\nrepositories = ['**']\nactions = ['pull']", "did you mean `access.users`?"),
        ];
        for (rule, expected) in cases {
            let (_, errors, _) = tried("f.toml", &format!("{AUTH}[[access]]\n{rule}\n"), &[]);
            assert!(errors.iter().any(|error| error.contains(expected)), "{rule}: {errors:?}");
        }
    }
}
