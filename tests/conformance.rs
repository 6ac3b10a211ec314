//! The official conformance program of the distribution specification.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected shall stop")]

#[path = "support/mod.rs"]
mod support;

use support::{
    client::Client,
    server::{Launch, Program},
};

/// Everything that the program tests only when it is told to.
const EVERY_OPTION: [&str; 7] = [
    "OCI_API_BLOBS_DIGEST_HEADER",
    "OCI_API_BLOBS_UPLOAD_CANCEL",
    "OCI_API_MANIFESTS_DIGEST_HEADER",
    "OCI_API_MANIFESTS_TAG_PARAM",
    "OCI_API_BLOBS_MOUNT_ANONYMOUS",
    "OCI_DATA_SPARSE",
    "OCI_DATA_SHA512",
];

/// How many tests had which result.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    passed: u32,
    failed: u32,
    skipped: u32,
    errors: u32,
    disabled: u32,
}

impl Counts {
    /// Reads the block under `OCI Conformance Result`; `None` if the program did not come so far, which it may do with
    /// a good exit code.
    fn read(report: &str) -> Option<Self> {
        let (_, block) = report.split_once("OCI Conformance Result:")?;
        let count = |status: &str| {
            let line = block.lines().find(|line| line.trim_start().starts_with(&format!("{status}.")))?;
            line.rsplit_once(':')?.1.trim().parse().ok()
        };
        Some(Self {
            passed: count("Pass")?,
            failed: count("FAIL")?,
            skipped: count("Skip")?,
            errors: count("Error")?,
            disabled: count("Disabled")?,
        })
    }
}

/// The lines of the report that name what did not pass, with their reasons.
fn complaints(report: &str) -> String {
    let results = report.split("\nConfiguration:").next().unwrap_or_default();
    let bad = |line: &&str| ["FAIL", "Skip", "Error", "Disabled"].iter().any(|status| line.ends_with(status));
    results.lines().filter(|line| bad(line) || line.trim_start().starts_with("- ")).collect::<Vec<_>>().join("\n")
}

/// Runs the program against a new registry.
#[expect(clippy::print_stdout, reason = "the counts are worth reading after a success too")]
fn conformance(version: &str, options: &[&str], settings: &[(&str, &str)]) -> (Counts, String) {
    let root = tempfile::tempdir().unwrap();
    let launch = Launch::new(Program::under_test(), root.path());
    let server = settings.iter().fold(launch, |launch, (name, value)| launch.set(name, value)).start();
    let program = Client::new("conformance");
    let mut command = program.command([] as [&str; 0]);
    command.env("OCI_REGISTRY", server.host()).env("OCI_TLS", "disabled").env("OCI_VERSION", version);
    command.env("OCI_RESULTS_DIR", program.home().join("results")).envs(options.iter().map(|option| (option, "true")));
    // Its exit code says less than its report: 0 where it could not start, 1 where a test was skipped.
    let output = support::client::attempt(&mut command);
    let counts = Counts::read(&output.stdout).unwrap_or_else(|| panic!("no report: {output}"));
    println!("OCI_VERSION={version}, {} options: {counts:?}", options.len());
    (counts, complaints(&output.stdout))
}

/// Every option on, and manifests with missing parts allowed, since the option for sparse ones asks for that.
fn passes_whole(version: &str) {
    let settings = [("REGISTRY_VALIDATION_MANIFESTS_MISSING", "allow")];
    let (counts, complaints) = conformance(version, &EVERY_OPTION, &settings);
    let passed = counts.passed;
    assert_eq!(counts, Counts { passed, failed: 0, skipped: 0, errors: 0, disabled: 0 }, "{complaints}");
    assert!(passed > 900, "only {passed} tests were run");
}

/// No option, no setting.
fn fails_nowhere(version: &str) {
    let (counts, complaints) = conformance(version, &[], &[]);
    assert_eq!((counts.failed, counts.errors), (0, 0), "{complaints}");
    assert!(counts.passed > 700, "only {} tests were run", counts.passed);
}

#[test]
#[ignore = "needs the conformance program: run ./test"]
fn version_1_1_passes_whole_needs_conformance() {
    passes_whole("1.1");
}

#[test]
#[ignore = "needs the conformance program: run ./test"]
fn development_version_passes_whole_needs_conformance() {
    passes_whole("dev");
}

#[test]
#[ignore = "needs the conformance program: run ./test"]
fn version_1_1_fails_nowhere_with_the_defaults_needs_conformance() {
    fails_nowhere("1.1");
}

#[test]
#[ignore = "needs the conformance program: run ./test"]
fn development_version_fails_nowhere_with_the_defaults_needs_conformance() {
    fails_nowhere("dev");
}

#[test]
fn failures_are_seen_in_a_report() {
    let report = "Test results\nTop: FAIL\n  Top/a: Pass\n  Top/b: FAIL\n   - why\n\nConfiguration:\n  x: FAIL\n\n\
                  OCI Conformance Result: FAIL\n  Disabled......:          1\n  Skip.....:         23\n  Pass....:        738\n  \
                  FAIL.....:        210\n  Error.....:          4\n  Total....:        976\n";
    let counts = Counts { passed: 738, failed: 210, skipped: 23, errors: 4, disabled: 1 };
    assert_eq!(Counts::read(report), Some(counts));
    assert_eq!(complaints(report), "Top: FAIL\n  Top/b: FAIL\n   - why");
    assert_eq!(Counts::read("failed to setup test"), None);
}
