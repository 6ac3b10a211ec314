//! `[http.tls]`: the certificate of the registry, and those of its clients.

use std::path::PathBuf;

use super::values::Values;
use super::{Kind, Setting};

/// TLS on the registry's own port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// PEM: the registry's certificate and the intermediate ones.
    pub certificate: PathBuf,
    /// PEM: the private key.
    pub key: PathBuf,
    /// PEM: the authorities for client certificates; empty if clients need none.
    pub client_cas: Vec<PathBuf>,
    /// Whether clients must have a certificate, if `client_cas` is not empty.
    pub client_auth: ClientAuth,
    /// The oldest accepted version.
    pub minimum: TlsVersion,
}

/// Whether clients must have a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// No; a certificate that is sent is verified.
    IfGiven,
    /// Yes; it is verified.
    Required,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new("http.tls.certificate", Kind::Path, "", "The certificate (PEM, with the chain). It enables TLS."),
    Setting::new("http.tls.key", Kind::Path, "", "The private key of the certificate (PEM)."),
    Setting::new("http.tls.clientcas", Kind::List, "", "Files (PEM) with the authorities for client certificates."),
    Setting::new(
        "http.tls.clientauth",
        Kind::Choice(&["require-and-verify-client-cert", "verify-client-cert-if-given"]),
        "",
        "Whether clients must have a certificate, if `clientcas` is set. Default: they must.",
    ),
    Setting::new(
        "http.tls.minimumtls",
        Kind::Choice(&["tls1.0", "tls1.1", "tls1.2", "tls1.3"]),
        "tls1.2",
        "The oldest accepted version; 1.0 and 1.1 mean 1.2.",
    ),
    Setting::ignored("http.tls.ciphersuites", "the suites are those of rustls, all of them strong"),
    Setting::refused(
        "http.tls.letsencrypt",
        "wharf does not fetch certificates; let certbot or a proxy do it and name the files",
    ),
];

pub(super) fn read(values: &mut Values) -> Option<Tls> {
    let certificate = values.path("http.tls.certificate");
    let key = values.path("http.tls.key");
    let client_cas: Vec<_> = values.list("http.tls.clientcas").into_iter().map(PathBuf::from).collect();
    let client_auth = match values.choice("http.tls.clientauth") {
        "verify-client-cert-if-given" => ClientAuth::IfGiven,
        _ => ClientAuth::Required,
    };
    let minimum = match values.choice("http.tls.minimumtls") {
        "tls1.3" => TlsVersion::V1_3,
        _ => TlsVersion::V1_2,
    };
    let clients_are_asked = !client_cas.is_empty();
    if values.is_set("http.tls.clientauth") && client_auth == ClientAuth::Required && !clients_are_asked {
        values.refuse::<()>(
            "http.tls.clientauth",
            "http.tls.clientcas must name the authorities for client certificates",
        );
    }
    match (certificate, key) {
        (Some(certificate), Some(key)) => Some(Tls { certificate, key, client_cas, client_auth, minimum }),
        (Some(_), None) => {
            values.refuse("http.tls.certificate", "http.tls.key must name the private key of this certificate")
        }
        (None, Some(_)) => values.refuse("http.tls.key", "http.tls.certificate must name the certificate of this key"),
        (None, None) if clients_are_asked => values
            .refuse("http.tls.clientcas", "client certificates need TLS: set http.tls.certificate and http.tls.key"),
        (None, None) => None,
    }
}
