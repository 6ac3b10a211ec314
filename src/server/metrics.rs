//! Metrics that are counted outside of requests, events and the store.

use std::{fmt, sync::Arc};

use super::{connection_limit::ConnectionLimit, tls::TlsConfig};
use crate::{
    auth::Authenticator,
    files::Watched,
    ops::{Kind, MetricSource, Text},
    registry::Retention,
};

/// Credentials that were refused.
impl MetricSource for Authenticator {
    fn write(&self, text: &mut Text) {
        let name = "wharf_auth_refusals_total";
        text.family(name, Kind::Counter, "Credentials that were refused, by reason.");
        for (reason, count) in self.refusals().by_reason() {
            text.series(name, &[("reason", reason)], count);
        }
    }
}

/// Connections that were turned away.
impl MetricSource for ConnectionLimit {
    fn write(&self, text: &mut Text) {
        let help = "Connections that were turned away, because their address had as many as it may have.";
        text.single("wharf_connections_refused_total", Kind::Counter, help, self.refused());
    }
}

/// The end of the certificate.
pub(super) struct CertificateEnd(pub(super) Arc<Watched<TlsConfig>>);

impl fmt::Debug for CertificateEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CertificateEnd").field(&self.0.current().value.not_after).finish()
    }
}

impl MetricSource for CertificateEnd {
    fn write(&self, text: &mut Text) {
        if let Some(end) = self.0.current().value.not_after {
            let help = "When the certificate of the registry ends.";
            text.single("wharf_certificate_end_timestamp_seconds", Kind::Gauge, help, end);
        }
    }
}

/// Tags that retention removed.
impl MetricSource for Retention {
    fn write(&self, text: &mut Text) {
        let help = "Tags that were removed because no rule of retention keeps them.";
        text.single("wharf_retention_removed_tags_total", Kind::Counter, help, self.removed());
    }
}
