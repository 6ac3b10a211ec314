//! The metrics of registry:2 and registry:3 after the same work: wharf has each of their series, and nothing is only
//! there for show.

use std::collections::BTreeSet;

use crate::{
    scrape::{Measured, work},
    support::server::Program,
};

/// Families of the language's run time, of their scraper, and of the whole machine's network.
const NOT_OURS: [&str; 3] = ["go_", "promhttp_", "process_network_"];

/// What may be zero after the work: there was no failure in a cache, no other registry, and no request of that kind.
const ZEROS: [&str; 4] = [
    "registry_storage_cache_errors_total",
    "registry_proxy_",
    "registry_notifications_",
    "registry_http_in_flight_requests",
];

fn compare(program: Program) {
    let theirs = tempfile::tempdir().unwrap();
    let cache = [("REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR", "inmemory")];
    let theirs = Measured::start(program, theirs.path(), &cache);
    let store = tempfile::tempdir().unwrap();
    let ours = Measured::start(Program::Wharf, store.path(), &[]);
    work(&theirs.server);
    work(&ours.server);
    let (theirs, ours) = (theirs.scrape(), ours.scrape());
    let is_theirs = |name: &&String| !NOT_OURS.iter().any(|prefix| name.starts_with(prefix));
    let missing: BTreeSet<_> =
        theirs.series.keys().filter(is_theirs).filter(|name| !ours.series.contains_key(*name)).collect();
    assert!(missing.is_empty(), "wharf lacks {missing:#?}");
    for (family, kind) in &theirs.kinds {
        if is_theirs(&family) && theirs.series.keys().any(|series| series.starts_with(family.as_str())) {
            assert_eq!(ours.kinds.get(family), Some(kind), "{family}");
        }
    }
    let may_be_zero = |name: &str| ZEROS.iter().any(|prefix| name.starts_with(prefix)) || name.contains("_bucket");
    for name in theirs.series.keys().filter(is_theirs).filter(|name| !may_be_zero(name)) {
        // A clock with coarse ticks times actions that wait for nothing: of a few of them the sum may be 0.
        let name = name.replace("registry_storage_action_seconds_sum", "registry_storage_action_seconds_count");
        assert!(ours.value(&name) > 0.0 || theirs.value(&name) == 0.0, "{name} is there and counts nothing");
    }
    let counts = |name: &&String| name.starts_with("registry_http_requests_total");
    for name in theirs.series.keys().filter(counts) {
        assert!(
            (ours.value(name) - theirs.value(name)).abs() < 0.5,
            "{name}: {} and {}",
            ours.value(name),
            theirs.value(name)
        );
    }
}

#[test]
#[ignore = "needs registry:2: run ./test"]
fn nothing_of_registry2_is_missing_needs_registry2() {
    compare(Program::Registry2);
}

#[test]
#[ignore = "needs registry:3: run ./test"]
fn nothing_of_registry3_is_missing_needs_registry3() {
    compare(Program::Registry3);
}
