//! The private key that signs tokens.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, EncodingKey, jwk::Jwk};
use serde::Serialize;

use super::{claims::Claims, keys::VerifyingKey};

/// A private key and its public one.
pub(crate) struct SigningKey {
    key: EncodingKey,
    algorithm: Algorithm,
    public: VerifyingKey,
}

#[derive(Serialize)]
struct Header<'a> {
    typ: &'static str,
    alg: &'static str,
    kid: &'a str,
}

const MAKE_ONE: &str =
    "make one with 'openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256' or '-algorithm ED25519'";

/// Why a key can't be made or used, in words that follow on the name of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SigningError {
    #[error("the system made no key")]
    NoKey,
    #[error("it has no private key that can sign: {MAKE_ONE}")]
    NoPrivateKey,
    #[error("its key can't sign as ES256 or EdDSA: {MAKE_ONE}")]
    Unsupported,
    #[error("the key did not sign")]
    NotSigned,
}

impl SigningKey {
    /// A new key for ES256, as PKCS#8 in PEM.
    pub(crate) fn generate() -> Result<String, SigningError> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map_err(|_| SigningError::NoKey)?;
        let encoded = STANDARD.encode(document.as_ref());
        let lines: Vec<&str> =
            encoded.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        Ok(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n")))
    }

    /// The private keys of a PEM file. The first must be usable, because it signs. Others that can't be used are
    /// skipped, with a warning.
    pub(crate) fn read_all(pem: &[u8]) -> Result<Vec<Self>, SigningError> {
        use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
        let mut keys = Vec::new();
        for (index, der) in PrivatePkcs8KeyDer::pem_slice_iter(pem).enumerate() {
            let key = der.map_err(|_| SigningError::NoPrivateKey);
            match key.and_then(|der| Self::from_pkcs8(der.secret_pkcs8_der())) {
                Ok(key) => keys.push(key),
                Err(fault) if index == 0 => return Err(fault),
                Err(_) => tracing::warn!("key {} of the file of signing keys can't be used", index + 1),
            }
        }
        if keys.is_empty() { Err(SigningError::NoPrivateKey) } else { Ok(keys) }
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, SigningError> {
        let candidates =
            [(EncodingKey::from_ec_der(der), Algorithm::ES256), (EncodingKey::from_ed_der(der), Algorithm::EdDSA)];
        candidates.into_iter().find_map(|(key, algorithm)| Self::new(key, algorithm)).ok_or(SigningError::Unsupported)
    }

    fn new(key: EncodingKey, algorithm: Algorithm) -> Option<Self> {
        // The library accepts bytes of another kind of key, which then does not sign.
        let signature = jsonwebtoken::crypto::sign(b"", &key, algorithm).ok()?;
        let public = public_of(&key, algorithm)?;
        public.verifies(algorithm, b"", &signature).then_some(Self { key, algorithm, public })
    }

    /// The public key.
    pub(crate) fn public(&self) -> &VerifyingKey {
        &self.public
    }

    pub(crate) fn sign(&self, claims: &Claims) -> Result<String, SigningError> {
        let alg = if self.algorithm == Algorithm::EdDSA { "EdDSA" } else { "ES256" };
        let header = Header { typ: "JWT", alg, kid: self.public.thumbprint() };
        let encode = |json: serde_json::Result<Vec<u8>>| json.map(|json| URL_SAFE_NO_PAD.encode(json));
        let header = encode(serde_json::to_vec(&header)).map_err(|_| SigningError::NotSigned)?;
        let claims = encode(serde_json::to_vec(claims)).map_err(|_| SigningError::NotSigned)?;
        let message = format!("{header}.{claims}");
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, self.algorithm);
        Ok(format!("{message}.{}", signature.map_err(|_| SigningError::NotSigned)?))
    }
}

fn public_of(key: &EncodingKey, algorithm: Algorithm) -> Option<VerifyingKey> {
    if algorithm == Algorithm::EdDSA {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.as_bytes()).ok()?;
        return VerifyingKey::from_ed25519(pair.public_key().as_ref()).ok();
    }
    VerifyingKey::from_jwk(&Jwk::from_encoding_key(key, algorithm).ok()?).ok()
}
