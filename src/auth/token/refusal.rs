//! Why a token is refused.

/// Why a token is refused, for the log and for `wharf token inspect`. A client learns only that its token is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// It is longer than the head of a request may be.
    #[error("it is longer than 120 KiB")]
    TooLong,
    /// It is not three parts of base64, the first two of them JSON objects.
    #[error("it is no signed JSON Web Token: {0}")]
    Malformed(&'static str),
    /// The header has a parameter that is always refused.
    #[error("its header has '{0}', which is refused")]
    Header(&'static str),
    /// It is another kind of token.
    #[error("its 'typ' says that it is no access token")]
    Type,
    /// Its algorithm is not allowed.
    #[error("it is signed with '{0}', which is not allowed here")]
    Algorithm(String),
    /// The header names no trusted key.
    #[error("no trusted key is named: its header leads to '{0}'")]
    UnknownKey(String),
    /// No chain leads from the certificates of the header to a trusted one.
    #[error("its certificates are not trusted: {0}")]
    Chain(String),
    /// The algorithm needs another kind of key.
    #[error("its key is not of the kind that '{0}' needs")]
    KeyMismatch(String),
    /// The signature is wrong.
    #[error("its signature is wrong")]
    Signature,
    /// A claim is missing or of a wrong type.
    #[error("its claims can't be read: {0}")]
    Claims(String),
    /// It is from another issuer.
    #[error("its issuer is '{0}', not ours")]
    Issuer(String),
    /// It is for another service.
    #[error("it is meant for another service")]
    Audience,
    /// It has expired.
    #[error("it expired {0} seconds ago")]
    Expired(u64),
    /// It is not valid yet.
    #[error("it is not valid before {0} seconds from now")]
    NotYet(u64),
}
