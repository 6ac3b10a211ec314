//! `[[retention]]` and `[tag_ttl]`: which tags are removed after a time.

use std::time::Duration;

use super::{
    Kind, Setting, duration,
    table_entry::{TableEntry, entries},
    values::Values,
};
use crate::registry::RetentionRule;

/// Which tags are removed, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionSettings {
    /// The rules of `[[retention]]`, then those of `[tag_ttl]`.
    pub rules: Vec<RetentionRule>,
    /// `storage.retention.interval`: how often a run begins by itself; `None`: never.
    pub interval: Option<Duration>,
    /// `storage.retention.ceiling`.
    pub ceiling: usize,
}

const RETENTION: &str = "retention";

const TTL: &str = "tag_ttl";

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        RETENTION,
        Kind::Rules,
        "",
        "Rules by which tags are removed: `repositories` and `tags` (patterns); a tag stays if one of `keep_newest`, \
         `pushed_within` and `pulled_within` holds, or if `protect` matches it. The first rule that matches a tag decides. \
         See [retention](retention.md).",
    ),
    Setting::new(
        TTL,
        Kind::Texts,
        "",
        "Tags of these repositories are removed so long after their push: `\"ci/**\" = \"24h\"`.",
    ),
    Setting::new(
        "storage.retention.interval",
        Kind::Duration,
        "1h",
        "How often tags are removed by these rules; 0: only by `wharf retention`.",
    ),
    Setting::new("storage.retention.ceiling", Kind::Count, "1000", "How many tags one run removes at most."),
];

const FIELDS: &[&str] = &["repositories", "tags", "protect", "keep_newest", "pushed_within", "pulled_within"];

pub(super) fn read(values: &mut Values) -> RetentionSettings {
    let mut rules = entries(values, RETENTION, |entry| Some(rule(entry)));
    for (pattern, time) in values.texts(TTL) {
        let read = pattern.parse().map_err(|error| format!("{error}")).and_then(|pattern| Ok((pattern, days(&time)?)));
        match read {
            Ok((pattern, time)) => rules.push(RetentionRule {
                repositories: vec![pattern],
                pushed_within: Some(time),
                ..RetentionRule::default()
            }),
            Err(problem) => values.refuse(TTL, format!("`{pattern}`: {problem}")),
        }
    }
    let interval = values.duration("storage.retention.interval");
    let at_least_1 = |text: &str| match text.parse() {
        Ok(0) | Err(_) => Err(format!("`{text}` is not a whole number of 1 or more")),
        Ok(number) => Ok(number),
    };
    let ceiling = values.parsed("storage.retention.ceiling", at_least_1).unwrap_or_default();
    RetentionSettings { rules, interval: (!interval.is_zero()).then_some(interval), ceiling }
}

fn rule(mut entry: TableEntry<'_>) -> RetentionRule {
    let (place, problems, has_tags) = (entry.place.clone(), entry.problems(), entry.has("tags"));
    let number = |text: &str| text.parse().map_err(|_| format!("`{text}` is not a whole number"));
    let rule = RetentionRule {
        repositories: patterns(&mut entry, "repositories"),
        tags: patterns(&mut entry, "tags"),
        protect: patterns(&mut entry, "protect"),
        keep_newest: entry.take("keep_newest", number),
        pushed_within: entry.take("pushed_within", days),
        pulled_within: entry.take("pulled_within", days),
    };
    // A field that is wrong is said alone.
    let missing = Some(missing(&rule, has_tags)).filter(|_| entry.problems() == problems).flatten();
    if let Some((field, problem)) = missing {
        entry.bad::<()>(field, place, problem);
    }
    entry.end(FIELDS);
    rule
}

/// The field that a rule lacks, and what that means.
fn missing(rule: &RetentionRule, has_tags: bool) -> Option<(&'static str, &'static str)> {
    if rule.repositories.is_empty() {
        return Some(("repositories", "this rule names no repositories; `**` means all"));
    }
    if has_tags && rule.tags.is_empty() {
        return Some(("tags", "this rule names no tags; a rule without `tags` is about all of them"));
    }
    let problem = "this rule has none of keep_newest, pushed_within and pulled_within, so it would remove nothing";
    let is_empty = rule.keep_newest.is_none() && rule.pushed_within.is_none() && rule.pulled_within.is_none();
    is_empty.then_some(("keep_newest", problem))
}

/// A list of patterns.
fn patterns<T: std::str::FromStr<Err: std::fmt::Display>>(entry: &mut TableEntry<'_>, name: &str) -> Vec<T> {
    let mut patterns = Vec::new();
    for text in entry.list(name) {
        match text.parse() {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => entry.bad(name, entry.place.clone(), format!("{error}")),
        }
    }
    patterns
}

/// A duration, which may also be one of whole days: `14d`. It must be longer than 0.
fn days(text: &str) -> Result<Duration, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u32>().ok());
    let time = match days {
        Some(days) => Duration::from_secs(24 * 60 * 60) * days,
        None => duration::parse(text).map_err(|_| format!("`{text}` is not a duration; write it like 14d or 24h"))?,
    };
    if time.is_zero() { Err("it must be longer than 0".to_owned()) } else { Ok(time) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::super::load::tried;
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    #[test]
    fn rules_are_read_in_their_order() {
        let text = "
            [[retention]]
            repositories = ['ci/**']
            tags = ['pr-*']
            keep_newest = 10
            pushed_within = '14d'
            pulled_within = '30d'
            protect = ['latest', 'v*']
            [tag_ttl]
            'tmp/**' = '24h'
        ";
        let (config, errors, _) = tried("f.toml", text, &[]);
        assert_eq!(errors, Vec::<String>::new());
        let [rule, ttl] = config.retention.rules.as_slice() else { panic!("{:?}", config.retention) };
        assert_eq!(
            (rule.keep_newest, rule.pushed_within, rule.pulled_within),
            (Some(10), Some(14 * DAY), Some(30 * DAY))
        );
        assert_eq!((rule.tags.len(), rule.protect.len()), (1, 2));
        assert_eq!((ttl.repositories[0].as_str(), ttl.pushed_within, ttl.tags.len()), ("tmp/**", Some(DAY), 0));
        assert_eq!((config.retention.interval, config.retention.ceiling), (Some(Duration::from_secs(3600)), 1000));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases = [
            ("[[retention]]\nkeep_newest = 1", "names no repositories"),
            ("[[retention]]\nrepositories = ['a']", "would remove nothing"),
            ("[[retention]]\nrepositories = ['a//b']\nkeep_newest = 1", "empty component"),
            ("[[retention]]\nrepositories = ['a']\ntags = ['a/b']\nkeep_newest = 1", "which no tag has"),
            ("[[retention]]\nrepositories = ['a']\npushed_within = '0'", "longer than 0"),
            ("[[retention]]\nrepositories = ['a']\npushed_within = '3 days'", "14d or 24h"),
            ("[[retention]]\nrepositories = ['a']\nkeep_newest = -1", "not a whole number"),
            ("[[retention]]\nrepositories = ['a']\nkeep_latest = 1\nkeep_newest = 1", "is not a setting"),
            ("[tag_ttl]\n'a' = 'soon'", "14d or 24h"),
            ("[tag_ttl]\n'A' = '1h'", "which no repository name has"),
            ("[[retention]]\nrepositories = []\nkeep_newest = 1", "names no repositories"),
            ("[[retention]]\nrepositories = ['a']\ntags = []\nkeep_newest = 1", "names no tags"),
            ("[storage.retention]\nceiling = 0", "1 or more"),
        ];
        for (text, expected) in cases {
            let (_, errors, _) = tried("f.toml", text, &[]);
            assert!(matches!(errors.as_slice(), [error] if error.contains(expected)), "{text}: {errors:?}");
        }
    }
}
