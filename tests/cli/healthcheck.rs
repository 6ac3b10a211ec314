//! `wharf healthcheck`, against servers that say one thing.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::thread::JoinHandle;

use super::wharf::wharf;

/// Reads a request's head, answers, and hands over what was asked.
fn answer(mut stream: impl Read + Write, text: &str) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
        head.push(byte[0]);
    }
    stream.write_all(text.as_bytes()).unwrap();
    String::from_utf8(head).unwrap()
}

fn serve(text: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (address, std::thread::spawn(move || answer(listener.accept().unwrap().0, text)))
}

#[test]
fn the_exit_code_is_the_answer() {
    let cases = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0, ""),
        ("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", 1, "answered 503"),
        ("HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n", 1, "answered 301"),
        ("SSH-2.0-x\r\n", 1, "the answer is not HTTP"),
        ("", 1, "the connection was closed before the end of the answer"),
    ];
    for (text, code, complaint) in cases {
        let (address, server) = serve(text);
        let ran = wharf(&["healthcheck", &format!("http://{address}/")], &[]);
        let asked = server.join().unwrap();
        assert!(asked.starts_with("GET /healthz HTTP/1.1\r\n"), "{asked}");
        assert_eq!(ran.code, code, "{text}: {ran:?}");
        assert!(ran.err.contains(complaint), "{text}: {ran:?}");
    }
}

#[test]
fn without_a_url_the_settings_say_where() {
    let (address, server) = serve("HTTP/1.1 200 OK\r\n\r\n");
    let ran = wharf(&["healthcheck"], &[("REGISTRY_HTTP_ADDR", &address)]);
    assert!(server.join().unwrap().contains(&format!("Host: {address}\r\n")));
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn every_address_is_reached_by_way_of_localhost() {
    let (address, server) = serve("HTTP/1.1 200 OK\r\n\r\n");
    let port = address.rsplit(':').next().unwrap().to_owned();
    let ran = wharf(&["healthcheck"], &[("REGISTRY_HTTP_ADDR", &format!("0.0.0.0:{port}"))]);
    assert!(server.join().unwrap().contains(&format!("Host: localhost:{port}\r\n")));
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn a_socket_in_the_file_system_is_asked_too() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    let server = std::thread::spawn(move || answer(listener.accept().unwrap().0, "HTTP/1.1 200 OK\r\n\r\n"));
    let variables = [("REGISTRY_HTTP_NET", "unix"), ("REGISTRY_HTTP_ADDR", socket.to_str().unwrap())];
    let ran = wharf(&["healthcheck"], &variables);
    assert!(server.join().unwrap().starts_with("GET /healthz "));
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// A certificate for another name, that nobody signed, is as good as any for this question.
#[test]
fn a_registry_that_speaks_tls_is_asked_with_tls() {
    let made = rcgen::generate_simple_self_signed(["registry.example.test".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = std::sync::Arc::new(config);
    for (text, code) in [("HTTP/1.1 200 OK\r\n\r\n", 0), ("HTTP/1.1 503 No\r\n\r\n", 1)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connection = rustls::ServerConnection::new(config.clone()).unwrap();
        let server = std::thread::spawn(move || {
            answer(rustls::StreamOwned::new(connection, listener.accept().unwrap().0), text)
        });
        let ran = wharf(&["healthcheck", &format!("https://127.0.0.1:{port}")], &[]);
        assert!(server.join().unwrap().starts_with("GET /healthz "));
        assert_eq!(ran.code, code, "{ran:?}");
    }
}

#[test]
fn a_registry_in_the_clear_does_not_pass_for_one_that_speaks_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 5]).unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").unwrap();
    });
    let ran = wharf(&["healthcheck", &format!("https://127.0.0.1:{port}")], &[]);
    server.join().unwrap();
    assert_eq!(ran.code, 1, "{ran:?}");
}

#[test]
fn nobody_there_is_not_well() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = wharf(&["healthcheck", &format!("http://{free}/healthz")], &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("can't be asked"), "{ran:?}");
    for url in ["localhost:5000", "unix:/x", "ftp://localhost/", "http://"] {
        assert_eq!(wharf(&["healthcheck", url], &[]).code, 1, "{url}");
    }
}
