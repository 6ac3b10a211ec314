//! The plan: which tags of a repository go.

use std::time::{Duration, SystemTime};

use super::{Retention, RetentionRule, pulls::Recorded};
use crate::{
    oci::{Digest, RepositoryName, Tag},
    registry::{Repository, layout, repository_walk::AT_A_TIME},
    storage::StorageError,
};

/// What decides about a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TagFacts {
    pub(super) tag: Tag,
    pub(super) digest: Digest,
    /// When its link was written.
    pub(super) pushed: SystemTime,
    /// When it, or the manifest that it names, was pulled last.
    pub(super) pulled: Option<SystemTime>,
}

/// A tag that goes, and the number of the rule that decided, from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Doomed {
    pub(super) facts: TagFacts,
    pub(super) rule: usize,
}

/// The plan for a repository.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// How many tags there are.
    pub(super) seen: usize,
    /// The tags that go, the oldest first.
    pub(super) doomed: Vec<Doomed>,
    /// For each rule, the tags that stay because they were pushed last.
    pub(super) newest: Vec<Vec<Tag>>,
    /// How many tags stay because their pulls are not recorded for long enough.
    pub(super) unrecorded: usize,
}

impl Retention {
    /// Reads the tags of a repository and decides about them.
    pub(super) async fn plan(&self, repository: &Repository, now: SystemTime) -> Result<Plan, StorageError> {
        let (mut seen, mut all) = (0, Vec::new());
        for tags in repository.tag_names().await?.chunks(AT_A_TIME) {
            for facts in self.facts(repository, tags).await? {
                seen += 1;
                // The tag of a signature or of a list of referrers follows the manifest that it is about. A tag that is
                // made of the digest of its own manifest is one like others.
                let subject = subject(&facts.tag).filter(|subject| *subject != facts.digest);
                let follows = match subject {
                    Some(subject) => repository.has_manifest(&subject).await?,
                    None => false,
                };
                if !follows {
                    all.push(facts);
                }
            }
        }
        Ok(Plan { seen, ..self.decide(&repository.name, all, self.pulls.recorded(), now) })
    }

    /// What is known of some tags. Those without a current link are left out.
    pub(super) async fn facts(&self, repository: &Repository, tags: &[Tag]) -> Result<Vec<TagFacts>, StorageError> {
        let links: Vec<_> = tags.iter().map(|tag| layout::tag_current(&repository.name, tag)).collect();
        let (stats, targets) = (repository.storage().stat_all(&links).await, repository.read_links(&links).await);
        let mut all = Vec::new();
        for ((tag, stat), target) in tags.iter().zip(stats).zip(targets) {
            let (stat, target) = match (stat, target) {
                // A link that leads nowhere may come back.
                (Err(error), _) | (_, Err(error)) if error.leads_nowhere() => continue,
                (stat, target) => (stat?, target?),
            };
            let Some((stat, digest)) = stat.zip(target) else { continue };
            let pulled = self.pulls.last(&repository.name, tag, &digest);
            all.push(TagFacts { tag: tag.clone(), digest, pushed: stat.modified, pulled });
        }
        Ok(all)
    }

    /// Decides about the tags of a repository.
    fn decide(&self, name: &RepositoryName, tags: Vec<TagFacts>, recorded: Recorded, now: SystemTime) -> Plan {
        let mut plan = Plan::default();
        let mut by_rule: Vec<Vec<TagFacts>> = vec![Vec::new(); self.rules.len()];
        for facts in tags {
            let Some(rule) = self.rules.iter().position(|rule| rule.matches(name, &facts.tag)) else { continue };
            if !self.rules[rule].protect.iter().any(|pattern| pattern.matches(&facts.tag)) {
                by_rule[rule].push(facts);
            }
        }
        for (rule, mut tags) in by_rule.into_iter().enumerate() {
            tags.sort_by(|one, other| (other.pushed, &other.tag).cmp(&(one.pushed, &one.tag)));
            let conditions = &self.rules[rule];
            let others = tags.split_off(conditions.keep_newest.unwrap_or_default().min(tags.len()));
            plan.newest.push(tags.into_iter().map(|facts| facts.tag).collect());
            for facts in others {
                match conditions.judge(&facts, recorded, now) {
                    Verdict::Stays => {}
                    Verdict::Unrecorded => plan.unrecorded += 1,
                    Verdict::Goes => plan.doomed.push(Doomed { facts, rule }),
                }
            }
        }
        plan.doomed
            .sort_by(|one, other| (one.facts.pushed, &one.facts.tag).cmp(&(other.facts.pushed, &other.facts.tag)));
        plan
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Stays,
    /// It stays because its pulls are not recorded for long enough.
    Unrecorded,
    Goes,
}

impl RetentionRule {
    fn judge(&self, facts: &TagFacts, recorded: Recorded, now: SystemTime) -> Verdict {
        // A date in the future is within any time.
        let is_within =
            |date: SystemTime, time: Duration| now.duration_since(date).map_or(true, |passed| passed < time);
        if self.pushed_within.is_some_and(|time| is_within(facts.pushed, time)) {
            return Verdict::Stays;
        }
        match self.pulled_within {
            Some(time) if facts.pulled.is_some_and(|pulled| is_within(pulled, time)) => Verdict::Stays,
            Some(time) if recorded.0.is_none_or(|since| is_within(since, time)) => Verdict::Unrecorded,
            _ if self.keep_newest.is_none() && self.pushed_within.is_none() && self.pulled_within.is_none() => {
                // A rule without a condition removes nothing.
                Verdict::Stays
            }
            _ => Verdict::Goes,
        }
    }
}

/// The manifest that a tag is about: `sha256-<hex>` of the referrers tag schema, and `sha256-<hex>.sig` of cosign.
fn subject(tag: &Tag) -> Option<Digest> {
    let (algorithm, rest) = tag.as_str().split_once('-')?;
    let hex = rest.split(['.', '-']).next()?;
    format!("{algorithm}:{hex}").parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use proptest::prelude::*;

    use super::*;
    use crate::oci::Algorithm;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + 20_000 * DAY
    }

    /// A tag that was pushed and pulled so many days ago.
    fn tag(name: &str, pushed: u32, pulled: Option<u32>) -> TagFacts {
        TagFacts {
            tag: name.parse().unwrap(),
            digest: Digest::of(Algorithm::Sha256, name.as_bytes()),
            pushed: now() - pushed * DAY,
            pulled: pulled.map(|days| now() - days * DAY),
        }
    }

    fn rule(repositories: &str, tags: &[&str]) -> RetentionRule {
        let tags = tags.iter().map(|pattern| pattern.parse().unwrap()).collect();
        RetentionRule { repositories: vec![repositories.parse().unwrap()], tags, ..RetentionRule::default() }
    }

    /// The tags that go, where pulls are recorded for `recorded` days.
    fn doomed(rules: Vec<RetentionRule>, tags: &[TagFacts], recorded: Option<u32>) -> Vec<String> {
        let recorded = Recorded(recorded.map(|days| now() - days * DAY));
        let plan = Retention::new(rules, None, 100).decide(&"ci/app".parse().unwrap(), tags.to_vec(), recorded, now());
        plan.doomed.iter().map(|doomed| doomed.facts.tag.to_string()).collect()
    }

    #[test]
    fn a_tag_stays_if_one_condition_holds() {
        let tags = [tag("pr-1", 40, None), tag("pr-2", 20, Some(3)), tag("pr-3", 10, None), tag("v1", 99, None)];
        let pr = || rule("ci/**", &["pr-*"]);
        let days = |days: u32| Some(days * DAY);
        let rows: [(RetentionRule, Option<u32>, &[&str]); 9] = [
            (RetentionRule { pushed_within: days(15), ..pr() }, None, &["pr-1", "pr-2"]),
            (RetentionRule { pushed_within: days(15), keep_newest: Some(2), ..pr() }, None, &["pr-1"]),
            (RetentionRule { keep_newest: Some(1), ..pr() }, None, &["pr-1", "pr-2"]),
            (RetentionRule { keep_newest: Some(0), ..pr() }, None, &["pr-1", "pr-2", "pr-3"]),
            (RetentionRule { pulled_within: days(30), ..pr() }, Some(31), &["pr-1", "pr-3"]),
            (RetentionRule { pulled_within: days(30), ..pr() }, Some(29), &[]),
            (RetentionRule { pulled_within: days(30), ..pr() }, None, &[]),
            (
                RetentionRule { pushed_within: days(1), protect: vec!["*-1".parse().unwrap()], ..pr() },
                None,
                &["pr-2", "pr-3"],
            ),
            (pr(), Some(99), &[]),
        ];
        for (rule, recorded, expected) in rows {
            assert_eq!(doomed(vec![rule.clone()], &tags, recorded), expected, "{rule:?}");
        }
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let tags = [tag("pr-1", 40, None), tag("v1", 40, None)];
        let keep = RetentionRule { pushed_within: Some(99 * DAY), ..rule("ci/app", &["v*"]) };
        let remove = RetentionRule { pushed_within: Some(DAY), ..rule("**", &[]) };
        assert_eq!(doomed(vec![keep.clone(), remove.clone()], &tags, None), ["pr-1"]);
        assert_eq!(doomed(vec![remove, keep], &tags, None), ["pr-1", "v1"]);
        let other = RetentionRule { pushed_within: Some(DAY), ..rule("other/**", &[]) };
        assert_eq!(doomed(vec![other], &tags, None), Vec::<String>::new());
    }

    #[test]
    fn tags_about_a_manifest_are_known() {
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for name in [format!("sha256-{hex}"), format!("sha256-{hex}.sig"), format!("sha256-{hex}.att")] {
            assert_eq!(subject(&name.parse().unwrap()), format!("sha256:{hex}").parse().ok(), "{name}");
        }
        for name in ["sha256-abc", "v1", "v1-2", hex] {
            assert_eq!(subject(&name.parse().unwrap()), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn nothing_goes_that_no_rule_names(
            patterns in prop::collection::vec(("(ci/\\*\\*|ci/app|other|\\*\\*)", "(pr-\\*|v\\*|x)"), 0..4),
            keep in prop::option::of(0_usize..3),
            within in prop::option::of(0_u32..50),
            names in prop::collection::btree_set("(pr-|v|x|y)[0-9]{0,2}", 0..8),
        ) {
            let rules: Vec<_> = patterns
                .iter()
                .map(|(repositories, tags)| RetentionRule {
                    keep_newest: keep,
                    pushed_within: within.map(|days| days * DAY),
                    ..rule(repositories, &[tags])
                })
                .collect();
            let tags: Vec<_> = names.iter().zip(1..).map(|(name, days)| tag(name, days * 7, None)).collect();
            for gone in doomed(rules.clone(), &tags, None) {
                let gone = gone.parse().unwrap();
                prop_assert!(rules.iter().any(|rule| rule.matches(&"ci/app".parse().unwrap(), &gone)));
                prop_assert!(keep.is_some() || within.is_some());
            }
        }
    }
}
