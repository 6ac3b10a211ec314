//! The server's TLS. Its configuration follows the files of the certificate, the key and the clients' authorities.

use std::{path::PathBuf, sync::Arc};

use rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::CertifiedKey,
    version::TLS13,
};
use x509_parser::prelude::{FromDer as _, Validity, X509Certificate};

use crate::{
    config::{ClientAuth, Tls, TlsVersion},
    files::{Content, FileError, Snapshot, Watched},
};

const CERTIFICATE: &str = "http.tls.certificate";
const KEY: &str = "http.tls.key";
const CLIENT_CAS: &str = "http.tls.clientcas";

/// Why TLS can't be served, in words for the operator.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be used.
    #[error("{error} ({setting})")]
    File {
        /// The setting that names it.
        setting: &'static str,
        /// The file, and what is wrong with it.
        error: FileError,
    },
    /// The certificate and the key don't go together.
    #[error("the certificate {certificate} and the key {key} don't go together: {problem}")]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// The error of the library.
        problem: String,
    },
}

/// The configuration of new connections.
pub(super) struct TlsConfig {
    pub(super) server: Arc<ServerConfig>,
    /// When the certificate ends, in words.
    pub(super) end: String,
    /// The same in seconds since 1970.
    pub(super) not_after: Option<i64>,
}

/// Reads the files of the settings, and follows them.
///
/// # Errors
/// [`TlsError`]: a server does not start with a bad certificate.
pub(super) fn open(settings: Tls) -> Result<Watched<TlsConfig>, TlsError> {
    let pair = [(settings.certificate.clone(), Content::Public), (settings.key.clone(), Content::PrivateKey)];
    let authorities = settings.client_cas.iter().map(|path| (path.clone(), Content::Public));
    let files = pair.into_iter().chain(authorities).collect();
    Watched::open(files, move |files| configure(&settings, &files[0], &files[1], &files[2..]))
}

fn configure(
    settings: &Tls,
    certificate: &Snapshot,
    key: &Snapshot,
    authorities: &[Snapshot],
) -> Result<TlsConfig, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let chain = certificates(certificate)?;
    let key = private_key(key)?;
    let pair = |error: rustls::Error| TlsError::Pair {
        certificate: settings.certificate.clone(),
        key: settings.key.clone(),
        problem: mismatch(&error, &chain, &key, &provider),
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_protocol_versions(versions(settings.minimum)).map_err(pair)?;
    let builder = match verifier(settings.client_auth, authorities, Arc::clone(&provider))? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut server = builder.with_single_cert(chain.clone(), key.clone_key()).map_err(pair)?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    let validity = chain.first().and_then(subject_and_validity);
    let not_after = validity.map(|(_, validity)| validity.not_after.timestamp());
    Ok(TlsConfig { server: Arc::new(server), end: end(certificate, &chain), not_after })
}

fn certificates(file: &Snapshot) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes(CERTIFICATE, file)?).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(bad(CERTIFICATE, file, "there is no certificate in PEM (-----BEGIN CERTIFICATE-----)")),
        Err(_) => Err(bad(CERTIFICATE, file, "a certificate in it is damaged: it is no PEM")),
    }
}

fn private_key(file: &Snapshot) -> Result<PrivateKeyDer<'static>, TlsError> {
    let pem = bytes(KEY, file)?;
    let text = String::from_utf8_lossy(pem);
    if ["-----BEGIN ENCRYPTED PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED"].iter().any(|mark| text.contains(mark)) {
        let problem = "the key is encrypted, and wharf can't ask for its passphrase: write one without, with \
                       'openssl pkey -in KEY -out NEW', and let only wharf's user read it";
        return Err(bad(KEY, file, problem));
    }
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|_| bad(KEY, file, "there is no private key in PEM (-----BEGIN PRIVATE KEY-----)"))
}

/// When the certificate ends, in words. Clients refuse a certificate outside its dates, of which the server can only
/// warn.
fn end(file: &Snapshot, chain: &[CertificateDer<'_>]) -> String {
    let path = file.path().display();
    let Some((_, Validity { not_before, not_after })) = chain.first().and_then(subject_and_validity) else {
        return String::new();
    };
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    if not_after.timestamp() < now {
        tracing::warn!("the certificate {path} ended on {not_after}: clients refuse it, so put a new one there");
    } else if not_before.timestamp() > now {
        tracing::warn!("the certificate {path} begins on {not_before}: clients refuse it until then");
    }
    format!("the certificate {path} ends on {not_after}")
}

fn subject_and_validity(der: &CertificateDer<'_>) -> Option<(String, Validity)> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some((certificate.subject().to_string(), certificate.validity().clone()))
}

fn verifier(
    client_auth: ClientAuth,
    authorities: &[Snapshot],
    provider: Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let Some(first) = authorities.first() else { return Ok(None) };
    let mut roots = RootCertStore::empty();
    for file in authorities {
        add_roots(&mut roots, file)?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = match client_auth {
        ClientAuth::Required => builder,
        ClientAuth::IfGiven => builder.allow_unauthenticated(),
    };
    builder.build().map(Some).map_err(|error| bad(CLIENT_CAS, first, &error.to_string()))
}

/// Adds the authorities of a file. Those that can't be used are skipped with a warning, but one must be usable.
fn add_roots(roots: &mut RootCertStore, file: &Snapshot) -> Result<(), TlsError> {
    let before = roots.len();
    for (index, certificate) in CertificateDer::pem_slice_iter(bytes(CLIENT_CAS, file)?).enumerate() {
        let problem = match certificate {
            Ok(certificate) => {
                let expired = expiry(&certificate);
                roots.add(certificate).map_or_else(|error| Some(unusable(&error.to_string())), |()| expired)
            }
            Err(_) => Some(unusable("it is no PEM")),
        };
        if let Some(problem) = problem {
            tracing::warn!("{}: certificate {} {problem} ({CLIENT_CAS})", file.path().display(), index + 1);
        }
    }
    if roots.len() > before {
        return Ok(());
    }
    Err(bad(CLIENT_CAS, file, "there is no certificate in PEM that can be used (-----BEGIN CERTIFICATE-----)"))
}

fn unusable(problem: &str) -> String {
    format!("can't be used, so clients with certificates that it signed are refused: {problem}")
}

/// Says that an authority has expired, if it has. The verifier ignores the dates of authorities.
fn expiry(authority: &CertificateDer<'_>) -> Option<String> {
    let (subject, Validity { not_after, .. }) = subject_and_validity(authority)?;
    let has_expired = not_after.timestamp() < time::OffsetDateTime::now_utc().unix_timestamp();
    has_expired.then(|| {
        format!(
            "({subject}) ended on {not_after}, and clients with certificates that it signed are still accepted: \
             remove it, or put a new one there"
        )
    })
}

/// Why a certificate and a key don't go together, and what to do.
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
            "the certificate of this key is number {} of the file, and must be the first: put it before those that \
             signed it",
            index + 1
        ),
        None => "the key is that of another certificate".to_owned(),
    }
}

fn versions(minimum: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    const FROM_1_3: &[&SupportedProtocolVersion] = &[&TLS13];
    match minimum {
        TlsVersion::V1_2 => rustls::ALL_VERSIONS,
        TlsVersion::V1_3 => FROM_1_3,
    }
}

fn bytes<'a>(setting: &'static str, file: &'a Snapshot) -> Result<&'a [u8], TlsError> {
    file.bytes().map_err(|error| TlsError::File { setting, error })
}

fn bad(setting: &'static str, file: &Snapshot, problem: &str) -> TlsError {
    TlsError::File { setting, error: file.error(problem) }
}
