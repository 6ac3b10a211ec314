//! The alert rules, the dashboard and the page of metrics name metrics that wharf has.

use std::{collections::BTreeSet, fs, path::Path};

use crate::{
    scrape::{Measured, work},
    support::{client::Client, server::Program},
};

fn docs(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(file)).unwrap()
}

/// What looks like the name of a metric.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let prefixes = ["wharf_", "registry_http_", "registry_storage_", "process_"];
    words.filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix) && word != prefix)).collect()
}

#[test]
fn every_metric_in_the_docs_is_there() {
    let root = tempfile::tempdir().unwrap();
    let measured = Measured::start(Program::Wharf, root.path(), &[]);
    work(&measured.server);
    let scrape = measured.scrape();
    let mut found: BTreeSet<&str> = scrape.series.keys().map(|name| name.split('{').next().unwrap()).collect();
    found.extend(scrape.kinds.keys().map(String::as_str));
    // These need TLS, an endpoint of notifications, rules of retention, an upstream, a filesystem that counts files.
    found.extend([
        "wharf_certificate_end_timestamp_seconds",
        "wharf_notifications_lost_total",
        "wharf_retention_removed_tags_total",
        "wharf_upstream_up",
        "wharf_upstream_stale_total",
        "wharf_upstream_shared_total",
        "wharf_upstream_limit_remaining",
        "wharf_upstream_evicted_bytes_total",
        "wharf_upstream_relayed_total",
        "wharf_upstream_stored_bytes",
        "wharf_store_free_inodes",
    ]);
    for file in ["alerts.yml", "grafana.json", "metrics.md"] {
        let text = docs(file);
        let unknown: Vec<_> = names(&text).into_iter().filter(|name| !found.contains(name)).collect();
        assert_eq!(unknown, Vec::<&str>::new(), "{file}");
    }
    let page = docs("metrics.md");
    for family in scrape.kinds.keys().filter(|name| name.starts_with("wharf_")) {
        assert!(page.contains(family.as_str()), "docs/metrics.md lacks {family}");
    }
}

#[test]
#[ignore = "needs promtool: run ./test"]
fn promtool_takes_the_metrics_and_the_alert_rules_needs_promtool() {
    let promtool = Client::new("promtool");
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/alerts.yml");
    let checked = promtool.run(["check", "rules", rules.to_str().unwrap()]);
    assert!(checked.text().contains("6 rules found"), "{checked}");
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/metrics/alerts.test.yml");
    let tested = promtool.run(["test", "rules", tests.to_str().unwrap()]);
    assert!(tested.success, "{tested}");
    let root = tempfile::tempdir().unwrap();
    let measured = Measured::start(Program::Wharf, root.path(), &[]);
    work(&measured.server);
    let metrics = root.path().join("metrics");
    fs::write(&metrics, measured.debug.get("/metrics").expect(200).body).unwrap();
    let check = format!("promtool check metrics < {}", metrics.display());
    let checked = Client::new("sh").run(["-c", &check]);
    // registry:3's names do not all end as its linter wants: `registry_notifications_pending_total` is a gauge.
    assert!(!checked.text().contains("error while"), "{checked}");
}
