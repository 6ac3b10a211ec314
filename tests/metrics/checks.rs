//! Health checks: while one fails, every request is refused.

use crate::{
    scrape::Measured,
    support::{server::Program, wait::eventually},
};

#[test]
fn a_file_takes_the_registry_out_of_service_and_back() {
    let (root, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let down = folder.path().join("down");
    let path = down.to_str().unwrap();
    let variables = [
        ("REGISTRY_HEALTH_FILE_0_FILE", path),
        ("REGISTRY_HEALTH_FILE_0_INTERVAL", "50ms"),
        ("REGISTRY_HEALTH_STORAGEDRIVER_ENABLED", "true"),
    ];
    let measured = Measured::start(Program::Wharf, root.path(), &variables);
    let status = |path: &str| measured.server.http().get(path).status;
    measured.debug.get("/debug/health").expect(200);
    for path in ["/", "/v2/", "/v2/_catalog"] {
        assert_eq!(status(path), 200, "{path}");
    }
    std::fs::write(&down, "").unwrap();
    eventually("the registry is out of service", || status("/v2/") == 503);
    for path in ["/", "/v2/", "/v2/_catalog", "/nowhere", "/healthz"] {
        assert_eq!(status(path), 503, "{path}");
    }
    let answer = measured.server.http().get("/v2/");
    assert_eq!(answer.expect(503).code(), "UNAVAILABLE");
    let health = measured.debug.get("/debug/health").expect(503).json();
    assert_eq!(health, serde_json::json!({ path: "file exists" }));
    let lines = |text: &str| measured.server.log().matches(text).count();
    assert_eq!((lines("a health check fails"), lines("a request failed")), (1, 0), "one line says it");
    std::fs::remove_file(&down).unwrap();
    eventually("the registry is back", || status("/v2/") == 200);
    measured.debug.get("/debug/health").expect(200);
}

#[test]
fn the_debug_listener_has_nothing_of_the_registry_and_the_registry_nothing_of_it() {
    let root = tempfile::tempdir().unwrap();
    let measured = Measured::start(Program::Wharf, root.path(), &[]);
    for path in ["/v2/", "/v2/_catalog", "/healthz", "/debug/pprof/", "/debug/vars"] {
        measured.debug.get(path).expect(404);
    }
    for path in ["/metrics", "/debug/health"] {
        measured.server.http().get(path).expect(404);
    }
}

#[test]
fn a_server_that_does_not_answer_takes_the_registry_out_of_service() {
    let (root, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let checked = Measured::start(Program::Wharf, other.path(), &[]);
    let (url, address) = (format!("http://{}/", checked.server.addr()), checked.server.addr().to_string());
    let variables = [
        ("REGISTRY_HEALTH_HTTP_0_URI", url.as_str()),
        ("REGISTRY_HEALTH_HTTP_0_INTERVAL", "50ms"),
        ("REGISTRY_HEALTH_TCP_0_ADDR", address.as_str()),
        ("REGISTRY_HEALTH_TCP_0_INTERVAL", "50ms"),
    ];
    let measured = Measured::start(Program::Wharf, root.path(), &variables);
    let status = || measured.server.http().get("/v2/").status;
    eventually("both checks pass", || status() == 200);
    checked.server.kill();
    eventually("both checks fail", || {
        let health = measured.debug.get("/debug/health").json();
        health.get(&url).is_some() && health.get(&address).is_some()
    });
    assert_eq!(status(), 503);
}
