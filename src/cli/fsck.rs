//! `wharf fsck`.

use std::process::ExitCode;

use clap::Args;
use indicatif::HumanBytes;

use super::{FileArguments, maintenance, output, progress::Bar};
use crate::{
    config,
    registry::{Diagnosis, Finding, FsckEvent, FsckPhase, Inspection, Outcome},
    server::control::Request,
};

/// Check the whole store.
///
/// Every blob and manifest is read and compared with its digest, and every link is followed. Content that is damaged is set aside, so that it is
/// never served and the next push of it heals the store. Exit code 0 if all is well or was mended, 1 if problems are left, 2 if the check could
/// not be made.
#[derive(Debug, Args)]
pub(super) struct Fsck {
    /// Mend what can be mended: links and tags that lead nowhere go, missing parts of repositories are made
    #[arg(long)]
    repair: bool,
    /// Tag an index of its referrers for each manifest that has some, for registries and clients without the referrers API
    #[arg(long)]
    write_referrers_tags: bool,
    /// Read no more than so many bytes a second: 100MiB
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
        let config = match self.file.sources().load() {
            Ok(loaded) => loaded.config,
            Err(errors) => return not_checked(&errors),
        };
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
        let diagnosis = match done {
            Ok(diagnosis) => diagnosis,
            Err(why) => return not_checked(&why),
        };
        let printed = output::answer(&if self.json { json(&diagnosis, &findings) } else { text(&diagnosis) });
        if diagnosis.problems > 0 { ExitCode::from(PROBLEMS_LEFT) } else { printed }
    }
}

fn not_checked(why: &dyn std::fmt::Display) -> ExitCode {
    output::complain(why);
    ExitCode::from(NOT_CHECKED)
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

fn text(diagnosis: &Diagnosis) -> String {
    let Diagnosis { contents, bytes, repositories, manifests, tags, referrers_tags, notes, mended, problems, seconds } =
        diagnosis;
    let bytes = HumanBytes(*bytes);
    let written =
        if *referrers_tags > 0 { format!(", {referrers_tags} referrers tags written") } else { String::new() };
    format!(
        "read {contents} blobs and manifests ({bytes}), {repositories} repositories, {manifests} manifests, {tags} tags in {seconds:.1} s: \
         {problems} problems, {mended} mended, {notes} notes{written}\n"
    )
}

fn json(diagnosis: &Diagnosis, findings: &[Finding]) -> String {
    let mut json = serde_json::json!(diagnosis);
    json["findings"] = serde_json::json!(findings);
    format!("{json:#}\n")
}
