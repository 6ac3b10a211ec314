//! The client's side of TLS.

use std::sync::{Arc, LazyLock};

use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};

use super::{ClientError, Options, Trust, any_certificate::AnyCertificate};

/// The system's authorities, read once: from `SSL_CERT_FILE`, `SSL_CERT_DIR`, or where the distribution keeps them.
static SYSTEM: LazyLock<RootCertStore> = LazyLock::new(|| {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some of the system's certificates of authorities can't be read");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    roots
});

/// The configuration of connections by `options`.
///
/// # Errors
/// [`ClientError::Options`] if a certificate can't be used.
pub(super) fn configure(options: &Options) -> Result<ClientConfig, ClientError> {
    let unusable = |error: rustls::Error| ClientError::Options(format!("a certificate can't be used: {error}"));
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(unusable)?;
    let builder = match &options.trust {
        Trust::AnyCertificate => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        }
        Trust::Authorities(more) => {
            let mut roots = SYSTEM.clone();
            for authority in more {
                roots.add(authority.clone()).map_err(unusable)?;
            }
            builder.with_root_certificates(roots)
        }
    };
    let mut config = match options.certificate.clone() {
        Some(own) => builder.with_client_auth_cert(own.chain, own.key).map_err(unusable)?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
