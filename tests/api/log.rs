//! What the program writes while clients do what they should not.

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    content::{Image, sha256},
    support::{
        raw::Connection,
        server::{Launch, Program, Server},
        store,
        wait::eventually,
    },
};

/// The program, with its log in JSON.
fn start(directory: &TempDir) -> Server {
    start_with(directory, &[])
}

fn start_with(directory: &TempDir, variables: &[(&str, &str)]) -> Server {
    let launch = Launch::new(Program::Wharf, directory.path()).set("REGISTRY_LOG_FORMATTER", "json");
    variables.iter().fold(launch, |launch, (name, value)| launch.set(name, value)).start()
}

/// Sends one request, and returns the status of its answer.
fn answered(program: &Server, method: &str, target: &str, fields: &str, body: &[u8]) -> u16 {
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n{fields}\r\n",
        body.len()
    );
    Connection::to(program.addr()).write(head.as_bytes()).write(body).head().status
}

/// Mistakes of clients are theirs: they are answered with a 4xx, and no line calls one a failure of ours. Whatever they
/// send, a line is a line.
#[test]
fn j2_mistakes_of_clients_are_one_plain_line_each() {
    let directory = tempfile::tempdir().unwrap();
    let program = start(&directory);
    let (unknown, image) = (sha256(b"unknown"), Image::new("image"));
    let session = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    let manifest = "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n";
    let mut requests: Vec<(&str, String, &str, &[u8])> = vec![
        ("GET", "/v2/a%0ab/tags/list".into(), "", b""),
        ("GET", "/v2/%1b%5b31mred/manifests/1".into(), "User-Agent: \x1b[31mred\x1b[0m\r\n", b""),
        ("GET", "/v2/a/manifests/%0d%0a%7b%22level%22:%22error%22%7d".into(), "", b""),
        ("GET", "/v2/a/tags/list?last=%0a&token=secret".into(), "Authorization: Bearer secret\r\n", b""),
        ("\x7fGET", "/v2/".into(), "", b""),
        ("GET\u{9b}", "/v2/".into(), "", b""),
        ("PROPFIND", "/v2/".into(), "", b""),
        ("GET", "/nowhere".into(), "", b""),
        ("GET", format!("/v2/a/blobs/{unknown}"), "", b""),
        ("DELETE", format!("/v2/a/blobs/{unknown}"), "", b""),
        ("GET", format!("/v2/a/blobs/{unknown}"), "Range: bytes=500-0\r\n", b""),
        ("PATCH", format!("/v2/a/blobs/uploads/{session}"), "", b"x"),
        ("POST", format!("/v2/a/blobs/uploads/?digest={unknown}"), "", b"other"),
        ("POST", "/v2/a/blobs/uploads/?digest=..".into(), "", b"other"),
        ("PUT", "/v2/a/manifests/1".into(), manifest, b"{"),
        ("PUT", "/v2/a/manifests/1".into(), "Content-Type: text/html\r\n", b"<html>"),
        ("PUT", "/v2/a/manifests/1".into(), manifest, &image.manifest),
        ("PUT", format!("/v2/a/manifests/{unknown}"), manifest, &image.manifest),
        ("GET", "/v2/_catalog?n=-1".into(), "", b""),
        ("GET", "/v2/_catalog?n=9223372036854775808".into(), "", b""),
        ("GET", "/v2/".into(), "Upgrade: websocket\r\nConnection: Upgrade\r\n", b""),
    ];
    let long = format!("/v2/{}/tags/list", "a".repeat(5000));
    requests.push(("GET", long, "", b""));
    for (method, target, fields, body) in &requests {
        let status = answered(&program, method, target, fields, body);
        assert!((400..500).contains(&status), "{method} {target}: {status}");
    }
    // Those that are no requests at all, or break off.
    for bytes in [&b"\x16\x03\x01\0\0"[..], b"GET /v2/ HTTP/1.1\r\n\r\n", b"\r\n\r\n\r\n", b"GET / HT"] {
        Connection::to(program.addr()).write(bytes).finish().rest();
    }
    let broken =
        format!("POST /v2/a/blobs/uploads/?digest={unknown} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n123");
    Connection::to(program.addr()).write(broken.as_bytes()).finish().rest();
    assert_eq!(answered(&program, "GET", "/v2/", "", b""), 200);

    let written = program.end();
    let mut access = 0;
    for line in written.lines() {
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert!(!line.contains("secret"), "{line}");
        let record: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(!matches!(record["level"].as_str().unwrap(), "error" | "warn"), "{line}");
        if record.get("status").is_some() {
            access += 1;
            assert!(
                record["method"].is_string() && record["route"].is_string() && record["address"] == "127.0.0.1",
                "{line}"
            );
        }
    }
    // What was no request has its line too; a connection that broke off before there was one, and the handshake, have
    // none.
    assert!(access >= requests.len() + 2, "{access}: {written}");
}

/// Whom a request comes from is what a proxy says that was named, and nobody else.
#[test]
fn the_log_has_the_address_of_the_client_and_not_of_the_proxy() {
    let fields = "X-Forwarded-For: 10.0.0.1, 192.0.2.7\r\nX-Real-IP: 10.0.0.2\r\nForwarded: for=10.0.0.3\r\n";
    for (trusted, expected) in [("[]", "127.0.0.1"), ("[192.0.2.0/24]", "127.0.0.1"), ("[127.0.0.0/8]", "192.0.2.7")] {
        let directory = tempfile::tempdir().unwrap();
        let program = start_with(&directory, &[("REGISTRY_HTTP_TRUSTEDPROXIES", trusted)]);
        assert_eq!(answered(&program, "GET", "/v2/", fields, b""), 200);
        let written = program.end();
        let addresses: Vec<Value> = written
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|record| record.get("status").is_some())
            .map(|record| record["address"].clone())
            .collect();
        assert_eq!(addresses, [expected], "{trusted}: {written}");
    }
}

/// The line of a download says how many bytes the client was sent, whichever way they went.
#[test]
fn the_log_has_the_bytes_of_each_download() {
    let directory = tempfile::tempdir().unwrap();
    let program = start(&directory);
    let content = vec![7; 100_000];
    let digest = sha256(&content);
    assert_eq!(answered(&program, "POST", &format!("/v2/a/blobs/uploads/?digest={digest}"), "", &content), 201);
    let request = |range: &str| format!("GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: x\r\nRange: bytes={range}\r\n\r\n");
    let mut connection = Connection::to(program.addr());
    for range in ["0-", "5-20", "10-99999", "100000-", "1-80000"] {
        connection.write(request(range).as_bytes()).answer();
    }
    drop(connection);
    let written = program.end();
    let records = written.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let downloads: Vec<Value> = records
        .filter(|record| record["method"] == "GET" && record["status"] != 416)
        .map(|r| r["bytes"].clone())
        .collect();
    assert_eq!(downloads, [100_000, 16, 99_990, 80_000], "{written}");
}

/// A store that fails in the middle of a download is no client's mistake: the client sees that the body broke off, and
/// the operator reads which blob it was.
#[test]
fn a_download_that_breaks_off_on_our_side_is_told_to_the_operator() {
    let directory = tempfile::tempdir().unwrap();
    let program = start(&directory);
    // More than the buffers between the two ends hold.
    let content = vec![7; 48 * 1024 * 1024];
    let digest = sha256(&content);
    assert_eq!(answered(&program, "POST", &format!("/v2/a/blobs/uploads/?digest={digest}"), "", &content), 201);
    let request = format!("GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let mut connection = Connection::to(program.addr());
    let head = connection.write(request.as_bytes()).head();
    assert_eq!((head.status, head.value("content-length")), (200, content.len().to_string().as_str()));
    let data = store::blob(program.root(), &digest);
    std::fs::File::options().write(true).open(data).unwrap().set_len(0).unwrap();
    assert!(connection.rest().len() < content.len());
    let written = program.end();
    let failures = written.lines().filter(|line| line.contains("\"level\":\"error\"")).collect::<Vec<_>>();
    assert!(matches!(failures[..], [line] if line.contains(&digest)), "{written}");
}

/// A line of a refusal says why, and one of no route which path it was; times have one length.
#[test]
fn report_words_a_line_of_a_refusal_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let program = start(&directory);
    let digest = sha256(b"unknown");
    for (method, target, status) in [
        ("GET", "/nowhere%20else?secret=1".to_owned(), 404),
        ("GET", "/v2/a%zz/tags/list".to_owned(), 400),
        ("GET", "/v2/A/tags/list".to_owned(), 400),
        ("GET", format!("/v2/a/blobs/{digest}"), 404),
        ("POST", "/v2/_catalog".to_owned(), 405),
        ("GET", format!("/{}", "x".repeat(5000)), 414),
    ] {
        assert_eq!(answered(&program, method, &target, "", b""), status, "{target}");
    }
    assert_eq!(answered(&program, "GET", "/v2/", "", b""), 200);
    let written = program.end();
    let records: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for record in &records {
        assert_eq!(record["time"].as_str().unwrap().len(), "2026-01-02T03:04:05.678900Z".len(), "{record}");
    }
    let lines: Vec<_> = records.iter().filter(|record| record.get("status").is_some()).collect();
    let reason = |at: usize| lines[at]["reason"].as_str().unwrap_or_else(|| panic!("{}", lines[at]));
    assert_eq!((lines[0]["path"].as_str(), lines[0]["route"].as_str()), (Some("/nowhere else"), Some("-")));
    assert!(reason(0).contains("nothing at this path"));
    assert_eq!(lines[1]["path"], "/v2/a%zz/tags/list");
    assert!(reason(1).contains("escape") && reason(2).contains("name") && reason(3).contains(&digest));
    assert_eq!((lines[2]["path"].as_str(), lines[3].get("path")), (Some("/v2/A/tags/list"), None));
    assert!(reason(4).contains("method") && reason(5).contains("longer than"));
    assert!(lines[5]["path"].as_str().unwrap().len() <= 300);
    assert_eq!((lines[6].get("reason"), lines[6].get("path")), (None, None));
    assert!(!written.contains("secret"), "{written}");
}

/// Each request has a line, also one whose client is gone, or went on with what is no request, before the answer: what
/// it asked for may be done.
#[test]
fn report_a5_a_request_that_nobody_waits_for_has_a_line() {
    let directory = tempfile::tempdir().unwrap();
    let program = start(&directory);
    let body = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
    let put = |tag: &str| {
        let length = body.len();
        format!(
            "PUT /v2/a/manifests/{tag} HTTP/1.1\r\nHost: x\r\nContent-Type: application/vnd.oci.image.index.v1+json\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    for (tag, after) in [("1", &b""[..]), ("2", b"garbage\r\n\r\n"), ("3", b"\0")] {
        let mut connection = Connection::to(program.addr());
        connection.write(&[put(tag).as_bytes(), body, after].concat());
        drop(connection);
    }
    let lines = |log: &str| log.lines().filter(|line| line.contains("\"method\":\"PUT\"")).count();
    eventually("each has its line", || lines(&program.log()) >= 3);
    let log = program.end();
    assert_eq!(lines(&log), 3, "{log}");
}
