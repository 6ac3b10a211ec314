//! How a client connects: the options of one use.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

use super::ClientError;

/// How a client connects.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which certificates of servers are accepted.
    pub trust: Trust,
    /// The certificate that the client shows to servers that ask for one.
    pub certificate: Option<ClientCertificate>,
    /// Which requests go through a proxy.
    pub proxy: Proxy,
    /// Whether an address may be connected to; asked after the name is resolved, for each of its addresses. A proxy
    /// resolves names itself: of what is asked through it, only addresses that stand in the URL are asked about.
    pub may_connect: fn(IpAddr) -> bool,
    /// A socket in the file system that all connections go to, in place of the host of the URL.
    pub socket: Option<PathBuf>,
    /// The longest that a connection may take to be there, with the resolution of the name and TLS.
    pub connect_timeout: Duration,
    /// The longest wait for the head of a response, and for each next piece of its body.
    pub read_timeout: Duration,
}

impl Default for Options {
    /// The system's authorities, the proxies of the environment, all addresses, ten seconds to connect, thirty to read.
    fn default() -> Self {
        Self {
            trust: Trust::Authorities(Vec::new()),
            certificate: None,
            proxy: Proxy::Environment,
            may_connect: |_| true,
            socket: None,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(30),
        }
    }
}

/// Which certificates of servers are accepted.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Those that the system's authorities signed, or these.
    Authorities(Vec<CertificateDer<'static>>),
    /// All. What is sent may be read by anybody between, so nothing secret is sent this way.
    AnyCertificate,
}

impl Trust {
    /// The system's authorities, and those of a file in PEM.
    ///
    /// # Errors
    /// [`ClientError::Options`] if there is no certificate in it.
    pub fn with_pem(pem: &[u8]) -> Result<Self, ClientError> {
        Ok(Self::Authorities(certificates(pem)?))
    }
}

/// A certificate of the client, with its key.
#[derive(Debug)]
pub struct ClientCertificate {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl ClientCertificate {
    /// Reads the chain and the key, both in PEM.
    ///
    /// # Errors
    /// [`ClientError::Options`] if one of them is missing or damaged.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, ClientError> {
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| {
            ClientError::Options("there is no private key in PEM (-----BEGIN PRIVATE KEY-----)".to_owned())
        })?;
        Ok(Self { chain: certificates(chain)?, key })
    }
}

impl Clone for ClientCertificate {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    match CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>() {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) | Err(_) => {
            Err(ClientError::Options("there is no certificate in PEM (-----BEGIN CERTIFICATE-----)".to_owned()))
        }
    }
}

/// Which requests go through a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// Those that `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say, in capitals or not. As for programs in
    /// Go, `localhost` and loopback addresses never do.
    Environment,
    /// None.
    None,
    /// All, through the proxy with this URL. A name and a password in it are sent to the proxy.
    Url(String),
}
