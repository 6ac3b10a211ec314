//! The public keys that tokens are verified with.

use std::collections::HashMap;

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse, ThumbprintHash},
};
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo, X509Certificate};

/// The algorithms that a token may be signed with: all of them asymmetric.
pub(crate) const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::EdDSA,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// The algorithms of RSA keys.
const RSA: &[Algorithm] = ALGORITHMS.split_at(3).1;

/// The shortest RSA modulus that is trusted, in bytes.
const MIN_RSA_LEN: usize = 256;

/// The algorithm of that name.
pub(crate) fn algorithm(name: &str) -> Option<Algorithm> {
    name.parse().ok().filter(|algorithm| ALGORITHMS.contains(algorithm))
}

/// One public key.
#[derive(Clone, Debug)]
pub(crate) struct VerifyingKey {
    key: DecodingKey,
    /// Those of its kind.
    algorithms: &'static [Algorithm],
    /// The one algorithm that a JWK binds its key to.
    only: Option<KeyAlgorithm>,
    /// [RFC 7638](https://www.rfc-editor.org/rfc/rfc7638)
    thumbprint: String,
}

/// Why a key can't be used, in words that follow on "the key".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnusableKey {
    #[error("is symmetric, and would let every registry that verifies tokens sign them")]
    Symmetric,
    #[error("is of a kind that is not supported: RSA from 2048 bits, P-256, P-384 and Ed25519 are (ES512 is not)")]
    Unsupported,
    #[error("is damaged")]
    Damaged,
}

impl VerifyingKey {
    pub(crate) fn from_jwk(jwk: &Jwk) -> Result<Self, UnusableKey> {
        match &jwk.algorithm {
            AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P521 => Err(UnusableKey::Unsupported),
            AlgorithmParameters::Other(_) => Err(UnusableKey::Unsupported),
            _ => Self::new(DecodingKey::from_jwk(jwk).map_err(|_| UnusableKey::Damaged)?, jwk.common.key_algorithm),
        }
    }

    /// The key of a certificate, and the name that libtrust gives it.
    pub(crate) fn from_certificate(der: &CertificateDer<'_>) -> Result<(Self, String), UnusableKey> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| UnusableKey::Damaged)?;
        let info = certificate.public_key();
        Ok((Self::from_public_key(info)?, libtrust_id(info.raw)))
    }

    fn from_public_key(info: &SubjectPublicKeyInfo<'_>) -> Result<Self, UnusableKey> {
        let bytes: &[u8] = &info.subject_public_key.data;
        let oid = info.algorithm.algorithm.to_id_string();
        match (oid.as_str(), bytes.len()) {
            ("1.2.840.10045.2.1", 65 | 97) => Self::new(DecodingKey::from_ec_der(bytes), None),
            ("1.3.101.112", 32) => Self::from_ed25519(bytes),
            ("1.2.840.113549.1.1.1", _) => Self::new(DecodingKey::from_rsa_der(bytes), None),
            _ => Err(UnusableKey::Unsupported),
        }
    }

    pub(super) fn from_ed25519(public: &[u8]) -> Result<Self, UnusableKey> {
        Self::new(DecodingKey::from_ed_der(public), None)
    }

    /// The kind and the thumbprint come from the key itself, and do not depend on how it was written.
    fn new(key: DecodingKey, only: Option<KeyAlgorithm>) -> Result<Self, UnusableKey> {
        let jwk = Jwk::from_decoding_key(&key, None).map_err(|_| UnusableKey::Damaged)?;
        let algorithms: &[Algorithm] = match &jwk.algorithm {
            AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => &[Algorithm::ES256],
            AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P384 => &[Algorithm::ES384],
            AlgorithmParameters::OctetKeyPair(_) => &[Algorithm::EdDSA],
            // The modulus is in base64.
            AlgorithmParameters::RSA(rsa) if rsa.n.len() >= MIN_RSA_LEN * 4 / 3 => RSA,
            AlgorithmParameters::OctetKey(_) => return Err(UnusableKey::Symmetric),
            _ => return Err(UnusableKey::Unsupported),
        };
        let thumbprint = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| UnusableKey::Damaged)?;
        Ok(Self { key, algorithms, only, thumbprint })
    }

    pub(crate) fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// Whether the key can verify signatures of that algorithm.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm) && self.only.is_none_or(|only| only == algorithm.into())
    }

    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &str) -> bool {
        self.fits(algorithm) && jsonwebtoken::crypto::verify(signature, message, &self.key, algorithm).unwrap_or(false)
    }
}

/// Public keys by their names, and the certificates that chains may end in.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeySet {
    by_id: HashMap<String, VerifyingKey>,
    certificates: Vec<CertificateDer<'static>>,
    /// The parts of the file that can't be used, and why: one line each.
    skipped: Vec<String>,
}

impl KeySet {
    /// Adds a key under its thumbprint and under a name of its own.
    pub(crate) fn add(&mut self, key: VerifyingKey, own_id: Option<String>) {
        if let Some(id) = own_id {
            self.by_id.insert(id, key.clone());
        }
        self.by_id.insert(key.thumbprint.clone(), key);
    }

    /// Reads the certificates of a PEM file. One that can't be used spoils none of the others.
    pub(crate) fn from_bundle(pem: &[u8]) -> Result<Self, String> {
        use rustls::pki_types::pem::PemObject;
        let mut keys = Self::default();
        let mut may_verify = false;
        for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
            let number = index + 1;
            let Ok(certificate) = certificate else {
                keys.skipped.push(format!("certificate {number} is no PEM"));
                continue;
            };
            match VerifyingKey::from_certificate(&certificate) {
                Ok((key, id)) => {
                    keys.add(key, Some(id));
                    may_verify = true;
                }
                Err(fault) => {
                    keys.skipped.push(format!("the key of certificate {number} {fault}"));
                    // An authority signs no tokens, but the certificates of those that do.
                    let Some(authority) = Authority::from_certificate(&certificate) else { continue };
                    may_verify |= authority == Authority::Declared;
                }
            }
            keys.certificates.push(certificate);
        }
        keys.checked(may_verify, "certificate that can be used (-----BEGIN CERTIFICATE-----)")
    }

    /// Reads a [JWK Set](https://www.rfc-editor.org/rfc/rfc7517#section-5). Keys that are not known are skipped, as it
    /// asks for.
    pub(crate) fn from_jwks(json: &[u8]) -> Result<Self, String> {
        let set: Set = serde_json::from_slice(json).map_err(|error| format!("it is no JWK set: {error}"))?;
        let mut keys = Self::default();
        for (index, jwk) in set.keys.into_iter().enumerate() {
            let number = index + 1;
            match serde_json::from_value::<Jwk>(jwk) {
                Err(error) => keys.skipped.push(format!("key {number} is no JWK that is known: {error}")),
                Ok(jwk) if jwk.common.public_key_use == Some(PublicKeyUse::Encryption) => {}
                Ok(jwk) => match VerifyingKey::from_jwk(&jwk) {
                    Ok(key) => keys.add(key, jwk.common.key_id),
                    Err(fault) => keys.skipped.push(format!("key {number} {fault}")),
                },
            }
        }
        let may_verify = !keys.by_id.is_empty();
        keys.checked(may_verify, "key that could verify a signature")
    }

    /// Refuses a file by which no token could be accepted; `needed` is what it lacks.
    fn checked(self, may_verify: bool, needed: &str) -> Result<Self, String> {
        match &*self.skipped {
            _ if may_verify => Ok(self),
            [] => Err(format!("it has no {needed}")),
            skipped => Err(format!("it has no {needed}: {}", skipped.join("; "))),
        }
    }

    /// The parts of the file that can't be used, and why.
    pub(crate) fn skipped(&self) -> &[String] {
        &self.skipped
    }

    pub(super) fn get(&self, id: &str) -> Option<&VerifyingKey> {
        self.by_id.get(id)
    }

    pub(super) fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }
}

/// A JWK set whose keys are not read yet.
#[derive(serde::Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

/// How a certificate says that it may sign others.
#[derive(PartialEq)]
enum Authority {
    /// By its basic constraints and its key usage, as [RFC
    /// 5280](https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.3) demands.
    Declared,
    /// By its basic constraints alone. So does every certificate that `openssl req -x509` makes.
    Possible,
}

impl Authority {
    fn from_certificate(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let usage = certificate.key_usage().ok().flatten();
        match usage.is_some_and(|usage| usage.value.key_cert_sign()) {
            _ if !certificate.is_ca() => None,
            true => Some(Self::Declared),
            false => Some(Self::Possible),
        }
    }
}

/// The name of a key in libtrust: the first 240 bits of the SHA-256 of its public key, in base 32, twelve groups of
/// four.
fn libtrust_id(public_key: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let digest = Sha256::digest(public_key);
    let characters = digest[..30].chunks(5).flat_map(|five| {
        let bits = five.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        (0..8).rev().map(move |index| char::from(ALPHABET[(bits >> (index * 5) & 31) as usize]))
    });
    let characters: Vec<char> = characters.collect();
    characters.chunks(4).map(|four| four.iter().collect::<String>()).collect::<Vec<_>>().join(":")
}
