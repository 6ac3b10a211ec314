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
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};

use x509_parser::prelude::{FromDer as _, Validity, X509Certificate};

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
        files.warn_of_dates(&settings);
        Ok(Self { settings, files, current })
    }

    /// When the certificate ends, in words.
    pub(super) fn end(&self) -> String {
        let path = self.settings.certificate.display();
        self.files
            .validity()
            .map_or_else(String::new, |validity| format!("the certificate {path} ends on {}", validity.not_after))
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
        self.files.warn_of_dates(&self.settings);
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
        let key = self.private_key(&settings.key)?;
        let pair = |error: rustls::Error| TlsError::Pair {
            certificate: settings.certificate.clone(),
            key: settings.key.clone(),
            problem: mismatch(&error, &chain, &key, &provider),
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(versions(settings.minimum)).map_err(pair)?;
        let builder = match self.verifier(settings, Arc::clone(&provider))? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain.clone(), key.clone_key()).map_err(pair)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    fn private_key(&self, path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
        let text = String::from_utf8_lossy(&self.key);
        if ["-----BEGIN ENCRYPTED PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED"].iter().any(|mark| text.contains(mark)) {
            let problem = "the key is encrypted, and nobody is there to type its passphrase: write one without, with \
                           'openssl pkey -in KEY -out NEW', and keep that to wharf's user";
            return Err(content("http.tls.key", path, problem));
        }
        PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| content("http.tls.key", path, "there is no private key in PEM (-----BEGIN PRIVATE KEY-----)"))
    }

    /// From when to when the certificate is good.
    fn validity(&self) -> Option<Validity> {
        let first = CertificateDer::pem_slice_iter(&self.certificate).next()?.ok()?;
        X509Certificate::from_der(&first).ok().map(|(_, certificate)| certificate.validity().clone())
    }

    /// Clients refuse a certificate outside of its time, and the server can only say so.
    fn warn_of_dates(&self, settings: &Tls) {
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        let Some(Validity { not_before, not_after }) = self.validity() else { return };
        let path = settings.certificate.display();
        if not_after.timestamp() < now {
            tracing::warn!("the certificate {path} ended on {not_after}: clients refuse it, so put a new one there");
        } else if not_before.timestamp() > now {
            tracing::warn!("the certificate {path} begins on {not_before}: clients refuse it until then");
        }
    }

    fn verifier(
        &self,
        settings: &Tls,
        provider: Arc<CryptoProvider>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
        const SETTING: &str = "http.tls.clientcas";
        let mut roots = RootCertStore::empty();
        for (path, bytes) in settings.client_cas.iter().zip(&self.client_cas) {
            add_roots(&mut roots, SETTING, path, bytes)?;
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

/// Adds the authorities of a file. One that can't be used spoils none of the others; a file must have one that can.
fn add_roots(roots: &mut RootCertStore, setting: &'static str, path: &Path, pem: &[u8]) -> Result<(), TlsError> {
    let mut added = 0;
    for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
        let problem = match certificate {
            Ok(certificate) => roots.add(certificate).err().map(|error| error.to_string()),
            Err(_) => Some("it is no PEM".to_owned()),
        };
        match problem {
            None => added += 1,
            Some(problem) => tracing::warn!(
                "{}: certificate {} can't be used, and whom it signed is not let in: {problem} ({setting})",
                path.display(),
                index + 1
            ),
        }
    }
    let nothing = "there is no certificate in PEM that can be used (-----BEGIN CERTIFICATE-----)";
    if added == 0 { Err(content(setting, path, nothing)) } else { Ok(()) }
}

/// What is wrong with a pair, and what to do.
fn mismatch(
    error: &rustls::Error,
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> String {
    if !matches!(error, rustls::Error::InconsistentKeys(_)) {
        return error.to_string();
    }
    let fits = |certificate: &CertificateDer<'static>| {
        let key = provider.key_provider.load_private_key(key.clone_key()).ok()?;
        CertifiedKey::new(vec![certificate.clone()], key).keys_match().ok()
    };
    match chain.iter().position(|certificate| fits(certificate).is_some()) {
        Some(index) => format!(
            "the certificate of this key is number {} of the file, and must be the first: put it before those that signed it",
            index + 1
        ),
        None => "the key is that of another certificate".to_owned(),
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
        Ok(_) => Err(content(setting, path, "there is no certificate in PEM (-----BEGIN CERTIFICATE-----)")),
        Err(_) => Err(content(setting, path, "a certificate in it is damaged: it is no PEM")),
    }
}

fn content(setting: &'static str, path: &Path, problem: &str) -> TlsError {
    TlsError::Content { setting, path: path.to_owned(), problem: problem.to_owned() }
}
