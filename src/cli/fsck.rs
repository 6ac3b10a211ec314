//! `wharf fsck`.

use std::process::ExitCode;

use clap::Args;
use indicatif::HumanBytes;

use super::{CommandResult, FileArguments, maintenance, output, progress_bar::Bar};
use crate::{
    config,
    registry::{Finding, FsckEvent, FsckPhase, FsckReport, Inspection, Outcome},
    server::control_socket::Request,
};

/// Check the whole store.
///
/// Reads every blob and manifest, compares it with its digest, and follows every link. Damaged content is set aside: it
/// is not served, and the next push of it restores it. Exit code 0 if no problem is left, 1 if problems are left, 2 if
/// the check could not run.
#[derive(Debug, Args)]
pub(super) struct Fsck {
    /// Repair: remove links and tags that lead nowhere, create missing parts of repositories
    #[arg(long)]
    repair: bool,
    /// For each manifest with referrers, tag an index of them, for registries and clients without the referrers API
    #[arg(long)]
    write_referrers_tags: bool,
    /// Read at most this many bytes per second: 100MiB
    #[arg(long, value_name = "SIZE", value_parser = config::parse_size)]
    rate: Option<u64>,
    /// Print findings and figures as one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    file: FileArguments,
}

const PROBLEMS_LEFT: u8 = 1;
const NOT_CHECKED: u8 = 2;

impl Fsck {
    pub(super) fn run(self) -> ExitCode {
        self.check().unwrap_or_else(|error| {
            output::complain(&error);
            ExitCode::from(NOT_CHECKED)
        })
    }

    fn check(self) -> CommandResult {
        let config = self.file.sources().load()?.config;
        let inspection =
            Inspection { repair: self.repair, write_referrers_tags: self.write_referrers_tags, rate: self.rate };
        let bar = Bar::new();
        let mut findings = Vec::new();
        let tell = |event| match event {
            FsckEvent::Progress(progress) => bar.show(name(progress.phase), progress.done, progress.of),
            FsckEvent::Finding(finding) if self.json => findings.push(finding),
            FsckEvent::Finding(finding) => bar.print(&line(&finding)),
        };
        let done = maintenance::work(&config, &Request::Fsck(inspection), tell, |registry, events| async move {
            registry.fsck(inspection, events).await
        });
        bar.clear();
        let report = done?;
        let printed = output::answer(&if self.json { json(&report, &findings) } else { text(&report) });
        Ok(if report.problems > 0 { ExitCode::from(PROBLEMS_LEFT) } else { printed })
    }
}

fn name(phase: FsckPhase) -> &'static str {
    match phase {
        FsckPhase::Contents => "reading content",
        FsckPhase::Repositories => "following links",
        FsckPhase::Referrers => "writing referrers tags",
    }
}

fn line(finding: &Finding) -> String {
    let outcome = match finding.outcome {
        Outcome::Note => "note",
        Outcome::Mended => "mended",
        Outcome::Problem => "problem",
    };
    let advice = if finding.advice.is_empty() { String::new() } else { format!("; {}", finding.advice) };
    format!("{outcome}: {} {}{advice}", finding.place, finding.what)
}

fn text(report: &FsckReport) -> String {
    let FsckReport { contents, bytes, repositories, manifests, tags, referrers_tags, notes, mended, problems, seconds } =
        report;
    let bytes = HumanBytes(*bytes);
    let written =
        if *referrers_tags > 0 { format!(", {referrers_tags} referrers tags written") } else { String::new() };
    format!(
        "read {contents} blobs and manifests ({bytes}), {repositories} repositories, {manifests} manifests, {tags} tags in {seconds:.1} s: \
         {problems} problems, {mended} mended, {notes} notes{written}\n"
    )
}

fn json(report: &FsckReport, findings: &[Finding]) -> String {
    let mut json = serde_json::json!(report);
    json["findings"] = serde_json::json!(findings);
    format!("{json:#}\n")
}
