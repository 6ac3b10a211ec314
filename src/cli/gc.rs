//! `wharf gc`, and the same by registry:2's name, `wharf garbage-collect`.

use std::{path::PathBuf, process::ExitCode};

use clap::{ArgAction, Args};
use indicatif::{HumanBytes, HumanDuration};
use time::{OffsetDateTime, macros::format_description};

use super::{FileArguments, maintenance, output, progress::Bar};
use crate::{
    config::Config,
    oci::RepositoryName,
    registry::{Collection, CollectionEvent, CollectionPhase, CollectionReport, Removal, Removed},
    server::control::Request,
};

/// Take away what nothing refers to.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct Gc {
    /// Only list what would go
    #[arg(long)]
    dry_run: bool,
    /// Take manifests without a tag as well; children of an index and referrers stay with what they belong to
    #[arg(long)]
    untagged: bool,
    /// This repository was removed on purpose, by other means than the registry: do not wait for it to come back
    #[arg(long, value_name = "NAME")]
    forget: Vec<RepositoryName>,
    /// The content that was there before any repository belongs to none, or all repositories are back: collect again
    #[arg(long)]
    forget_unexplained: bool,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    file: FileArguments,
}

/// Take away what nothing refers to, with the arguments of registry:2. Flags may have a value as Go has it: `--dry-run=false`.
#[derive(Debug, Args)]
pub(super) struct GarbageCollect {
    /// Only list what would go
    #[arg(short, long, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true)]
    #[arg(default_value_t = false, default_missing_value = "true", value_parser = go_bool, overrides_with = "dry_run")]
    dry_run: bool,
    /// Take manifests without a tag as well
    #[arg(short = 'm', long, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true)]
    #[arg(default_value_t = false, default_missing_value = "true", value_parser = go_bool, overrides_with = "delete_untagged")]
    delete_untagged: bool,
    /// Print nothing but what goes wrong
    #[arg(short, long, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true)]
    #[arg(default_value_t = false, default_missing_value = "true", value_parser = go_bool, overrides_with = "quiet")]
    quiet: bool,
    /// The settings file, as registry:2 has it
    #[arg(value_name = "CONFIG")]
    config: Option<PathBuf>,
}

/// A boolean as Go's `strconv.ParseBool` reads it, which registry:2's flags are read with.
fn go_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("true or false is expected".to_owned()),
    }
}

/// How much is said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Text,
    Json,
    Nothing,
}

impl Gc {
    /// Exit code 0 if all went that should; 1 if not, or if it could not be begun.
    pub(super) fn run(self) -> ExitCode {
        let Self { dry_run, untagged, forget, forget_unexplained, .. } = self;
        let collection = Collection { dry_run, untagged, forget, forget_unexplained };
        collect(&self.file, collection, if self.json { Said::Json } else { Said::Text })
    }
}

impl GarbageCollect {
    /// As [`Gc::run`].
    pub(super) fn run(self) -> ExitCode {
        let collection = Collection { dry_run: self.dry_run, untagged: self.delete_untagged, ..Collection::default() };
        let file = FileArguments { file: self.config, config: None };
        collect(&file, collection, if self.quiet { Said::Nothing } else { Said::Text })
    }
}

fn collect(file: &FileArguments, collection: Collection, said: Said) -> ExitCode {
    let config = match file.sources().load() {
        Ok(loaded) => loaded.config,
        Err(errors) => return failed(&errors),
    };
    let bar = Bar::new();
    let mut removals = Vec::new();
    let is_dry = collection.dry_run;
    let done = done(&config, collection, |event| match event {
        CollectionEvent::Progress(progress) => bar.show(name(progress.phase), progress.done, progress.of),
        CollectionEvent::Removed(removal) if is_dry => match said {
            Said::Json => removals.push(removal),
            Said::Text => bar.print(&would_go(&removal)),
            Said::Nothing => {}
        },
        CollectionEvent::Removed(_) => {}
    });
    bar.clear();
    let report = match done {
        Ok(report) => report,
        Err(why) => return failed(&why),
    };
    for obstacle in &report.obstacles {
        output::complain(obstacle);
    }
    let is_incomplete = report.is_incomplete();
    let printed = match said {
        Said::Text => output::answer(&text(&report)),
        Said::Json => output::answer(&json(&report, &removals)),
        Said::Nothing => ExitCode::SUCCESS,
    };
    if is_incomplete { failed(&"no blob was collected: see above") } else { printed }
}

/// By the server that has the store, or here if there is none.
fn done(
    config: &Config,
    collection: Collection,
    tell: impl FnMut(CollectionEvent),
) -> Result<CollectionReport, String> {
    maintenance::work(config, &Request::Collect(collection.clone()), tell, |registry, events| async move {
        registry.collect(collection, events).await
    })
}

fn failed(why: &dyn std::fmt::Display) -> ExitCode {
    output::complain(why);
    ExitCode::FAILURE
}

fn name(phase: CollectionPhase) -> &'static str {
    match phase {
        CollectionPhase::Untag => "manifests without a tag",
        CollectionPhase::Mark => "reading manifests",
        CollectionPhase::Links => "links",
        CollectionPhase::Contents => "blobs",
    }
}

fn would_go(removal: &Removal) -> String {
    let what = match removal.kind {
        Removed::Manifest => "manifest",
        Removed::Link => "link",
        Removed::Content => "content",
        Removed::Repository => "repository",
    };
    let repository = removal.repository.as_ref().map(ToString::to_string).unwrap_or_default();
    let digest = removal.digest.as_ref().map(|digest| format!("@{digest}")).unwrap_or_default();
    let bytes = if removal.bytes > 0 { format!(" {}", HumanBytes(removal.bytes)) } else { String::new() };
    format!("would remove {what} {repository}{digest}{bytes}")
}

fn text(report: &CollectionReport) -> String {
    let verb = if report.dry_run { "would free" } else { "freed" };
    let freed = format!(
        "{verb} {} ({} bytes): {} blobs and manifests, {} links, {} untagged manifests, {} repositories, {} uploads, in {:.1} s\n",
        HumanBytes(report.bytes),
        report.bytes,
        report.contents,
        report.links,
        report.manifests,
        report.repositories,
        report.uploads,
        report.seconds
    );
    freed + &waiting(report)
}

/// What has to wait, and until when.
fn waiting(report: &CollectionReport) -> String {
    let young = report.first_in.zip(report.last_in).map(|(first, last)| {
        let (count, bytes) = (report.waiting, HumanBytes(report.waiting_bytes));
        let untagged = match report.waiting_manifests {
            0 => String::new(),
            manifests => format!(" and {manifests} untagged manifests"),
        };
        let until = if first == last { String::new() } else { format!(", the last {}", moment(last)) };
        let first = moment(first);
        format!("too young: {count} unused blobs and manifests ({bytes}){untagged}; the first can go {first}{until}\n")
    });
    let unsettled = report.settles_in.map(|wait| {
        let until = moment(wait);
        format!(
            "nothing goes until {until}: the server does not know what clients were told before the system started\n"
        )
    });
    let future = "some content is dated in the future and counts as new: look at the clock of this machine\n";
    let future = (report.future > 0).then(|| future.to_owned());
    [young, unsettled, future].into_iter().flatten().collect()
}

/// A moment that is so many seconds away: `2026-11-27 10:00:00 UTC (in 23 hours)`.
fn moment(seconds: u64) -> String {
    let wait = std::time::Duration::from_secs(seconds);
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    let date = OffsetDateTime::now_utc().checked_add(time::Duration::try_from(wait).unwrap_or_default());
    let date = date.and_then(|date| date.format(format).ok()).unwrap_or_default();
    format!("{date} (in {})", HumanDuration(wait))
}

fn json(report: &CollectionReport, removals: &[Removal]) -> String {
    let mut json = serde_json::json!(report);
    if report.dry_run {
        json["removals"] = serde_json::json!(removals);
    }
    format!("{json:#}\n")
}
