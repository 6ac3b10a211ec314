#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected shall stop")]

use std::{net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{RootCertStore, ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer, server::WebPkiClientVerifier};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use super::{Client, ClientCertificate, ClientError, Method, Options, Proxy, Request, Response, Trust, is_public};

/// How long is waited for what never comes.
const SHORT: Duration = Duration::from_millis(300);

fn options() -> Options {
    Options { proxy: Proxy::None, ..Options::default() }
}

async fn get(options: &Options, url: &str) -> Result<Response, ClientError> {
    Client::new(options)?.send(Request::new(Method::GET, url.parse().unwrap())).await
}

/// Reads the head of a request.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, text: &str) -> String {
    let head = head(&mut stream).await;
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    if text.contains("STALL") {
        std::future::pending::<()>().await;
    }
    let _ = stream.shutdown().await;
    head
}

/// A server that answers one request; its address, and what it was asked.
async fn serve(text: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (address, tokio::spawn(async move { answer(listener.accept().await.unwrap().0, text).await }))
}

#[tokio::test]
async fn a_request_has_its_headers_and_its_body_comes_in_pieces() {
    let (address, server) = serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").await;
    let url = format!("http://user:p%40ss@{address}/v2/a?n=1#part");
    let mut response = get(&options(), &url).await.unwrap();
    assert_eq!((response.status.as_u16(), response.content_length()), (200, Some(5)));
    assert_eq!(response.chunk().await.unwrap(), Some(Bytes::from_static(b"hello")));
    assert_eq!(response.chunk().await.unwrap(), None);
    let asked = server.await.unwrap();
    assert!(asked.starts_with("GET /v2/a?n=1 HTTP/1.1\r\n"), "{asked}");
    // The password is `p@ss`.
    for line in [&format!("Host: {address}"), "Accept-Encoding: identity", "Authorization: Basic dXNlcjpwQHNz"] {
        assert!(asked.contains(&format!("\r\n{line}\r\n")), "{line}: {asked}");
    }
    assert!(asked.contains("\r\nUser-Agent: wharf/"), "{asked}");
}

#[tokio::test]
async fn a_response_may_have_many_fields() {
    let fields = "X-Field: value\r\n".repeat(500);
    let (address, _server) = serve(format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n").leak()).await;
    assert_eq!(get(&options(), &format!("http://{address}/")).await.unwrap().headers.len(), 501);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (address, _server) = serve("HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:1/\r\n\r\n").await;
    let response = get(&options(), &format!("http://{address}/")).await.unwrap();
    assert_eq!(
        (response.status.as_u16(), &response.headers["location"]),
        (307, &"http://127.0.0.1:1/".parse().unwrap())
    );
}

#[tokio::test]
async fn every_bad_answer_is_an_error() {
    let cases = [
        ("SSH-2.0-x\r\n", "the answer is not HTTP"),
        ("", "the connection was closed before the end of the answer"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "the connection broke"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "the connection broke"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world", "more than 8 bytes"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nSTALL", "takes too long"),
        ("HTTP/1.1 200 STALL\r\n", "takes too long"),
    ];
    for (text, expected) in cases {
        let (address, _server) = serve(text).await;
        let timeout = if text.contains("STALL") { SHORT } else { Duration::from_secs(60) };
        let options = Options { connect_timeout: timeout, read_timeout: timeout, ..options() };
        let read = async { get(&options, &format!("http://{address}/")).await?.bytes(8).await };
        let error = read.await.unwrap_err().to_string();
        assert!(error.contains(expected), "{text:?}: {error}");
    }
}

#[tokio::test]
async fn addresses_that_are_forbidden_are_not_connected_to() {
    let (address, _server) = serve("HTTP/1.1 200 OK\r\n\r\n").await;
    let port = address.rsplit(':').next().unwrap();
    let only_public = Options { may_connect: is_public, ..options() };
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"] {
        let error = get(&only_public, &format!("http://{host}:{port}/")).await.unwrap_err();
        assert!(matches!(error, ClientError::Forbidden { .. }), "{host}: {error}");
    }
    // By way of a proxy, what stands in the URL is still judged.
    let (proxy, _server) = serve("HTTP/1.1 200 OK\r\n\r\n").await;
    let proxied = Options { proxy: Proxy::Url(format!("http://{proxy}")), ..only_public };
    let error = get(&proxied, "http://169.254.169.254/").await.unwrap_err();
    assert!(matches!(error, ClientError::Forbidden { .. }), "{error}");
}

#[tokio::test]
async fn nothing_that_listens_is_an_error_with_the_address() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = get(&options(), &format!("http://secret:secret@{free}/")).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("no connection to {free}: ")) && !error.contains("secret"), "{error}");
    for url in ["ftp://localhost/", "unix:/x"] {
        assert!(matches!(get(&options(), url).await, Err(ClientError::Request(_))), "{url}");
    }
}

/// A server with TLS that answers one request, and asks for a certificate of `client_authority` if there is one.
async fn serve_tls(
    authority: &CertifiedIssuer<'static, KeyPair>,
    client_authority: Option<&CertifiedIssuer<'static, KeyPair>>,
) -> (String, JoinHandle<Option<String>>) {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, authority).unwrap().der().clone();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match client_authority {
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(builder.with_single_cert(vec![certificate], key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let answered = async move {
        let stream = acceptor.accept(listener.accept().await.unwrap().0).await.ok()?;
        Some(answer(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await)
    };
    (url, tokio::spawn(answered))
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

#[tokio::test]
async fn a_certificate_is_accepted_from_a_known_authority_alone() {
    let authority = authority();
    let trusting = Options { trust: Trust::with_pem(authority.pem().as_bytes()).unwrap(), ..options() };
    let all = Options { trust: Trust::AnyCertificate, ..options() };
    for (options, accepted) in [(&trusting, true), (&all, true), (&options(), false)] {
        let (url, server) = serve_tls(&authority, None).await;
        match get(options, &url).await {
            Ok(mut response) if accepted => assert_eq!(response.bytes(2).await.unwrap(), "hi"),
            Err(ClientError::Tls { .. }) if !accepted => {}
            other => panic!("{accepted}: {other:?}"),
        }
        server.abort();
    }
    // The name has to be right, too.
    let (url, _server) = serve_tls(&authority, None).await;
    let error = get(&trusting, &url.replace("localhost", "127.0.0.1")).await.unwrap_err();
    assert!(matches!(error, ClientError::Tls { .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_is_shown_one() {
    let authority = authority();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(["client".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let trust = Trust::with_pem(authority.pem().as_bytes()).unwrap();
    let certificate = ClientCertificate::from_pem(own.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap();
    for certificate in [Some(certificate), None] {
        let (url, server) = serve_tls(&authority, Some(&authority)).await;
        let shown = certificate.is_some();
        let answered = get(&Options { trust: trust.clone(), certificate, ..options() }, &url).await;
        assert_eq!(answered.is_ok(), shown, "{answered:?}");
        assert_eq!(server.await.unwrap().is_some(), shown);
    }
    for (chain, key) in [("", "x"), ("x", &*key.serialize_pem())] {
        assert!(ClientCertificate::from_pem(chain.as_bytes(), key.as_bytes()).is_err());
    }
}

#[tokio::test]
async fn a_proxy_gets_requests_with_the_whole_url() {
    let (proxy, server) = serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let options = Options { proxy: Proxy::Url(format!("http://me:secret@{proxy}")), ..options() };
    get(&options, "http://registry.invalid:5000/v2/").await.unwrap();
    let asked = server.await.unwrap();
    assert!(asked.starts_with("GET http://registry.invalid:5000/v2/ HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n"), "{asked}");
}

/// A proxy that connects to `to`, whatever it is asked for; what it was asked.
async fn tunnel(to: String) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let tunnelled = async move {
        let mut client = listener.accept().await.unwrap().0;
        let asked = head(&mut client).await;
        let mut server = TcpStream::connect(to).await.unwrap();
        client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        asked
    };
    (address, tokio::spawn(tunnelled))
}

#[tokio::test]
async fn tls_goes_through_a_proxy() {
    let authority = authority();
    let (url, server) = serve_tls(&authority, None).await;
    let target = url.trim_start_matches("https://").trim_end_matches('/').to_owned();
    let (proxy, asked) = tunnel(target.clone()).await;
    let trust = Trust::with_pem(authority.pem().as_bytes()).unwrap();
    let options = Options { proxy: Proxy::Url(format!("http://me:secret@{proxy}")), trust, ..options() };
    assert_eq!(get(&options, &url).await.unwrap().bytes(2).await.unwrap(), "hi");
    assert!(server.await.unwrap().unwrap().starts_with("GET / HTTP/1.1\r\n"));
    drop(options);
    let asked = asked.await.unwrap().to_ascii_lowercase();
    assert!(asked.starts_with(&format!("connect {target} http/1.1\r\n")), "{asked}");
    assert!(asked.contains("\r\nproxy-authorization: basic bwu6c2vjcmv0\r\n"), "{asked}");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_an_error_without_its_password() {
    let (proxy, _server) = serve("HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n").await;
    let options = Options { proxy: Proxy::Url(format!("http://me:secret@{proxy}")), ..options() };
    let error = get(&options, "https://registry.invalid/").await.unwrap_err().to_string();
    assert!(error.contains("registry.invalid:443: it answers 407") && !error.contains("secret"), "{error}");
    for url in ["", "socks5://localhost:1", "ftp://secret@x/", "http://"] {
        let made = Client::new(&Options { proxy: Proxy::Url(url.to_owned()), ..Options::default() });
        assert!(made.is_err_and(|error| !error.to_string().contains("secret")), "{url}");
    }
}

#[tokio::test]
async fn connections_are_used_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for _ in 0..2 {
            head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await.unwrap();
        }
    });
    let client = Client::new(&options()).unwrap();
    for _ in 0..2 {
        let mut response = client.send(Request::new(Method::GET, url.parse().unwrap())).await.unwrap();
        assert_eq!(response.bytes(2).await.unwrap(), "hi");
    }
    server.await.unwrap();
}

#[test]
fn all_addresses_may_be_connected_to_unless_the_options_say_otherwise() {
    assert!((Options::default().may_connect)(IpAddr::from([127, 0, 0, 1])));
}
