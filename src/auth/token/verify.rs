//! Verifies tokens.

use std::sync::Arc;

use jsonwebtoken::Algorithm;

use super::{
    chain::key_of_chain,
    claims::{Claims, Expected},
    jws::{Header, Jws},
    keys::{KeySet, VerifyingKey, algorithm},
    refusal::TokenRefusal,
};

/// The keys and claims that a token must agree with.
#[derive(Clone, Debug)]
pub(crate) struct Verifier {
    /// Sets of trusted keys. The first that has a key of some name decides.
    pub(crate) trusted: Vec<Arc<KeySet>>,
    pub(crate) algorithms: Arc<[Algorithm]>,
    pub(crate) expected: Expected,
    /// Whether the header must say that the token is a JWT, as those of wharf do.
    pub(crate) typed: bool,
}

/// The algorithms that wharf signs with.
const OWN_ALGORITHMS: [Algorithm; 2] = [Algorithm::ES256, Algorithm::EdDSA];

impl Verifier {
    /// The verifier of tokens that wharf issues. They have every claim and a type.
    pub(crate) fn own(trusted: Arc<KeySet>, issuer: &str, service: &str) -> Self {
        let expected = Expected { issuer: issuer.to_owned(), service: service.to_owned(), not_before: true };
        Self { trusted: vec![trusted], algorithms: OWN_ALGORITHMS.into(), expected, typed: true }
    }

    /// The claims of a token that is valid at `now` (seconds since 1970). The signature is verified before the claims
    /// are read.
    pub(crate) fn verify(&self, token: &str, now: u64) -> Result<Claims, TokenRefusal> {
        let jws = Jws::parse(token)?;
        self.check_type(jws.header.typ.as_deref())?;
        let algorithm = self.algorithm(&jws.header.alg)?;
        let key = self.key(&jws.header, now)?;
        if !key.fits(algorithm) {
            return Err(TokenRefusal::KeyMismatch(jws.header.alg));
        }
        if !key.verifies(algorithm, jws.message, jws.signature) {
            return Err(TokenRefusal::Signature);
        }
        let claims = Claims::parse(&jws.payload)?;
        claims.check(&self.expected, now)?;
        Ok(claims)
    }

    fn check_type(&self, typ: Option<&str>) -> Result<(), TokenRefusal> {
        let is = |name: &str| typ.is_some_and(|typ| typ.eq_ignore_ascii_case(name));
        let others = typ.is_none() || is("at+jwt") || is("application/at+jwt");
        if is("JWT") || (others && !self.typed) { Ok(()) } else { Err(TokenRefusal::Type) }
    }

    fn algorithm(&self, name: &str) -> Result<Algorithm, TokenRefusal> {
        let allowed = algorithm(name).filter(|algorithm| self.algorithms.contains(algorithm));
        allowed.ok_or_else(|| TokenRefusal::Algorithm(name.to_owned()))
    }

    /// The trusted key that the header names. The header may name it in several ways, and all of them must lead to the
    /// same key.
    fn key(&self, header: &Header, now: u64) -> Result<VerifyingKey, TokenRefusal> {
        let mut ways = Vec::new();
        if let Some(jwk) = &header.jwk {
            // Only the thumbprint of this key is used, to find the trusted key.
            let key = VerifyingKey::from_jwk(jwk).map_err(|_| TokenRefusal::Header("jwk"))?;
            ways.push(self.trusted(key.thumbprint())?.clone());
        }
        if let Some(x5c) = &header.x5c {
            ways.push(self.key_of_chain(x5c, now)?);
        }
        if let Some(kid) = &header.kid {
            match self.trusted(kid) {
                Ok(key) => ways.push(key.clone()),
                // With certificates, the issuer may name its keys as it likes.
                Err(_) if header.x5c.is_some() => {}
                Err(refusal) => return Err(refusal),
            }
        }
        let key = ways.pop().ok_or_else(|| TokenRefusal::UnknownKey(String::new()))?;
        let agree = ways.iter().all(|other| other.thumbprint() == key.thumbprint());
        if agree { Ok(key) } else { Err(TokenRefusal::UnknownKey("several different keys".to_owned())) }
    }

    fn trusted(&self, id: &str) -> Result<&VerifyingKey, TokenRefusal> {
        let found = self.trusted.iter().find_map(|keys| keys.get(id));
        found.ok_or_else(|| TokenRefusal::UnknownKey(id.to_owned()))
    }

    fn key_of_chain(&self, x5c: &[String], now: u64) -> Result<VerifyingKey, TokenRefusal> {
        let mut refusal = TokenRefusal::Chain("no certificates are trusted here".to_owned());
        for keys in self.trusted.iter().filter(|keys| !keys.certificates().is_empty()) {
            match key_of_chain(x5c, keys, now) {
                Ok(key) => return Ok(key),
                Err(other) => refusal = other,
            }
        }
        Err(refusal)
    }
}
