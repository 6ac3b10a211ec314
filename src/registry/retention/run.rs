//! A run: the plan of each repository, and its execution.

use std::{
    sync::{Arc, Weak, atomic::Ordering::Relaxed},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use futures_util::future::join_all;
use tokio::sync::mpsc::{self, Sender};

use super::{RemovedTag, Retention, RetentionError, RetentionEvent, RetentionReport, RetentionRun, plan::Doomed};
use crate::{
    oci::{RepositoryName, Tag},
    registry::{
        Inner, Registry, RegistryError, Repository,
        events::Action,
        index::{TagChange, TagIndex},
        layout,
        periodic::repeat,
        progress::Reporter,
    },
    storage::StorageError,
};

/// How many tags are removed while a repository is held alone: pushes wait for as long.
const AT_ONCE: usize = 32;

/// Runs again and again.
pub(in crate::registry) async fn run(registry: Weak<Inner>, interval: Duration) {
    let run = |registry: Registry| async move {
        let (events, mut unheard) = mpsc::channel(16);
        let listening = async { while unheard.recv().await.is_some() {} };
        match tokio::join!(registry.retain(RetentionRun::default(), events), listening).0 {
            Ok(RetentionReport { seen, tags, left, unrecorded, seconds, .. }) => {
                tracing::info!(seen, tags, left, unrecorded, seconds, "removed the tags that no rule keeps");
            }
            Err(RetentionError::BrokenOff) => {}
            Err(error) => tracing::error!("no tag is removed by retention: {error}"),
        }
        interval
    };
    repeat(registry, interval, run).await;
}

impl Registry {
    /// Removes the tags that the rules do not keep, or says in a dry run which those are.
    ///
    /// # Errors
    /// [`RetentionError`]
    pub async fn retain(
        &self,
        run: RetentionRun,
        events: Sender<RetentionEvent>,
    ) -> Result<RetentionReport, RetentionError> {
        let Some(retention) = self.0.extensions.retention.clone() else { return Err(RetentionError::NoRules) };
        if self.is_read_only() && !run.dry_run {
            return Err(RetentionError::ReadOnly);
        }
        if !self.storage().is_alone() && !run.dry_run {
            return Err(RetentionError::Shared);
        }
        let this = self.clone();
        let work = async move { this.retain_by(&retention, run, events).await };
        self.run(work, RetentionError::BrokenOff).await
    }

    async fn retain_by(
        &self,
        retention: &Arc<Retention>,
        run: RetentionRun,
        events: Sender<RetentionEvent>,
    ) -> Result<RetentionReport, RetentionError> {
        let Ok(_alone) = self.0.retaining.try_lock() else { return Err(RetentionError::UnderWay) };
        let (begin, now) = (Instant::now(), SystemTime::now());
        let reporter = Reporter::new(self, events);
        retention.load_pulls(self).await?;
        let survey = self.survey().await?;
        if let Some(gap) = survey.gaps.first() {
            return Err(RetentionError::Gap(gap.to_string()));
        }
        let mut report = RetentionReport { dry_run: run.dry_run, ..RetentionReport::default() };
        let mut room = retention.ceiling;
        // What an upstream fills is evicted, and not retained.
        let own = |name: &RepositoryName| self.filling(name).is_none();
        for name in survey.names.into_iter().filter(own) {
            if reporter.is_over() {
                return Err(RetentionError::BrokenOff);
            }
            let repository = self.repository(name);
            let plan = retention.plan(&repository, now).await?;
            report.seen += plan.seen as u64;
            report.unrecorded += plan.unrecorded as u64;
            let (taken, left) = plan.doomed.split_at(room.min(plan.doomed.len()));
            report.left += left.len() as u64;
            room -= taken.len();
            for doomed in taken.chunks(AT_ONCE) {
                if reporter.is_over() {
                    return Err(RetentionError::BrokenOff);
                }
                let removed = if run.dry_run {
                    doomed.iter().map(|doomed| removed_tag(&repository, doomed)).collect()
                } else {
                    self.remove_doomed(retention, &repository, doomed, &plan.newest).await?
                };
                report.tags += removed.len() as u64;
                for tag in removed {
                    reporter.tell(RetentionEvent::Removed(tag)).await;
                }
            }
        }
        report.seconds = begin.elapsed().as_secs_f64();
        Ok(report)
    }

    /// Removes the tags that are still as they were when the plan was made. If one of the `newest` of a rule has gone
    /// since, an older tag may be to stay in its place: the rule's tags are left to the next run.
    async fn remove_doomed(
        &self,
        retention: &Retention,
        repository: &Repository,
        doomed: &[Doomed],
        newest: &[Vec<Tag>],
    ) -> Result<Vec<RemovedTag>, RetentionError> {
        if newest.iter().any(|tags| !tags.is_empty()) {
            // Pushes do not wait while the list of tags is read.
            drop(repository.with::<TagIndex>().await?);
        }
        let mut state = repository.locks().exclusive(&repository.name).await;
        let tags: Vec<_> = doomed.iter().map(|doomed| doomed.facts.tag.clone()).collect();
        let facts = retention.facts(repository, &tags).await?;
        let mut unchanged: Vec<_> = doomed.iter().filter(|doomed| facts.contains(&doomed.facts)).collect();
        for (rule, newest) in newest.iter().enumerate().filter(|(_, newest)| !newest.is_empty()) {
            let known = repository.know::<TagIndex>(&mut state).await?;
            if !newest.iter().all(|tag| known.contains(tag)) {
                unchanged.retain(|doomed| doomed.rule != rule);
            }
        }
        let removals = unchanged.iter().map(|doomed| {
            let tag = &doomed.facts.tag;
            let removal = async {
                let key = layout::tag(&repository.name, tag);
                repository.storage().delete_tree(&key).await.map(drop)
            };
            repository.remove(Action::TagDeleted(tag), removal)
        });
        let (mut removed, mut failure) = (Vec::new(), None);
        for (doomed, ended) in unchanged.iter().zip(join_all(removals).await) {
            match ended {
                Ok(()) => {
                    state.note_tag(TagChange::Removed(doomed.facts.tag.clone()));
                    removed.push(removed_tag(repository, doomed));
                }
                Err(error) => failure = Some(error),
            }
        }
        retention.removed.fetch_add(removed.len() as u64, Relaxed);
        for RemovedTag { repository, tag, digest, rule, .. } in &removed {
            tracing::info!(%repository, %tag, %digest, rule, "a tag that no rule keeps was removed");
        }
        let settled = repository.settle(&mut state, failure.map_or(Ok(()), Err)).await;
        match settled {
            Ok(()) => Ok(removed),
            Err(RegistryError::Storage(error)) => Err(error.into()),
            // Only the store can fail here.
            Err(_) => Err(RetentionError::Storage(StorageError::Busy)),
        }
    }
}

fn removed_tag(repository: &Repository, doomed: &Doomed) -> RemovedTag {
    RemovedTag {
        repository: repository.name.clone(),
        tag: doomed.facts.tag.clone(),
        digest: doomed.facts.digest.clone(),
        pushed: doomed.facts.pushed.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
        rule: doomed.rule + 1,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use std::sync::Mutex;

    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::{
        oci::{MediaType, Preconditions, Reference},
        registry::{
            Extensions, ManifestPush, Overwrite, RetentionRule, Rules,
            events::{Event, Listener},
        },
        storage::{Durability, Storage},
    };

    /// Notes the tags that are deleted.
    #[derive(Debug, Default)]
    struct Deleted(Mutex<Vec<String>>);

    impl Listener for Deleted {
        fn happened(&self, event: &Event<'_>) {
            if let Event::Repository(event) = event
                && let Action::TagDeleted(tag) = event.action
            {
                self.0.lock().unwrap().push(tag.to_string());
            }
        }
    }

    async fn push(registry: &Registry, tag: &str, note: u32) {
        let body = json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": [], "annotations": { "note": note.to_string() } });
        let push = ManifestPush {
            reference: Reference::Tag(tag.parse().unwrap()),
            tags: Vec::new(),
            content_type: None,
            bytes: Bytes::from(serde_json::to_vec(&body).unwrap()),
            overwrite: Overwrite::Allowed,
            conditions: Preconditions::default(),
        };
        registry.repository("ci/app".parse().unwrap()).put_manifest(push).await.unwrap();
    }

    async fn retain(registry: &Registry, dry_run: bool) -> (RetentionReport, Vec<String>) {
        let (events, mut told) = mpsc::channel(1000);
        let report = registry.retain(RetentionRun { dry_run }, events).await.unwrap();
        let mut tags = Vec::new();
        while let Ok(RetentionEvent::Removed(removed)) = told.try_recv() {
            tags.push(removed.tag.to_string());
        }
        (report, tags)
    }

    #[tokio::test]
    async fn a_run_does_what_the_dry_run_says_and_no_more_than_its_ceiling() {
        let directory = tempfile::tempdir().unwrap();
        let filesystem = Storage::filesystem(directory.path(), Durability::None).await.unwrap();
        for storage in [Storage::memory(), filesystem] {
            let deleted = Arc::new(Deleted::default());
            let rule = RetentionRule {
                repositories: vec!["ci/**".parse().unwrap()],
                keep_newest: Some(2),
                protect: vec!["kept".parse().unwrap()],
                ..RetentionRule::default()
            };
            let extensions = Extensions {
                listeners: vec![deleted.clone()],
                retention: Some(Arc::new(Retention::new(vec![rule], None, 40))),
                ..Extensions::default()
            };
            let registry = Registry::extended(storage, Rules::default(), extensions);
            push(&registry, "kept", 0).await;
            let tags: Vec<_> = (0..52).map(|number| format!("t{number:02}")).collect();
            for tag in &tags {
                push(&registry, tag, 1).await;
                // The dates of files may be as coarse as the kernel's clock.
                tokio::time::sleep(Duration::from_millis(11)).await;
            }
            for (expected, left) in [(&tags[..40], 10), (&tags[40..50], 0), (&[][..], 0)] {
                let (dry, would) = retain(&registry, true).await;
                assert_eq!((would.as_slice(), dry.left), (expected, left));
                let (report, gone) = retain(&registry, false).await;
                assert_eq!(gone, would);
                assert_eq!(
                    RetentionReport { dry_run: false, seconds: 0.0, ..dry },
                    RetentionReport { seconds: 0.0, ..report }
                );
            }
            let mut gone = deleted.0.lock().unwrap().clone();
            gone.sort();
            assert_eq!(gone, tags[..50]);
            let left = registry.repository("ci/app".parse().unwrap()).list_tags(None, 100).await.unwrap().entries;
            let left: Vec<_> = left.iter().map(ToString::to_string).collect();
            assert_eq!(left, ["kept", "t50", "t51"]);
        }
    }

    #[tokio::test]
    async fn a_tag_that_changed_since_the_plan_stays() {
        let rule = RetentionRule {
            repositories: vec!["**".parse().unwrap()],
            keep_newest: Some(0),
            pulled_within: Some(Duration::from_secs(1)),
            ..RetentionRule::default()
        };
        let retention = Arc::new(Retention::new(vec![rule], None, 100));
        let extensions = Extensions {
            listeners: vec![retention.clone()],
            retention: Some(retention.clone()),
            ..Extensions::default()
        };
        let registry = Registry::extended(Storage::memory(), Rules::default(), extensions);
        for tag in ["moved", "pulled", "pushed", "same"] {
            push(&registry, tag, 1).await;
        }
        retention.load_pulls(&registry).await.unwrap();
        let repository = registry.repository("ci/app".parse().unwrap());
        let later = SystemTime::now() + Duration::from_secs(60);
        let plan = retention.plan(&repository, later).await.unwrap();
        assert_eq!(plan.doomed.len(), 4);
        tokio::time::sleep(Duration::from_millis(11)).await;
        push(&registry, "moved", 2).await;
        push(&registry, "pushed", 1).await;
        // A pull of one tag is one of the manifest, so its other tags stay as well.
        let gone = registry.remove_doomed(&retention, &repository, &plan.doomed[3..], &plan.newest).await.unwrap();
        assert_eq!(gone.len(), 1);
        repository.manifest(&Reference::Tag("pulled".parse().unwrap())).await.unwrap();
        let gone = registry.remove_doomed(&retention, &repository, &plan.doomed[..3], &plan.newest).await.unwrap();
        assert!(gone.is_empty(), "{gone:?}");
    }

    #[tokio::test]
    async fn the_newest_stay_though_one_of_them_is_deleted_after_the_plan() {
        let all = || vec!["**".parse().unwrap()];
        let rules = vec![
            RetentionRule {
                repositories: all(),
                tags: vec!["a*".parse().unwrap()],
                keep_newest: Some(2),
                ..RetentionRule::default()
            },
            RetentionRule { repositories: all(), keep_newest: Some(1), ..RetentionRule::default() },
        ];
        let retention = Arc::new(Retention::new(rules, None, 100));
        let registry = Registry::new(Storage::memory(), Rules::default());
        for tag in ["a1", "a2", "a3", "b1", "b2"] {
            push(&registry, tag, 1).await;
            tokio::time::sleep(Duration::from_millis(11)).await;
        }
        let repository = registry.repository("ci/app".parse().unwrap());
        let plan = retention.plan(&repository, SystemTime::now()).await.unwrap();
        repository.delete_tag(&"a2".parse().unwrap(), Preconditions::default()).await.unwrap();
        let gone = registry.remove_doomed(&retention, &repository, &plan.doomed, &plan.newest).await.unwrap();
        let gone: Vec<_> = gone.iter().map(|removed| removed.tag.to_string()).collect();
        assert_eq!(gone, ["b1"]);
    }

    #[tokio::test]
    async fn a_tag_follows_the_manifest_that_it_is_about_unless_it_names_it() {
        let rule = RetentionRule {
            repositories: vec!["**".parse().unwrap()],
            keep_newest: Some(0),
            ..RetentionRule::default()
        };
        let retention = Retention::new(vec![rule], None, 100);
        let registry = Registry::new(Storage::memory(), Rules::default());
        let repository = registry.repository("ci/app".parse().unwrap());
        push(&registry, "v1", 1).await;
        let digest = repository.manifest(&Reference::Tag("v1".parse().unwrap())).await.unwrap().digest;
        let by_digest = digest.to_string().replace(':', "-");
        push(&registry, &by_digest, 1).await;
        push(&registry, &format!("{by_digest}.sig"), 2).await;
        let plan = retention.plan(&repository, SystemTime::now()).await.unwrap();
        let mut doomed: Vec<_> = plan.doomed.iter().map(|doomed| doomed.facts.tag.to_string()).collect();
        doomed.sort();
        assert_eq!((doomed, plan.seen), (vec![by_digest, "v1".to_owned()], 3));
    }
}
