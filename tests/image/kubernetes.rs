//! What the chart docker-registry 3.0.0 runs, with its settings and those of `docs/kubernetes-values.yaml`.

use std::fs;

use crate::container::{Container, IMAGE, engine};

/// The `config.yml` that the chart makes of its values.
const SETTINGS: &str = "\
version: 0.1
log: {fields: {service: registry}}
storage: {cache: {blobdescriptor: inmemory}}
http:
  addr: :5000
  draintimeout: 25s
  headers: {X-Content-Type-Options: [nosniff]}
  debug: {addr: ':5001', prometheus: {enabled: false, path: /metrics}}
health: {storagedriver: {enabled: true, interval: 10s, threshold: 3}}
";

/// The server with the chart's command, rights and probe, and beside it the collection of its `CronJob`.
#[test]
#[ignore = "needs docker: run ./test"]
fn the_chart_runs_it_needs_docker() {
    let directory = tempfile::tempdir().unwrap();
    let settings = directory.path().join("config.yml");
    fs::write(&settings, SETTINGS).unwrap();
    let mount = format!("{}:/etc/distribution/config.yml:ro", settings.display());
    let options = [
        "--user",
        "1000:1000",
        "--read-only",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--volume",
        &mount,
        "--volume",
        "chart:/var/lib/registry/",
        "--env",
        "REGISTRY_HTTP_SECRET=secret",
        "--env",
        "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=/var/lib/registry",
        // What Kubernetes says of a Service that is called registry.
        "--env",
        "REGISTRY_PORT=tcp://10.0.0.1:5000",
        "--env",
        "REGISTRY_SERVICE_HOST=10.0.0.1",
    ];
    let serve = ["/bin/registry", "serve", "/etc/distribution/config.yml"];
    let container = Container::start(&options, &serve);
    let probe = || container.attempt(&["wget", "-q", "-S", "-O-", "http://localhost:5000/"]).stderr;
    container.wait("the answer to the probe", || probe().contains("HTTP/1.1 200"));
    let begun = container.run(&["wget", "-S", "-O-", "--post-data", "", "http://localhost:5000/v2/a/blobs/uploads/"]);
    assert!(begun.stderr.contains("202 Accepted"), "{begun}");
    let collect = ["/bin/registry", "garbage-collect", "--delete-untagged=true", "/etc/distribution/config.yml"];
    let job = [&["run", "--rm", "--network", "none"], &options[..], &[IMAGE], &collect].concat();
    let collected = engine().run(&job);
    assert!(collected.text().contains("freed"), "{collected}");
    container.stop();
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "0", "{}", container.logs());
}
