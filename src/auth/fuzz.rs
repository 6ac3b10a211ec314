//! Input of clients and files, for the fuzzer.

use std::sync::Arc;

use crate::oci::Glob;

use super::{
    TokenRequest,
    authorization::Authorization,
    read_token,
    token::{KeySet, Verifier, fuzz_claims},
    users::Users,
};

/// The value of an `Authorization` header.
pub(crate) fn authorization(bytes: &[u8]) {
    let _ = Authorization::parse(Some(bytes));
}

/// An htpasswd file. No password is checked, because that takes long.
pub(crate) fn htpasswd(bytes: &[u8]) {
    if let Ok(users) = Users::parse(bytes) {
        assert!(users.names().all(|name| !name.is_empty() && !name.contains(':')));
    }
}

/// A pattern, then a newline, then a name.
pub(crate) fn glob(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (pattern, name) = text.split_once('\n').unwrap_or((text, "team/app"));
    if let (Ok(glob), Ok(name)) = (pattern.parse::<Glob>(), name.parse()) {
        let _ = glob.matches(&name);
    }
}

/// A token. All are refused, because no key is trusted.
pub(crate) fn token(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = read_token(text);
    let verifier = Verifier::own(Arc::new(KeySet::default()), "issuer", "service");
    assert!(verifier.verify(text, 1_800_000_000).is_err());
}

/// The claims of a token with a good signature.
pub(crate) fn claims(bytes: &[u8]) {
    fuzz_claims(bytes);
}

/// A file of keys, in both formats.
pub(crate) fn jwks(bytes: &[u8]) {
    let _ = KeySet::from_jwks(bytes);
    let _ = KeySet::from_bundle(bytes);
}

/// The query of a request for a token.
pub(crate) fn token_request(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = TokenRequest::from_query(text);
    }
}
