//! Bytes on a connection: what HTTP libraries do not send, over TCP and over TLS.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use crate::{site::Site, support::wait::PATIENCE};

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// All values of a field.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(':'));
        fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

pub(crate) fn connect(site: &Site) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", site.port())).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Everything until the other side closes; a reset is an end too.
pub(crate) fn rest(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if !matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof) => {
            panic!("{error}, after {bytes:?}")
        }
        _ => bytes,
    }
}

/// Sends one request with exactly this target and these lines.
pub(crate) fn exchange(site: &Site, method: &str, target: &str, lines: &[&str]) -> Reply {
    let fields = lines.iter().map(|line| format!("{line}\r\n")).collect::<Vec<_>>().concat();
    let mut stream = connect(site);
    let head = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n{fields}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let bytes = rest(&mut stream);
    read_reply(&mut bytes.as_slice())
}

/// The next reply; its length is told by `Content-Length` or is nothing.
pub(crate) fn read_reply(stream: &mut impl Read) -> Reply {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        let count = stream.read(&mut byte).unwrap();
        assert_eq!(count, 1, "closed after {:?}", String::from_utf8_lossy(&head));
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut reply = Reply { status, head, body: Vec::new() };
    let length = reply.all("content-length").first().map_or(0, |text| text.parse().unwrap());
    reply.body.resize(length, 0);
    stream.read_exact(&mut reply.body).unwrap();
    reply
}

/// A connection over TLS.
pub(crate) type Tls = StreamOwned<ClientConnection, TcpStream>;

/// What a client over TLS trusts, and what it shows.
pub(crate) struct Trust {
    roots: RootCertStore,
    own: Option<(String, String)>,
    http2: bool,
}

impl Trust {
    /// Trusts this certificate, in PEM.
    pub(crate) fn new(certificate: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()).unwrap();
        Self { roots, own: None, http2: false }
    }

    /// Shows this certificate, with its key.
    pub(crate) fn showing(mut self, certificate: &str, key: &str) -> Self {
        self.own = Some((certificate.to_owned(), key.to_owned()));
        self
    }

    /// Offers HTTP/2 first.
    pub(crate) fn offering_http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    /// The handshake is made, or the error says why not.
    pub(crate) fn connect(&self, site: &Site) -> std::io::Result<Tls> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(self.roots.clone());
        let mut config = match &self.own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
            }
        };
        if self.http2 {
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        }
        let client = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
        let mut stream = StreamOwned::new(client, connect(site));
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(stream)
    }
}

/// Sends a GET on a connection that stays open.
pub(crate) fn get(stream: &mut Tls, target: &str, fields: &[&str]) -> std::io::Result<Reply> {
    let fields = fields.iter().map(|line| format!("{line}\r\n")).collect::<Vec<_>>().concat();
    stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").as_bytes())?;
    stream.flush()?;
    // A certificate that is not accepted is told with the first answer in TLS 1.3.
    let mut first = [0];
    stream.read_exact(&mut first)?;
    Ok(read_reply(&mut first.as_slice().chain(stream)))
}
