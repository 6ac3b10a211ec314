//! Certificates, and the TLS of a hub.

use std::sync::Arc;

use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs::default_provider,
    pki_types::PrivateKeyDer,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};

/// An authority that signs certificates.
pub(crate) struct Authority {
    key: KeyPair,
    params: CertificateParams,
    certificate: Certificate,
}

/// Which certificates of clients a host wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clients {
    /// It takes one if there is one.
    Any,
    /// It answers nobody without one.
    Known,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { key, params, certificate }
    }

    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    fn sign(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> (Certificate, KeyPair) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &Issuer::from_params(&self.params, &self.key)).unwrap();
        (certificate, key)
    }

    /// A certificate and its key, both in PEM.
    pub(crate) fn client(&self) -> (String, String) {
        let (certificate, key) = self.sign("client", |_| {});
        (certificate.pem(), key.serialize_pem())
    }

    /// What a host needs that is called `name`.
    pub(crate) fn server(&self, name: &str, clients: Clients) -> Arc<ServerConfig> {
        self.server_with(name, clients, |_| {})
    }

    /// The same, with a certificate that ended long ago.
    pub(crate) fn expired(&self, name: &str) -> Arc<ServerConfig> {
        self.server_with(name, Clients::Any, |params| params.not_after = rcgen::date_time_ymd(2020, 1, 2))
    }

    fn server_with(
        &self,
        name: &str,
        clients: Clients,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Arc<ServerConfig> {
        let (certificate, key) = self.sign(name, change);
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()));
        let verifier: Arc<dyn ClientCertVerifier> = match clients {
            Clients::Any => verifier.allow_unauthenticated().build().unwrap(),
            Clients::Known => verifier.build().unwrap(),
        };
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_client_cert_verifier(verifier);
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Arc::new(config.with_single_cert(vec![certificate.der().clone()], key).unwrap())
    }
}
