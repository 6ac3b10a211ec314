//! The form of a token: [JSON Web Signature](https://www.rfc-editor.org/rfc/rfc7515), compact form.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::refusal::TokenRefusal;

/// The longest token that is read, in bytes.
pub(crate) const MAX_TOKEN_LEN: usize = crate::auth::MAX_AUTHORIZATION_LEN;

/// The parts of a token, before its signature is verified.
pub(super) struct Jws<'a> {
    pub(super) header: Header,
    pub(super) payload: Vec<u8>,
    /// The text that is signed.
    pub(super) message: &'a [u8],
    pub(super) signature: &'a str,
}

/// The header. Parameters that would let a token choose its own key or its own rules are refused.
#[derive(Debug, Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    #[serde(default)]
    pub(super) typ: Option<String>,
    #[serde(default)]
    pub(super) kid: Option<String>,
    /// Certificates. The first has the key.
    #[serde(default)]
    pub(super) x5c: Option<Vec<String>>,
    /// A key. It is only compared with the trusted ones.
    #[serde(default)]
    pub(super) jwk: Option<Box<Jwk>>,
    /// All other parameters.
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// Parameters that would let a token choose its key or its rules, or be something else than a signed text.
const REFUSED: [&str; 6] = ["jku", "x5u", "crit", "b64", "zip", "enc"];

impl<'a> Jws<'a> {
    pub(super) fn parse(token: &'a str) -> Result<Self, TokenRefusal> {
        const MALFORMED: fn(&'static str) -> TokenRefusal = TokenRefusal::Malformed;
        if token.len() > MAX_TOKEN_LEN {
            return Err(TokenRefusal::TooLong);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(MALFORMED("it has no dots"))?;
        let (header, payload) = message.split_once('.').ok_or(MALFORMED("it has not three parts"))?;
        if payload.contains('.') {
            return Err(MALFORMED("it has more than three parts"));
        }
        if signature.is_empty() {
            return Err(TokenRefusal::Signature);
        }
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part);
        let header = decode(header).map_err(|_| MALFORMED("its header is no base64"))?;
        let header: Header =
            serde_json::from_slice(&header).map_err(|_| MALFORMED("its header is no JSON object of the right form"))?;
        header.check_parameters()?;
        let payload = decode(payload).map_err(|_| MALFORMED("its claims are no base64"))?;
        Ok(Self { header, payload, message: message.as_bytes(), signature })
    }
}

impl Header {
    fn check_parameters(&self) -> Result<(), TokenRefusal> {
        match REFUSED.into_iter().find(|name| self.others.contains_key(*name)) {
            Some(name) => Err(TokenRefusal::Header(name)),
            None => Ok(()),
        }
    }
}
