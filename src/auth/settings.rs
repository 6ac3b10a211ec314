//! The settings of authentication. Their source is not known here.

use std::{path::PathBuf, time::Duration};

use super::realm::Realm;

/// The mode of authentication, with its settings.
#[derive(Clone, Debug)]
pub enum Settings {
    /// Everybody may do everything.
    Open,
    /// A name and a password with each request.
    Htpasswd {
        /// The name of the registry in the challenge.
        realm: String,
        /// The file of users.
        users: PathBuf,
    },
    /// Tokens of the built-in issuer.
    Builtin(BuiltinSettings),
    /// Tokens of an external issuer.
    External(ExternalSettings),
}

/// The settings of the built-in issuer.
#[derive(Clone, Debug)]
pub struct BuiltinSettings {
    /// Where clients get tokens.
    pub realm: Realm,
    /// The audience of the tokens.
    pub service: String,
    /// The name of the issuer in the tokens.
    pub issuer: String,
    /// The file of users.
    pub users: PathBuf,
    /// Where the signing key is.
    pub key: KeySource,
    /// How long a token is valid: 60 seconds to an hour.
    pub lifetime: Duration,
    /// The folder of identity tokens; `None` if none are issued.
    pub identity_tokens: Option<PathBuf>,
}

/// Where the signing key is.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// A PEM file of the operator. Its first key signs, and all of its keys verify.
    File(PathBuf),
    /// A folder in which the server makes and replaces keys.
    Folder(PathBuf),
}

/// The settings of an external issuer.
#[derive(Clone, Debug)]
pub struct ExternalSettings {
    /// Where clients get tokens.
    pub realm: String,
    /// The audience that a token must have.
    pub service: String,
    /// The issuer that a token must name.
    pub issuer: String,
    /// Certificates of the issuer, PEM.
    pub root_cert_bundle: Option<PathBuf>,
    /// Keys of the issuer, a JWK set.
    pub jwks: Option<PathBuf>,
    /// Names of the algorithms that it may use; empty for all.
    pub signing_algorithms: Vec<String>,
}
