//! `[http.tls]`: the certificate of the registry, and those of its clients.

use std::path::PathBuf;

use super::values::Values;
use super::{Kind, Setting};

/// TLS on the registry's own port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// PEM: the registry's certificate, then those between it and the root.
    pub certificate: PathBuf,
    /// PEM: its private key.
    pub key: PathBuf,
    /// PEM: who may sign certificates of clients; empty when none are asked for.
    pub client_cas: Vec<PathBuf>,
    /// What is asked of a client, where `client_cas` is not empty.
    pub client_auth: ClientAuth,
    /// The oldest version that is spoken.
    pub minimum: TlsVersion,
}

/// What is asked of a client's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// It is verified if there is one.
    IfGiven,
    /// It must be there, and is verified.
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

pub(super) const CERTIFICATE: Setting = Setting::new(
    "http.tls.certificate",
    Kind::Path,
    "",
    "The certificate (PEM, with the chain). With it, TLS is spoken.",
);
pub(super) const KEY: Setting =
    Setting::new("http.tls.key", Kind::Path, "", "The private key of the certificate (PEM).");
pub(super) const CLIENT_CAS: Setting = Setting::new(
    "http.tls.clientcas",
    Kind::List,
    "",
    "Files (PEM) with the authorities that sign clients' certificates.",
);
pub(super) const CLIENT_AUTH: Setting = Setting::new(
    "http.tls.clientauth",
    Kind::Choice(&["require-and-verify-client-cert", "verify-client-cert-if-given"]),
    "",
    "What is asked of a client, where `clientcas` is set; a certificate, if this is unset.",
);
pub(super) const MINIMUM: Setting = Setting::new(
    "http.tls.minimumtls",
    Kind::Choice(&["tls1.0", "tls1.1", "tls1.2", "tls1.3"]),
    "tls1.2",
    "The oldest version that is spoken; 1.0 and 1.1 mean 1.2.",
);

pub(super) fn read(values: &mut Values) -> Option<Tls> {
    let certificate = values.path("http.tls.certificate");
    let key = values.path("http.tls.key");
    let client_cas: Vec<_> = values.list("http.tls.clientcas").into_iter().map(PathBuf::from).collect();
    let client_auth = match values.choice("http.tls.clientauth").as_deref() {
        Some("verify-client-cert-if-given") => ClientAuth::IfGiven,
        _ => ClientAuth::Required,
    };
    let minimum = match values.choice("http.tls.minimumtls").as_deref() {
        Some("tls1.3") => TlsVersion::V1_3,
        _ => TlsVersion::V1_2,
    };
    let clients_are_asked = !client_cas.is_empty();
    if values.is_set("http.tls.clientauth") && client_auth == ClientAuth::Required && !clients_are_asked {
        let place = values.source("http.tls.clientauth");
        values.bad::<()>("http.tls.clientauth", place, "http.tls.clientcas must name who signs clients' certificates");
    }
    match (certificate, key) {
        (Some(certificate), Some(key)) => Some(Tls { certificate, key, client_cas, client_auth, minimum }),
        (Some(_), None) => {
            let place = values.source("http.tls.certificate");
            values.bad("http.tls.certificate", place, "http.tls.key must name the private key of this certificate")
        }
        (None, Some(_)) => {
            let place = values.source("http.tls.key");
            values.bad("http.tls.key", place, "http.tls.certificate must name the certificate of this key")
        }
        (None, None) if clients_are_asked => {
            let place = values.source("http.tls.clientcas");
            values.bad(
                "http.tls.clientcas",
                place,
                "clients are asked for certificates over TLS alone: set http.tls.certificate and key",
            )
        }
        (None, None) => None,
    }
}
