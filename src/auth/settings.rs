//! What authentication is set up with. Plain values; where they come from is not known here.

use std::{path::PathBuf, time::Duration};

use super::realm::Realm;

/// The mode of authentication and what belongs to it.
#[derive(Clone, Debug)]
pub enum Settings {
    /// Everybody may do everything.
    Open,
    /// A name and a password with each request.
    Htpasswd {
        /// What the challenge calls the registry.
        realm: String,
        /// The file of users.
        users: PathBuf,
    },
    /// Tokens that are issued here.
    Builtin(BuiltinSettings),
    /// Tokens of an issuer elsewhere.
    External(ExternalSettings),
}

/// Tokens that are issued here.
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
    /// How long a token lives: 60 seconds to an hour.
    pub lifetime: Duration,
    /// The folder of identity tokens; `None` where they are not given out.
    pub identity_tokens: Option<PathBuf>,
}

/// Where the signing key is.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// A PEM file of the operator's. Its first key signs, all of its keys check.
    File(PathBuf),
    /// A folder in which keys are made and changed by the server.
    Folder(PathBuf),
}

/// Tokens of an issuer elsewhere.
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
    /// Names of the algorithms that it may sign with; all that there are if empty.
    pub signing_algorithms: Vec<String>,
}
