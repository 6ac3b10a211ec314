//! `wharf retention`: removes tags by the rules of the settings.

use clap::Args;
use time::{OffsetDateTime, macros::format_description};

use super::{CommandResult, FileArguments, maintenance, output};
use crate::{
    registry::{RemovedTag, RetentionEvent, RetentionReport, RetentionRun},
    server::control_socket::Request,
};

/// Remove the tags that no rule of `[[retention]]` and `[tag_ttl]` keeps.
#[derive(Debug, Args)]
pub(super) struct Retention {
    /// Only list what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    file: FileArguments,
}

impl Retention {
    /// Exit code 0 if the run came to its end.
    pub(super) fn run(self) -> CommandResult {
        let Self { dry_run, json, file } = self;
        let config = file.sources().load()?.config;
        let run = RetentionRun { dry_run };
        let mut removed = Vec::new();
        let tell = |RetentionEvent::Removed(tag)| removed.push(tag);
        let report: RetentionReport =
            maintenance::work(&config, &Request::Retain(run), tell, |registry, events| async move {
                registry.retain(run, events).await
            })?;
        Ok(output::answer(&if json { self::json(&report, &removed) } else { text(&report, &removed) }))
    }
}

fn text(report: &RetentionReport, removed: &[RemovedTag]) -> String {
    let verb = if report.dry_run { "would remove" } else { "removed" };
    let lines = removed.iter().map(|RemovedTag { repository, tag, digest, pushed, rule }| {
        format!("{verb} {repository}:{tag}@{digest}, pushed {}, by rule {rule}\n", date(*pushed))
    });
    let sum = format!("{verb} {} of {} tags, in {:.1} s\n", report.tags, report.seen, report.seconds);
    let left = || format!("{} more go in the next runs: one run removes as many at most\n", report.left);
    let unrecorded = || format!("{} tags stay until pulls are recorded for long enough\n", report.unrecorded);
    let notes = [(report.left > 0).then(left), (report.unrecorded > 0).then(unrecorded)];
    lines.chain([sum]).chain(notes.into_iter().flatten()).collect()
}

fn date(seconds: u64) -> String {
    let date = i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    date.and_then(|date| date.format(format).ok()).unwrap_or_default()
}

fn json(report: &RetentionReport, removed: &[RemovedTag]) -> String {
    let mut json = serde_json::json!(report);
    json["removals"] = serde_json::json!(removed);
    format!("{json:#}\n")
}
