//! `wharf gc`, and the same by registry:2's name, `wharf garbage-collect`.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use indicatif::HumanBytes;

use super::{FileArguments, output, progress::Bar, store};
use crate::{
    config::Config,
    registry::{Collection, CollectionEvent, CollectionPhase, CollectionReport, Removal, Removed},
    server::control::Request,
};

/// Take away what nothing refers to.
#[derive(Debug, Args)]
pub(super) struct Gc {
    /// Only list what would go
    #[arg(long)]
    dry_run: bool,
    /// Take manifests without a tag as well; children of an index and referrers stay with what they belong to
    #[arg(long)]
    untagged: bool,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    file: FileArguments,
}

/// Take away what nothing refers to, with the arguments of registry:2.
#[derive(Debug, Args)]
pub(super) struct GarbageCollect {
    /// Only list what would go
    #[arg(short, long)]
    dry_run: bool,
    /// Take manifests without a tag as well
    #[arg(short = 'm', long)]
    delete_untagged: bool,
    /// Print nothing but what goes wrong
    #[arg(short, long)]
    quiet: bool,
    /// The settings file, as registry:2 has it
    #[arg(value_name = "CONFIG")]
    config: Option<PathBuf>,
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
        let collection = Collection { dry_run: self.dry_run, untagged: self.untagged };
        collect(&self.file, collection, if self.json { Said::Json } else { Said::Text })
    }
}

impl GarbageCollect {
    /// As [`Gc::run`].
    pub(super) fn run(self) -> ExitCode {
        let collection = Collection { dry_run: self.dry_run, untagged: self.delete_untagged };
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
    let done = done(&config, collection, |event| match event {
        CollectionEvent::Progress(progress) => bar.show(name(progress.phase), progress.done, progress.of),
        CollectionEvent::Removed(removal) if collection.dry_run => match said {
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
    store::work(config, &Request::Collect(collection), tell, |registry, events| async move {
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
    format!(
        "{verb} {} ({} bytes): {} blobs and manifests, {} links, {} untagged manifests, {} repositories, {} uploads, in {:.1} s\n",
        HumanBytes(report.bytes),
        report.bytes,
        report.contents,
        report.links,
        report.manifests,
        report.repositories,
        report.uploads,
        report.seconds
    )
}

fn json(report: &CollectionReport, removals: &[Removal]) -> String {
    let mut json = serde_json::json!(report);
    if report.dry_run {
        json["removals"] = serde_json::json!(removals);
    }
    format!("{json:#}\n")
}
