//! The settings of notifications.

use std::{fmt, time::Duration};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use url::Url;

use crate::client::{Client, HeaderMap};

/// The settings of notifications.
#[derive(Debug)]
pub struct Settings {
    /// Where events are sent.
    pub endpoints: Vec<Endpoint>,
    /// Whether an event of a manifest names what the manifest refers to.
    pub include_references: bool,
    /// The scheme and the host of the URLs in events, unless the request's are to be used.
    pub origin: String,
    /// The path of those URLs before `/v2/`.
    pub path_base: String,
    /// This registry's host and port, which events name as their source.
    pub address: String,
    /// The identifier of this run, which events name as their source.
    pub instance: String,
    /// How many bytes the outbox may have; the oldest records go first.
    pub max_bytes: u64,
    /// How long a record may wait.
    pub max_age: Duration,
}

/// An endpoint: where events are sent, and how.
pub struct Endpoint {
    /// Its name, which no other endpoint has.
    pub name: String,
    /// Where events are sent.
    pub url: Url,
    /// Headers of each request.
    pub headers: HeaderMap,
    /// The client that sends them.
    pub client: Client,
    /// How long a request may take, until the head of its response is there.
    pub timeout: Duration,
    /// How many attempts may fail one after the other before the next ones wait.
    pub threshold: u32,
    /// How long the first of those waits.
    pub backoff: Duration,
    /// The form of events.
    pub version: EnvelopeVersion,
    /// The key that signs them.
    pub signature: Option<Signature>,
    /// The events that are not sent.
    pub ignore: Ignore,
}

/// The events that are not sent to an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignore {
    /// Those whose target has one of these media types.
    pub media_types: Vec<String>,
    /// Those with one of these actions.
    pub actions: Vec<String>,
}

/// The form of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EnvelopeVersion {
    /// registry:2's.
    #[default]
    V1,
    /// registry:3's.
    V2,
}

/// A key that signs the bodies of requests by HMAC-SHA256.
#[derive(Clone)]
pub struct Signature(Hmac<Sha256>);

impl Signature {
    /// The signature with this key.
    #[must_use]
    #[expect(clippy::expect_used, clippy::missing_panics_doc, reason = "HMAC takes a key of any length")]
    pub fn new(key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes a key of any length"))
    }

    /// The value of `X-Signature` for a body: `sha256=` and hexadecimal digits.
    #[must_use]
    pub fn sign(&self, body: &[u8]) -> String {
        format!("sha256={}", hex::encode(self.0.clone().chain_update(body).finalize().into_bytes()))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(…)")
    }
}

impl fmt::Debug for Endpoint {
    /// Headers and the URL may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Endpoint").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2, in the form that Flux's generic-hmac receiver takes.
    #[test]
    fn flux_accepts_the_signature() {
        let signed = Signature::new(b"Jefe").sign(b"what do ya want for nothing?");
        assert_eq!(signed, "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
