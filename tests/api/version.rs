//! `/v2/`: is there a registry.

use crate::{registry::TestRegistry, support::raw};

#[tokio::test]
async fn there_is_a_registry_with_and_without_the_slash() {
    let registry = TestRegistry::memory();
    for path in ["/v2/", "/v2"] {
        let answer = registry.get(path).await.expect(200);
        assert_eq!(answer.body, "{}", "{path}");
        assert_eq!(answer.value("content-length"), "2");
        assert_eq!(answer.value("content-type"), "application/json; charset=utf-8");
        assert_eq!(answer.value("docker-distribution-api-version"), "registry/2.0");
        assert_eq!(answer.value("x-content-type-options"), "nosniff");
        let head = registry.head(path).await.expect(200);
        assert_eq!((head.value("content-length"), head.body.len()), ("2", 0));
    }
}

#[tokio::test]
async fn both_families_answer_for_localhost() {
    let registry = TestRegistry::with(|config| {
        config.http.listen = wharf::config::Listen::Tcp(vec![wharf::config::Address::parse("localhost:0").unwrap()]);
    });
    let port = registry.address().port();
    for host in ["127.0.0.1", "localhost"] {
        let answer = reqwest::get(format!("http://{host}:{port}/v2/")).await.unwrap();
        assert_eq!(answer.status(), 200, "{host}");
    }
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        assert_eq!(reqwest::get(format!("http://[::1]:{port}/v2/")).await.unwrap().status(), 200);
    }
}

#[test]
fn any_host_is_answered() {
    let registry = TestRegistry::memory();
    for host in ["registry.example.test", "registry.example.test:443", "[::1]:5000", "xn--bcher-kva.example"] {
        let request = format!("GET /v2/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(raw::parse(&raw::exchange(&registry, request.as_bytes())).status, 200, "{host}");
    }
}

#[tokio::test]
async fn everything_stands_below_a_prefix_that_is_set() {
    let registry = TestRegistry::with(|config| config.http.prefix = "/registry".to_owned());
    registry.get("/registry/v2/").await.expect(200);
    registry.get("/v2/").await.expect(404);
    let begun = registry.post("/registry/v2/a/blobs/uploads/").await.expect(202);
    assert!(begun.value("location").starts_with("/registry/v2/a/blobs/uploads/"), "{begun:?}");
    registry.get(begun.value("location")).await.expect(204);
}
