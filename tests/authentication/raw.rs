//! Bytes on a connection: what HTTP libraries do not send, over TCP and over TLS.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use crate::{
    site::Site,
    support::{
        answer::Answer,
        raw::{self, Connection, connect},
    },
};

/// Sends one request with exactly this target and these lines.
pub(crate) fn exchange(site: &Site, method: &str, target: &str, lines: &[&str]) -> Answer {
    let fields = lines.iter().map(|line| format!("{line}\r\n")).collect::<Vec<_>>().concat();
    let head = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n{fields}\r\n");
    raw::parse(&Connection::to(site).write(head.as_bytes()).rest())
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
pub(crate) fn get(stream: &mut Tls, target: &str, fields: &[&str]) -> std::io::Result<Answer> {
    let fields = fields.iter().map(|line| format!("{line}\r\n")).collect::<Vec<_>>().concat();
    stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").as_bytes())?;
    stream.flush()?;
    // A certificate that is not accepted is told with the first answer in TLS 1.3.
    let mut first = [0];
    stream.read_exact(&mut first)?;
    Ok(raw::answer(&mut first.as_slice().chain(stream)))
}
