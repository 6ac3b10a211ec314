//! Whether a token holds.

use std::sync::Arc;

use jsonwebtoken::Algorithm;

use super::{
    chain::key_of_chain,
    claims::{Claims, Expected},
    jws::{Header, Jws},
    keys::{ALGORITHMS, KeySet, VerifyingKey},
    refusal::TokenRefusal,
};

/// What tokens are held against.
#[derive(Clone, Debug)]
pub(crate) struct Verifier {
    /// Sets of trusted keys; the first that knows a name decides.
    pub(crate) trusted: Vec<Arc<KeySet>>,
    pub(crate) algorithms: Arc<[Algorithm]>,
    pub(crate) expected: Expected,
    /// Whether the token is to say that it is a JWT, as our own do.
    pub(crate) typed: bool,
}

/// What our own tokens are signed with.
const OWN_ALGORITHMS: [Algorithm; 2] = [Algorithm::ES256, Algorithm::EdDSA];

impl Verifier {
    /// What tokens of our own issuer are held against: they have everything that a token can have.
    pub(crate) fn own(trusted: Arc<KeySet>, issuer: &str, service: &str) -> Self {
        let expected = Expected { issuer: issuer.to_owned(), service: service.to_owned(), not_before: true };
        Self { trusted: vec![trusted], algorithms: OWN_ALGORITHMS.into(), expected, typed: true }
    }

    /// The claims of a token that holds at `now` (seconds since 1970). Nothing of a token is believed before its signature is checked.
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
        let holds = match typ {
            Some(typ) if typ.eq_ignore_ascii_case("JWT") => true,
            Some(typ) => {
                !self.typed && (typ.eq_ignore_ascii_case("at+jwt") || typ.eq_ignore_ascii_case("application/at+jwt"))
            }
            None => !self.typed,
        };
        if holds { Ok(()) } else { Err(TokenRefusal::Type) }
    }

    fn algorithm(&self, name: &str) -> Result<Algorithm, TokenRefusal> {
        let known = ALGORITHMS.into_iter().find(|(known, _)| *known == name).map(|(_, algorithm)| algorithm);
        known.filter(|known| self.algorithms.contains(known)).ok_or_else(|| TokenRefusal::Algorithm(name.to_owned()))
    }

    /// The trusted key that the header leads to. It may lead there by several ways, and then all of them must end at the same key.
    fn key(&self, header: &Header, now: u64) -> Result<VerifyingKey, TokenRefusal> {
        let mut ways = Vec::new();
        if let Some(jwk) = &header.jwk {
            // The key of the header counts for nothing but its name: what is used is the trusted key of that name.
            let key = VerifyingKey::from_jwk(jwk).map_err(|_| TokenRefusal::Header("jwk"))?;
            ways.push(self.trusted(key.thumbprint())?.clone());
        }
        if let Some(x5c) = &header.x5c {
            ways.push(self.key_of_chain(x5c, now)?);
        }
        if let Some(kid) = &header.kid {
            match self.trusted(kid) {
                Ok(key) => ways.push(key.clone()),
                // The certificates say enough where the issuer names its keys as it likes.
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
