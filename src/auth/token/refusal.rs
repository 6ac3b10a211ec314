//! Why a token does not hold.

/// The reason, for the log and for who inspects a token. A client learns only that its token is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// Longer than any head of a request may be.
    #[error("it is longer than 120 KiB")]
    TooLong,
    /// Not three parts of base64, the first two JSON objects.
    #[error("it is no signed JSON Web Token: {0}")]
    Malformed(&'static str),
    /// The header has something that is refused whatever it says.
    #[error("its header has '{0}', which is refused")]
    Header(&'static str),
    /// The kind of token is another.
    #[error("its 'typ' says that it is no access token")]
    Type,
    /// Not one of the allowed algorithms.
    #[error("it is signed with '{0}', which is not allowed here")]
    Algorithm(String),
    /// The header does not lead to a trusted key.
    #[error("no trusted key is named: its header leads to '{0}'")]
    UnknownKey(String),
    /// The certificates of the header do not lead to a trusted one.
    #[error("its certificates are not trusted: {0}")]
    Chain(String),
    /// The key is of another kind than the algorithm needs.
    #[error("its key is not of the kind that '{0}' needs")]
    KeyMismatch(String),
    /// The signature is wrong.
    #[error("its signature is wrong")]
    Signature,
    /// A claim is missing or of a wrong type.
    #[error("its claims can't be read: {0}")]
    Claims(String),
    /// From another issuer.
    #[error("its issuer is '{0}', not ours")]
    Issuer(String),
    /// For another service.
    #[error("it is meant for another service")]
    Audience,
    /// No longer valid.
    #[error("it expired {0} seconds ago")]
    Expired(u64),
    /// Not yet valid.
    #[error("it is not valid before {0} seconds from now")]
    NotYet(u64),
}
