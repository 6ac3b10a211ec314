//! `wharf gc`, and `wharf garbage-collect`, which is the same under registry:2's name.

use std::{path::PathBuf, process::ExitCode};

use clap::{ArgAction, Args};
use indicatif::{HumanBytes, HumanDuration};
use time::{OffsetDateTime, macros::format_description};

use super::{CommandResult, FileArguments, maintenance, output, progress_bar::Bar};
use crate::{
    oci::RepositoryName,
    registry::{Collection, CollectionEvent, CollectionPhase, CollectionReport, Removal, Removed},
    server::control_socket::Request,
};

/// Remove content that nothing refers to.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct Gc {
    /// Only list what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Also remove untagged manifests; children of a kept index and referrers of a kept manifest stay
    #[arg(long)]
    untagged: bool,
    /// Do not wait for this repository to return: it was removed on purpose, outside the registry
    #[arg(long, value_name = "NAME")]
    forget: Vec<RepositoryName>,
    /// Also collect content that was in the store before any repository was: no missing repository needs it
    #[arg(long)]
    forget_unexplained: bool,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    file: FileArguments,
}

/// Remove content that nothing refers to, with the arguments of registry:2. Flags take values as in Go:
/// `--dry-run=false`.
#[derive(Debug, Args)]
pub(super) struct GarbageCollect {
    /// Only list what would be removed
    #[arg(short, long, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true)]
    #[arg(default_value_t = false, default_missing_value = "true", value_parser = go_bool, overrides_with = "dry_run")]
    dry_run: bool,
    /// Also remove untagged manifests
    #[arg(short = 'm', long, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true)]
    #[arg(default_value_t = false, default_missing_value = "true", value_parser = go_bool, overrides_with = "delete_untagged")]
    delete_untagged: bool,
    /// Print errors only
    #[arg(short, long, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true)]
    #[arg(default_value_t = false, default_missing_value = "true", value_parser = go_bool, overrides_with = "quiet")]
    quiet: bool,
    /// The settings file, at the place where registry:2 takes it
    #[arg(value_name = "CONFIG")]
    config: Option<PathBuf>,
}

/// A boolean as Go's `strconv.ParseBool` reads it; registry:2 reads its flags with it.
fn go_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("the value must be true or false".to_owned()),
    }
}

/// The form of what is printed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Text,
    Json,
    Nothing,
}

impl Gc {
    /// Exit code 0 if the collection is complete, else 1.
    pub(super) fn run(self) -> CommandResult {
        let Self { dry_run, untagged, forget, forget_unexplained, .. } = self;
        let collection = Collection { dry_run, untagged, forget, forget_unexplained };
        collect(&self.file, collection, if self.json { Format::Json } else { Format::Text })
    }
}

impl GarbageCollect {
    /// As [`Gc::run`].
    pub(super) fn run(self) -> CommandResult {
        let collection = Collection { dry_run: self.dry_run, untagged: self.delete_untagged, ..Collection::default() };
        let file = FileArguments { file: self.config, config: None };
        collect(&file, collection, if self.quiet { Format::Nothing } else { Format::Text })
    }
}

fn collect(file: &FileArguments, collection: Collection, format: Format) -> CommandResult {
    let config = file.sources().load()?.config;
    let bar = Bar::new();
    let mut removals = Vec::new();
    let is_dry = collection.dry_run;
    let tell = |event| match event {
        CollectionEvent::Progress(progress) => bar.show(name(progress.phase), progress.done, progress.of),
        CollectionEvent::Removed(removal) if is_dry => match format {
            Format::Json => removals.push(removal),
            Format::Text => bar.print(&removal_line(&removal)),
            Format::Nothing => {}
        },
        CollectionEvent::Removed(_) => {}
    };
    let request = Request::Collect(collection.clone());
    let done = maintenance::work(&config, &request, tell, |registry, events| async move {
        registry.collect(collection, events).await
    });
    bar.clear();
    let report: CollectionReport = done?;
    for obstacle in &report.obstacles {
        output::complain(obstacle);
    }
    let is_incomplete = report.is_incomplete();
    let printed = match format {
        Format::Text => output::answer(&text(&report)),
        Format::Json => output::answer(&json(&report, &removals)),
        Format::Nothing => ExitCode::SUCCESS,
    };
    if is_incomplete { Err("no blob was collected: see above".into()) } else { Ok(printed) }
}

fn name(phase: CollectionPhase) -> &'static str {
    match phase {
        CollectionPhase::Untag => "manifests without a tag",
        CollectionPhase::Mark => "reading manifests",
        CollectionPhase::Links => "links",
        CollectionPhase::Contents => "blobs",
    }
}

fn removal_line(removal: &Removal) -> String {
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

/// The content that is too young to be removed, and when it can be.
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

/// The moment this many seconds from now: `2026-11-27 10:00:00 UTC (in 23 hours)`.
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
