//! Prometheus reads the metrics, and answers the queries of the dashboard and of the alert rules.

use std::{
    fs,
    path::Path,
    process::{Child, Stdio},
};

use serde_json::Value;

use crate::{
    scrape::{Measured, work},
    support::{
        client::command,
        command::wharf,
        http::{Registry, try_send},
        server::{Program, free_port},
        wait::{eventually, kill},
    },
};

/// Prometheus, until it is dropped.
struct Prometheus {
    child: Child,
    http: Registry,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        kill(&mut self.child);
    }
}

impl Prometheus {
    /// With the rules of `docs/alerts.yml`. It reads the metrics at `target` every second.
    fn start(home: &Path, target: &str) -> Self {
        let rules = docs("alerts.yml");
        let settings = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: ['{rules}']\n\
             scrape_configs:\n  - job_name: wharf\n    static_configs: [{{targets: ['{target}']}}]\n"
        );
        fs::write(home.join("prometheus.yml"), settings).unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = command("prometheus", home);
        command.arg("--config.file=prometheus.yml").arg("--storage.tsdb.path=data");
        command.arg(format!("--web.listen-address={address}"));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { child, http: Registry::new(&format!("http://{address}")) }
    }

    /// The series that a query finds; `None` if Prometheus can't be asked yet.
    fn query(&self, query: &str) -> Option<Vec<Value>> {
        let request = self.http.request(reqwest::Method::GET, "/api/v1/query").query(&[("query", query)]);
        let answer = try_send(request).ok()?;
        if answer.status == 503 {
            return None;
        }
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        Some(answer.json()["data"]["result"].as_array().unwrap().clone())
    }
}

fn docs(file: &str) -> String {
    format!("{}/docs/{file}", env!("CARGO_MANIFEST_DIR"))
}

/// What dashboards for registry:2 and registry:3 ask: GitLab's, Harbor's and those of Grafana's collection have queries
/// of these forms.
const OF_OTHERS: [&str; 8] = [
    "sum by (handler, method, code) (rate(registry_http_requests_total[1m]))",
    "histogram_quantile(0.9, sum by (le, handler) (rate(registry_http_request_duration_seconds_bucket[1m])))",
    "histogram_quantile(0.9, sum by (le) (rate(registry_http_response_size_bytes_bucket[1m])))",
    "histogram_quantile(0.9, sum by (le, action, driver) (rate(registry_storage_action_seconds_bucket[1m])))",
    "sum by (action) (increase(registry_storage_action_seconds_sum{action=\"URLFor\"}[1m]))",
    "sum by (handler) (registry_http_in_flight_requests{handler=\"manifest\"})",
    "sum(rate(registry_storage_cache_total{type=\"Hit\"}[1m])) \
     / sum(rate(registry_storage_cache_total{type=\"Request\"}[1m]))",
    "rate(registry_storage_cache_hits_total[1m]) / rate(registry_storage_cache_requests_total[1m])",
];

/// The queries of the dashboard, with its variables filled in.
fn dashboard() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(docs("grafana.json")).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let queries = targets.map(|target| target["expr"].as_str().unwrap());
    queries.map(|query| query.replace("$instance", ".*").replace("$__rate_interval", "1m")).collect()
}

#[test]
#[ignore = "needs prometheus: run ./test"]
fn the_queries_of_dashboards_find_something_needs_prometheus() {
    let (store, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let measured = Measured::start(Program::Wharf, store.path(), &[]);
    let prometheus = Prometheus::start(home.path(), &measured.address);
    eventually("Prometheus sees the registry", || {
        prometheus.query("up{job=\"wharf\"} == 1").is_some_and(|series| !series.is_empty())
    });
    work(&measured.server);
    assert!(wharf(store.path(), &["gc"]).status.success());
    let queries = dashboard();
    assert!(queries.len() > 10, "{queries:?}");
    for query in queries.iter().map(String::as_str).chain(OF_OTHERS) {
        eventually(query, || prometheus.query(query).is_some_and(|series| !series.is_empty()));
    }
    let rules = || prometheus.http.get("/api/v1/rules").expect(200).json()["data"]["groups"][0]["rules"].clone();
    let all = |key: &str, value: &str| rules().as_array().unwrap().iter().all(|rule| rule[key] == value);
    assert_eq!(rules().as_array().unwrap().len(), 6);
    eventually("every rule was evaluated", || all("health", "ok"));
    assert!(all("state", "inactive"), "{}", rules());
}
