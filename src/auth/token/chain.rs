//! Verifies the certificates in the header of a token (`x5c`).

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{
    ALL_VERIFICATION_ALGS, EndEntityCert, Error, ExtendedKeyUsageValidator, KeyPurposeIdIter, anchor_from_trusted_cert,
};

use super::{
    keys::{KeySet, VerifyingKey},
    refusal::TokenRefusal,
};

/// The most certificates in a header.
const MAX_CERTIFICATES: usize = 5;

/// Issuers sign with any certificate that they have, whatever its extended key usage is.
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        Ok(())
    }
}

/// The key of the first certificate, if that is trusted, or if a chain leads from it to a trusted one.
pub(super) fn key_of_chain(x5c: &[String], trusted: &KeySet, now: u64) -> Result<VerifyingKey, TokenRefusal> {
    let refuse = |text: &str| TokenRefusal::Chain(text.to_owned());
    if x5c.len() > MAX_CERTIFICATES {
        return Err(refuse("there are too many"));
    }
    let decode =
        |text: &String| STANDARD.decode(text).map(CertificateDer::from).map_err(|_| refuse("one is no base64"));
    let chain = x5c.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
    let (first, others) = chain.split_first().ok_or_else(|| refuse("there is none"))?;
    if !trusted.certificates().contains(first) {
        check_chain(first, others, trusted, now).map_err(|error| refuse(&error.to_string()))?;
    }
    let (key, _) = VerifyingKey::from_certificate(first).map_err(|fault| refuse(&format!("the key {fault}")))?;
    Ok(key)
}

fn check_chain(
    first: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    trusted: &KeySet,
    now: u64,
) -> Result<(), Error> {
    let anchors: Vec<_> = trusted.certificates().iter().filter_map(|der| anchor_from_trusted_cert(der).ok()).collect();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
    let certificate = EndEntityCert::try_from(first)?;
    certificate.verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, others, now, AnyUsage, None, None)?;
    Ok(())
}
