//! The certificate, read when the server starts and again when its files change.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};

use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::config::{ClientAuth, Tls, TlsVersion};

/// How often the files are looked at.
const INTERVAL: Duration = Duration::from_millis(500);

/// Why TLS can't be spoken, in words for the operator.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("{path}: {source} ({setting})")]
    Read {
        /// Which setting names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file holds nothing that could be used.
    #[error("{path}: {problem} ({setting})")]
    Content {
        /// Which setting names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The certificate and the key don't go together.
    #[error("the certificate {certificate} and the key {key} don't go together: {problem}")]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What the library said.
        problem: String,
    },
}

/// The bytes of all files that a configuration is made of.
#[derive(PartialEq, Eq)]
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_cas: Vec<Vec<u8>>,
}

/// When the certificate of `settings` ends, in words, having seen that it goes with its key and can be served.
///
/// # Errors
/// [`TlsError`], as a start would meet it.
pub fn check_certificate(settings: &Tls) -> Result<String, TlsError> {
    let files = Files::read(settings)?;
    files.configure(settings)?;
    let path = &settings.certificate;
    let chain = certificates("http.tls.certificate", path, &files.certificate)?;
    let bad = |problem: &str| content("http.tls.certificate", path, problem);
    let first = chain.first().ok_or_else(|| bad("no certificate in PEM"))?;
    let (_, certificate) = X509Certificate::from_der(first).map_err(|error| bad(&error.to_string()))?;
    let end = certificate.validity().not_after;
    if end.timestamp() < time::OffsetDateTime::now_utc().unix_timestamp() {
        return Err(bad(&format!("the certificate ended on {end}: clients will refuse it")));
    }
    Ok(format!("the certificate {} ends on {end}", path.display()))
}

/// A configuration that follows its files.
pub(super) struct Reloading {
    settings: Tls,
    files: Files,
    current: Arc<ArcSwap<ServerConfig>>,
}

impl Reloading {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// [`TlsError`]: a server does not start with a bad certificate.
    pub(super) fn open(settings: Tls) -> Result<Self, TlsError> {
        let files = Files::read(&settings)?;
        let current = Arc::new(ArcSwap::from_pointee(files.configure(&settings)?));
        Ok(Self { settings, files, current })
    }

    /// The configuration that new connections take.
    pub(super) fn current(&self) -> Arc<ArcSwap<ServerConfig>> {
        Arc::clone(&self.current)
    }

    /// Looks at the files for as long as it is polled. A pair that does not match, as it is while a new one is being written, changes nothing.
    pub(super) async fn follow(mut self) {
        let mut complaint = None;
        loop {
            tokio::time::sleep(INTERVAL).await;
            let looked = tokio::task::spawn_blocking(move || {
                let result = self.look();
                (self, result)
            });
            let Ok((back, result)) = looked.await else { return };
            self = back;
            let problem = result.err().map(|error| error.to_string());
            if let Some(problem) = problem.as_ref().filter(|_| problem != complaint) {
                tracing::error!("{problem}; the certificate that was read before stays in force");
            }
            complaint = problem;
        }
    }

    fn look(&mut self) -> Result<(), TlsError> {
        let files = Files::read(&self.settings)?;
        if files == self.files {
            return Ok(());
        }
        self.current.store(Arc::new(files.configure(&self.settings)?));
        self.files = files;
        tracing::info!(certificate = %self.settings.certificate.display(), "the certificate was read again");
        Ok(())
    }
}

impl Files {
    fn read(settings: &Tls) -> Result<Self, TlsError> {
        let cas = settings.client_cas.iter();
        Ok(Self {
            certificate: read("http.tls.certificate", &settings.certificate)?,
            key: read("http.tls.key", &settings.key)?,
            client_cas: cas.map(|path| read("http.tls.clientcas", path)).collect::<Result<_, _>>()?,
        })
    }

    fn configure(&self, settings: &Tls) -> Result<ServerConfig, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let chain = certificates("http.tls.certificate", &settings.certificate, &self.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| content("http.tls.key", &settings.key, &format!("no private key in PEM: {error}")))?;
        let pair = |error: rustls::Error| TlsError::Pair {
            certificate: settings.certificate.clone(),
            key: settings.key.clone(),
            problem: error.to_string(),
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(versions(settings.minimum)).map_err(pair)?;
        let builder = match self.verifier(settings, provider)? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(pair)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    fn verifier(
        &self,
        settings: &Tls,
        provider: Arc<CryptoProvider>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
        const SETTING: &str = "http.tls.clientcas";
        let mut roots = RootCertStore::empty();
        for (path, bytes) in settings.client_cas.iter().zip(&self.client_cas) {
            for certificate in certificates(SETTING, path, bytes)? {
                roots.add(certificate).map_err(|error| content(SETTING, path, &error.to_string()))?;
            }
        }
        let Some(first) = settings.client_cas.first() else { return Ok(None) };
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder = match settings.client_auth {
            ClientAuth::Required => builder,
            ClientAuth::IfGiven => builder.allow_unauthenticated(),
        };
        builder.build().map(Some).map_err(|error| content(SETTING, first, &error.to_string()))
    }
}

fn versions(minimum: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    const FROM_1_2: &[&SupportedProtocolVersion] = &[&TLS12, &TLS13];
    const FROM_1_3: &[&SupportedProtocolVersion] = &[&TLS13];
    match minimum {
        TlsVersion::V1_2 => FROM_1_2,
        TlsVersion::V1_3 => FROM_1_3,
    }
}

fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Read { setting, path: path.to_owned(), source })
}

fn certificates(setting: &'static str, path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(content(setting, path, "no certificate in PEM")),
        Err(error) => Err(content(setting, path, &format!("no certificate in PEM: {error}"))),
    }
}

fn content(setting: &'static str, path: &Path, problem: &str) -> TlsError {
    TlsError::Content { setting, path: path.to_owned(), problem: problem.to_owned() }
}
