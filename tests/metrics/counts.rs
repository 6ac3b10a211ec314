//! What the metrics count.

use std::{collections::BTreeSet, io::Write as _, net::TcpStream};

use reqwest::Method;

use crate::{
    scrape::{Measured, work},
    support::{command::wharf, http::send, image::Image, server::Program, wait::eventually},
};

#[test]
fn requests_are_counted_by_handler_method_and_code() {
    let root = tempfile::tempdir().unwrap();
    let measured = Measured::start(Program::Wharf, root.path(), &[]);
    work(&measured.server);
    measured.server.http().get("/v2/demo/app/referrers/sha256:x").expect(400);
    measured.server.http().get("/somewhere").expect(404);
    let scrape = measured.scrape();
    for (labels, count) in [
        ("code=\"200\",handler=\"catalog\",method=\"get\"", 1),
        ("code=\"404\",handler=\"manifest\",method=\"get\"", 1),
        ("code=\"404\",handler=\"other\",method=\"get\"", 1),
        ("code=\"201\",handler=\"blob_upload\",method=\"post\"", 1),
        ("code=\"202\",handler=\"blob\",method=\"delete\"", 1),
    ] {
        let series = format!("registry_http_requests_total{{{labels}}}");
        assert_eq!(scrape.value(&series), f64::from(count), "{series}");
    }
    let sent = scrape.value("registry_http_response_size_bytes_sum{handler=\"blob\"}");
    assert!(sent > 100.0, "{sent}");
    let received = scrape.value("registry_http_request_size_bytes_sum{handler=\"blob_upload_chunk\"}");
    assert!(received > 100.0, "{received}");
    for (name, value) in
        [("wharf_uploads_cancelled_total", 1.0), ("wharf_uploads_open", 0.0), ("wharf_store_writable", 1.0)]
    {
        assert_eq!(scrape.value(name), value, "{name}");
    }
    for (name, _) in scrape.series.iter().filter(|(name, _)| name.starts_with("registry_http_in_flight_requests")) {
        assert_eq!(scrape.value(name), 0.0, "{name}");
    }
}

#[test]
fn a_request_is_in_flight_until_its_end_and_an_upload_that_breaks_off_is_counted() {
    let root = tempfile::tempdir().unwrap();
    let measured = Measured::start(Program::Wharf, root.path(), &[]);
    let location = measured.server.http().repository("a").begin();
    let mut socket = TcpStream::connect(measured.server.addr()).unwrap();
    write!(socket, "PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nfirst").unwrap();
    let in_flight = || measured.scrape().value("registry_http_in_flight_requests{handler=\"blob_upload_chunk\"}");
    eventually("the request is in flight", || in_flight() > 0.0);
    assert_eq!(measured.scrape().value("wharf_uploads_open"), 1.0);
    drop(socket);
    eventually("it has ended", || in_flight() == 0.0);
    eventually("it is counted", || measured.scrape().value("wharf_uploads_interrupted_total") > 0.0);
}

#[test]
fn refusals_and_collections_are_counted() {
    let root = tempfile::tempdir().unwrap();
    let users = root.path().join("users");
    std::fs::write(&users, "a:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n").unwrap();
    let store = tempfile::tempdir().unwrap();
    let path = users.to_str().unwrap();
    let measured = Measured::start(Program::Wharf, store.path(), &[("REGISTRY_AUTH_HTPASSWD_PATH", path)]);
    let registry = measured.server.http();
    registry.get("/v2/").expect(401);
    send(registry.request(Method::GET, "/v2/").basic_auth("a", Some("wrong"))).expect(401);
    send(registry.request(Method::GET, "/v2/").bearer_auth("x")).expect(401);
    let scrape = measured.scrape();
    // A request without credentials is no refusal.
    assert_eq!(scrape.value("wharf_auth_refusals_total{reason=\"credentials\"}"), 2.0);
    assert!(wharf(store.path(), &["gc"]).status.success());
    let scrape = measured.scrape();
    assert_eq!(scrape.value("wharf_gc_collections_total"), 1.0);
    assert!(scrape.value("wharf_gc_last_end_timestamp_seconds") > 1.7e9);
}

/// All three are answered by 429.
#[test]
fn wrong_passwords_sessions_and_bodies_at_the_same_time_are_counted_apart() {
    let root = tempfile::tempdir().unwrap();
    let (users, store) = (root.path().join("users"), root.path().join("store"));
    std::fs::write(&users, "a:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n").unwrap();
    let variables = [("REGISTRY_AUTH_HTPASSWD_PATH", users.to_str().unwrap())];
    let guarded = Measured::start(Program::Wharf, &store, &variables);
    let guess = |guess: u32| send(guarded.server.http().request(Method::GET, "/v2/").basic_auth("a", Some(guess)));
    assert!((0..30).map(guess).any(|answer| answer.status == 429));
    let counted = |measured: &Measured| {
        let scrape = measured.scrape();
        let value = |limit| scrape.value(&format!("wharf_http_refusals_total{{limit=\"{limit}\"}}"));
        ["passwords", "sessions", "uploads", "upstream"].map(value)
    };
    assert_eq!(counted(&guarded), [1.0, 0.0, 0.0, 0.0]);
    let variables = [("REGISTRY_LIMITS_UNFINISHED_UPLOADS", "1"), ("REGISTRY_LIMITS_UPLOADS", "1")];
    let open = Measured::start(Program::Wharf, &root.path().join("other"), &variables);
    let repository = open.server.http().repository("a");
    let session = repository.begin();
    send(repository.request(Method::POST, "blobs/uploads/")).expect(429);
    let mut socket = TcpStream::connect(open.server.addr()).unwrap();
    write!(socket, "PATCH {session} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nfirst").unwrap();
    eventually("a body is turned away", || repository.patch(&session, b"x").unwrap().status == 429);
    assert_eq!(counted(&open), [0.0, 1.0, 1.0, 0.0]);
}

#[test]
fn an_upload_that_expires_is_counted() {
    let root = tempfile::tempdir().unwrap();
    let age = ("REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING_AGE", "1s");
    let interval = ("REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING_INTERVAL", "1s");
    let measured = Measured::start(Program::Wharf, root.path(), &[age, interval]);
    measured.server.http().repository("a").begin();
    let expired = || measured.scrape().value("wharf_uploads_expired_total");
    eventually("the session has expired", || expired() > 0.0);
    assert_eq!((expired(), measured.scrape().value("wharf_uploads_open")), (1.0, 0.0));
}

#[test]
fn pages_have_handlers_of_their_own() {
    let root = tempfile::tempdir().unwrap();
    let measured = Measured::start(Program::Wharf, root.path(), &[("REGISTRY_UI_ENABLED", "true")]);
    for (path, status) in [("/", 200), ("/ui/", 200), ("/ui/style.css", 200), ("/ui/r/none", 404), ("/none", 404)] {
        measured.server.http().get(path).expect(status);
    }
    let scrape = measured.scrape();
    let count = |handler| {
        scrape.value(&format!("registry_http_request_duration_seconds_count{{handler=\"{handler}\",method=\"get\"}}"))
    };
    assert_eq!(["root", "page", "other"].map(count), [1.0, 3.0, 1.0]);
}

/// No label has values that clients choose: the series are the same, however many repositories, tags, users, paths and
/// methods there are.
#[test]
fn clients_make_no_series() {
    let root = tempfile::tempdir().unwrap();
    let measured = Measured::start(Program::Wharf, root.path(), &[]);
    let names = |ours: bool| -> BTreeSet<String> {
        let scrape = measured.scrape();
        scrape.series.into_keys().filter(|name| !ours || name.starts_with("wharf_")).collect()
    };
    let round = |number: u64| {
        let image = Image::new(number, "amd64");
        let repository = measured.server.http().repository(&format!("r{number}"));
        repository.push(&format!("t{number}"), &image);
        repository.expect_image(&format!("t{number}"), &image);
        for method in ["GET", "BREW", &format!("M{number}")] {
            for path in [format!("/v2/r{number}/x"), format!("/{number}"), format!("/v2/r{number}/tags/list")] {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                send(measured.server.http().request(method, &path).header("User-Agent", number.to_string()));
            }
        }
    };
    round(0);
    let before = names(false);
    (1..30).for_each(round);
    assert_eq!(names(false), before);
    assert!(names(true).len() < 500, "{}", names(true).len());
}
