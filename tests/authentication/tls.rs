//! TLS of the registry's own.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::Path,
};

use rcgen::{BasicConstraints, Certificate, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use serde_json::Value;

use crate::{
    raw::{Tls, Trust, get},
    site::{Mode, RULES, Site, basic, write_private},
    support::{
        raw::{connect, rest},
        wait::{eventually, pass},
    },
};

const SETTINGS: &str = "[http.tls]\ncertificate = \"DIRECTORY/certificate\"\nkey = \"DIRECTORY/key\"\n";

/// A certificate for localhost, and its key, both in PEM.
struct Pair {
    certificate: String,
    key: String,
}

impl Pair {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        Self { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    fn write(&self, directory: &Path) {
        fs::write(directory.join("certificate"), &self.certificate).unwrap();
        write_private(&directory.join("key"), &self.key);
    }

    fn trust(&self) -> Trust {
        Trust::new(&self.certificate)
    }
}

/// A site that has this pair, in one of the modes.
fn site(mode: Mode, pair: &Pair, more: &str) -> Site {
    let directory = Site::directory();
    pair.write(directory.path());
    let auth = match mode {
        Mode::Htpasswd => "[auth.htpasswd]\npath = \"DIRECTORY/htpasswd\"\n",
        Mode::Token => {
            "[auth]\nmode = \"token\"\n[auth.token]\nservice = \"r\"\n[auth.htpasswd]\npath = \"DIRECTORY/htpasswd\"\n"
        }
    };
    Site::start(directory, &format!("{auth}{SETTINGS}{more}")).unwrap()
}

fn status(connection: &mut Tls, authorization: &str) -> u16 {
    get(connection, "/v2/", &[&format!("Authorization: {authorization}")]).unwrap().status
}

#[test]
fn row_20_by_its_tls_name_in_both_modes() {
    let pair = Pair::new();
    let htpasswd = site(Mode::Htpasswd, &pair, RULES);
    let mut connection = pair.trust().connect(&htpasswd).unwrap();
    let reply = get(&mut connection, "/v2/", &[]).unwrap().expect(401);
    assert_eq!(reply.all("www-authenticate"), [r#"Basic realm="Registry Realm""#]);
    assert_eq!(status(&mut connection, &basic("alice", "alice-pw")), 200);
    let token = site(Mode::Token, &pair, RULES);
    let mut connection = pair.trust().connect(&token).unwrap();
    let reply = get(&mut connection, "/v2/", &[]).unwrap().expect(401);
    // The realm is https too: clients refuse to send a password from https to http.
    let expected = format!(r#"Bearer realm="https://localhost:{}/token",service="r""#, token.port());
    assert_eq!(reply.all("www-authenticate"), [expected]);
    let alice = format!("Authorization: {}", basic("alice", "alice-pw"));
    let reply = get(&mut connection, "/token?service=r&scope=repository:a:pull", &[&alice]).unwrap().expect(200);
    let json: Value = serde_json::from_slice(&reply.body).unwrap();
    let bearer = format!("Authorization: Bearer {}", json["token"].as_str().unwrap());
    get(&mut connection, "/v2/", &[&bearer]).unwrap().expect(200);
    get(&mut connection, "/v2/a/tags/list", &[&bearer]).unwrap().expect(404);
}

/// Every answer tells clients to use nothing else, errors too; in the operator's words if there are any.
#[test]
fn row_10_and_12_strict_transport_security() {
    let pair = Pair::new();
    let plain = site(Mode::Token, &pair, "");
    let own = site(Mode::Htpasswd, &pair, "[http.headers]\nStrict-Transport-Security = [\"max-age=31536000;\"]\n");
    for (site, expected) in [(&plain, "max-age=31536000"), (&own, "max-age=31536000;")] {
        let mut connection = pair.trust().connect(site).unwrap();
        for path in ["/", "/v2/", "/healthz", "/nothing", "/v2/a/tags/list"] {
            assert_eq!(get(&mut connection, path, &[]).unwrap().all("strict-transport-security"), [expected], "{path}");
        }
    }
}

/// A connection that is open stays so, with the certificate it began with; the next one gets the new certificate.
#[test]
fn a_new_certificate_drops_no_connection() {
    let (first, second) = (Pair::new(), Pair::new());
    let site = site(Mode::Htpasswd, &first, "");
    let mut open = first.trust().connect(&site).unwrap();
    assert_eq!(status(&mut open, &basic("alice", "alice-pw")), 200);
    second.write(&site.path(""));
    eventually("the new certificate", || second.trust().connect(&site).is_ok());
    assert!(first.trust().connect(&site).is_err(), "the old certificate is still shown");
    assert_eq!(status(&mut open, &basic("alice", "alice-pw")), 200);
}

/// A certificate whose key is another's, or files that are none, change nothing; when they go together again, they do.
#[test]
fn a_pair_that_does_not_match_keeps_the_last_good_one() {
    let (first, second, third) = (Pair::new(), Pair::new(), Pair::new());
    let site = site(Mode::Htpasswd, &first, "");
    for (certificate, key) in
        [(&second.certificate, &first.key), (&second.certificate, &third.key), (&String::from("none"), &first.key)]
    {
        fs::write(site.path("certificate"), certificate).unwrap();
        write_private(&site.path("key"), key);
        pass(std::time::Duration::from_millis(1200), "the server would have taken the pair by now");
        let mut connection = first.trust().connect(&site).unwrap();
        assert_eq!(status(&mut connection, &basic("alice", "alice-pw")), 200);
    }
    third.write(&site.path(""));
    eventually("the third pair", || third.trust().connect(&site).is_ok());
}

#[test]
fn a_pair_that_does_not_match_does_not_start() {
    let (first, second) = (Pair::new(), Pair::new());
    for (certificate, key, word) in [
        (first.certificate.as_str(), second.key.as_str(), "don't go together"),
        ("none", &second.key, "certificate"),
        (&first.certificate, "none", "key"),
    ] {
        let directory = Site::directory();
        fs::write(directory.path().join("certificate"), certificate).unwrap();
        write_private(&directory.path().join("key"), key);
        let problem = Site::start(directory, SETTINGS).err().unwrap();
        assert!(problem.contains(word), "{problem}");
        let mut secret = second.key.lines().filter(|line| line.len() > 20 && !line.starts_with("-----"));
        assert!(!secret.any(|line| problem.contains(line)), "{problem}");
    }
}

/// Who speaks HTTP to the TLS port is told so in HTTP.
#[test]
fn a_plain_request_on_the_tls_port() {
    let site = site(Mode::Htpasswd, &Pair::new(), "");
    let mut stream = connect(&site);
    stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let text = String::from_utf8(rest(&mut stream)).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    let json: Value = serde_json::from_str(body).unwrap();
    assert!(json["errors"][0]["message"].as_str().unwrap().contains("https://"), "{body}");
}

/// And the other way round: a TLS handshake on a plain port gets a 400 and the end of the connection, at once.
#[test]
fn a_client_hello_on_a_plain_port() {
    let site = Site::new(Mode::Htpasswd);
    let mut stream = connect(&site);
    // The beginning of a ClientHello of TLS 1.2 (RFC 8446, section 4.1.2).
    stream.write_all(b"\x16\x03\x01\x00\xf8\x01\x00\x00\xf4\x03\x03\r\n\r\n").unwrap();
    let text = String::from_utf8_lossy(&rest(&mut stream)).into_owned();
    assert!(text.starts_with("HTTP/1.1 400 "), "{text:?}");
    assert!(Pair::new().trust().connect(&site).is_err());
    site.http().get("/healthz").expect(200);
}

/// An authority for clients, and a certificate that it has signed.
struct Authority {
    key: KeyPair,
    params: CertificateParams,
    certificate: Certificate,
}

impl Authority {
    fn new() -> Self {
        Self::with(CertificateParams::new(vec![]).unwrap())
    }

    fn expired() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.not_after = rcgen::date_time_ymd(2020, 1, 2);
        Self::with(params)
    }

    fn with(mut params: CertificateParams) -> Self {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { key, params, certificate }
    }

    fn client(&self) -> Pair {
        let mut params = CertificateParams::new(vec!["client".to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &rcgen::Issuer::from_params(&self.params, &self.key)).unwrap();
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

#[test]
fn certificates_of_clients() {
    let (pair, authority, stranger) = (Pair::new(), Authority::new(), Authority::new());
    let expired = Authority::expired();
    let (known, unknown) = (authority.client(), stranger.client());
    for (word, without_one) in [("require-and-verify-client-cert", false), ("verify-client-cert-if-given", true)] {
        let directory = Site::directory();
        pair.write(directory.path());
        fs::write(directory.path().join("clients"), authority.certificate.pem() + &expired.certificate.pem()).unwrap();
        let settings = format!(
            "[auth.htpasswd]\npath = \"DIRECTORY/htpasswd\"\n{SETTINGS}clientcas = [\"DIRECTORY/clients\"]\nclientauth = \"{word}\"\n"
        );
        let site = Site::start(directory, &settings).unwrap();
        let answers = |trust: Trust| trust.connect(&site).and_then(|mut connection| get(&mut connection, "/v2/", &[]));
        // A certificate opens the connection; who one is, a password says all the same.
        assert_eq!(answers(pair.trust().showing(&known.certificate, &known.key)).unwrap().status, 401);
        // The dates of the client's certificate count, and not those of its authority, of which the log warns.
        let by_expired = expired.client();
        assert_eq!(answers(pair.trust().showing(&by_expired.certificate, &by_expired.key)).unwrap().status, 401);
        assert!(answers(pair.trust().showing(&unknown.certificate, &unknown.key)).is_err(), "{word}");
        assert_eq!(answers(pair.trust()).is_ok(), without_one, "{word}");
    }
}

/// HTTP/2 is not offered, and a broken handshake costs nobody else anything.
#[test]
fn g9_g10_http1_alone_and_broken_handshakes() {
    let pair = Pair::new();
    let site = site(Mode::Htpasswd, &pair, "");
    let connection = pair.trust().offering_http2().connect(&site).unwrap();
    assert_eq!(connection.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    for bytes in [
        &b"\x16\x03\x01\xff\xff"[..],
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
        b"\x15\x03\x03\x00\x02\x01\x00",
        b"\x16",
    ] {
        let mut stream = connect(&site);
        stream.write_all(bytes).unwrap();
        // The server may have ended the connection already.
        drop(stream.shutdown(std::net::Shutdown::Write));
        let mut sink = Vec::new();
        drop(stream.read_to_end(&mut sink));
    }
    let mut connection = pair.trust().connect(&site).unwrap();
    assert_eq!(status(&mut connection, &basic("alice", "alice-pw")), 200);
}

/// What is no request is answered in full over TLS as well.
#[test]
fn report_a5_what_is_no_request_is_refused_in_full_over_tls() {
    let pair = Pair::new();
    let site = site(Mode::Htpasswd, &pair, "");
    let large = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}", "y".repeat(140 * 1024));
    for (bytes, status) in [
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n", 400),
        ("GET /v2/ HTTP/1.1\r\nHost: x\r\n", 408),
        (large.as_str(), 431),
    ] {
        let mut connection = pair.trust().connect(&site).unwrap();
        connection.write_all(bytes.as_bytes()).unwrap();
        connection.flush().unwrap();
        let got = String::from_utf8(rest(&mut connection)).unwrap();
        let answer = &got[got.rfind("HTTP/1.1 ").unwrap_or_else(|| panic!("{bytes:.60}: {got:?}"))..];
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{bytes:.60}: {got}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["errors"][0]["code"], "UNSUPPORTED", "{got}");
        assert!(head.contains("strict-transport-security: ") && head.contains("nosniff"), "{head}");
    }
    let mut connection = pair.trust().connect(&site).unwrap();
    connection.write_all(b"POST /v2/a/blobs/uploads/ HTTP/1.0\r\n\r\n").unwrap();
    connection.flush().unwrap();
    assert!(rest(&mut connection).starts_with(b"HTTP/1.0 401 "));
}
