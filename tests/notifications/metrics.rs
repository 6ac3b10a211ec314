//! What is counted of an endpoint.

use crate::{
    endpoint::{Endpoint, Mood},
    support::{
        http::Registry,
        image::Blob,
        server::{Program, free_port},
        wait::eventually,
    },
};

#[test]
fn metrics_count_events_attempts_and_what_waits() {
    let (root, endpoint) = (tempfile::tempdir().unwrap(), Endpoint::new());
    let debug = format!("127.0.0.1:{}", free_port());
    let launch = endpoint.launch(Program::Wharf, root.path(), "").set("REGISTRY_HTTP_DEBUG_ADDR", &debug);
    let server = launch.set("REGISTRY_HTTP_DEBUG_PROMETHEUS_ENABLED", "true").start();
    let scrape = || {
        let text = Registry::new(&format!("http://{debug}")).get("/metrics").expect(200).body;
        String::from_utf8(text.to_vec()).unwrap()
    };
    let has = |line: &str| scrape().lines().any(|other| other == line);
    endpoint.set(Mood::Answers(503));
    let repository = server.http().repository("app");
    (0..2).for_each(|seed| repository.push_blob(&Blob::noise(seed, 100)));
    let failed =
        || scrape().contains("registry_notifications_status_total{code=\"503 Service Unavailable\",endpoint=\"hook\"}");
    eventually("a failure is counted", failed);
    assert!(has("registry_notifications_pending_total{endpoint=\"hook\"} 2"), "{}", scrape());
    endpoint.set(Mood::Answers(200));
    endpoint.expect(2);
    for line in [
        "registry_notifications_events_total{endpoint=\"hook\",type=\"Events\"} 2",
        "registry_notifications_events_total{endpoint=\"hook\",type=\"Successes\"} 2",
        "registry_notifications_events_total{endpoint=\"hook\",type=\"Errors\"} 0",
        "registry_notifications_status_total{code=\"200 OK\",endpoint=\"hook\"} 2",
        "registry_notifications_pending_total{endpoint=\"hook\"} 0",
        "wharf_notifications_lost_total{endpoint=\"hook\"} 0",
    ] {
        eventually(line, || has(line));
    }
}
