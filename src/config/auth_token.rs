//! `[auth.token]`: tokens from the built-in issuer or from an external one.

use std::path::PathBuf;
use std::time::Duration;

use super::values::Values;
use super::{ConfigError, Kind, Setting, Source};
use crate::auth::ExternalSettings;

/// Mode token: the issuer of the tokens.
#[derive(Clone, Debug)]
pub enum Token {
    /// wharf issues tokens.
    BuiltIn(BuiltInIssuer),
    /// Another server issues tokens.
    External(ExternalSettings),
}

/// The issuer in wharf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltInIssuer {
    /// `auth.token.realm`: the URL where clients get tokens; `None`: it is made from the address.
    pub realm: Option<String>,
    /// `auth.token.service`: the audience of a token; `None` for the registry's own address.
    pub service: Option<String>,
    /// `auth.token.issuer`; `None`: the audience.
    pub issuer: Option<String>,
    /// `auth.htpasswd.path`: the users.
    pub users: PathBuf,
    /// `auth.token.key`: the signing key; `None`: wharf makes one and keeps it in the store.
    pub key: Option<PathBuf>,
    /// `auth.token.expiration`: how long a token lives.
    pub expiration: Duration,
    /// `auth.token.identity_tokens`: whether `docker login` gets a token that it stores instead of the password.
    pub identity_tokens: bool,
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        "auth.token.realm",
        Kind::Url,
        "",
        "The URL where clients get tokens. Default: `http.host` with `/token`.",
    ),
    Setting::new("auth.token.service", Kind::Text, "", "The name of this registry in challenges and tokens."),
    Setting::new("auth.token.issuer", Kind::Text, "", "The name of the issuer in tokens."),
    Setting::new("auth.token.expiration", Kind::Duration, "5m", "The lifetime of tokens that wharf issues, 1m to 1h."),
    Setting::new(
        "auth.token.identity_tokens",
        Kind::Flag,
        "false",
        "Whether `docker login` gets a token to store instead of the password.",
    ),
    Setting::new(
        "auth.token.key",
        Kind::Path,
        "",
        "The private key (PEM) that signs tokens. Without it, wharf makes one and keeps it in the store.",
    ),
    Setting::new(
        "auth.token.rootcertbundle",
        Kind::Path,
        "",
        "Certificates (PEM) of an external issuer. With it, wharf issues no tokens.",
    ),
    Setting::new(
        "auth.token.jwks",
        Kind::Path,
        "",
        "Keys (a JWKS file) of an external issuer. With it, wharf issues no tokens.",
    ),
    Setting::new(
        "auth.token.signingalgorithms",
        Kind::List,
        "",
        "The algorithms that an external issuer may use: some of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA. \
     Empty for all of them.",
    ),
    Setting::refused(
        "auth.token.autoredirect",
        "it would send passwords to the host in the request's Host header; set auth.token.realm",
    ),
];

const ALGORITHMS: [&str; 9] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

pub(super) fn read(values: &mut Values, place: &Source) -> Token {
    let users = values.path("auth.htpasswd.path");
    let root_cert_bundle = values.path("auth.token.rootcertbundle");
    let jwks = values.path("auth.token.jwks");
    if root_cert_bundle.is_none() && jwks.is_none() {
        return Token::BuiltIn(built_in(values, users, place));
    }
    if users.is_some() {
        let problem = "auth.htpasswd.path selects the built-in issuer of tokens, and auth.token.rootcertbundle or jwks \
                       an external one; remove one of them";
        values
            .errors
            .push(ConfigError::Conflict { place: values.source("auth.htpasswd.path"), problem: problem.to_owned() });
    }
    let needed = |values: &mut Values, key, text: Option<String>| {
        text.unwrap_or_else(|| values.bad(key, place.clone(), "with an external issuer it must be set"))
    };
    let (realm, service, issuer) = (realm(values), values.text("auth.token.service"), values.text("auth.token.issuer"));
    Token::External(ExternalSettings {
        realm: needed(values, "auth.token.realm", realm),
        service: needed(values, "auth.token.service", service),
        issuer: needed(values, "auth.token.issuer", issuer),
        root_cert_bundle,
        jwks,
        signing_algorithms: algorithms(values),
    })
}

fn built_in(values: &mut Values, users: Option<PathBuf>, place: &Source) -> BuiltInIssuer {
    let users = users.unwrap_or_else(|| {
        let problem = "mode token needs users (auth.htpasswd.path), for wharf to issue tokens to, or the keys of an issuer \
                       elsewhere (auth.token.rootcertbundle or jwks)";
        values.errors.push(ConfigError::Conflict { place: place.clone(), problem: problem.to_owned() });
        PathBuf::new()
    });
    let expiration = values.duration("auth.token.expiration");
    if !(60..=3600).contains(&expiration.as_secs()) {
        values.refuse::<()>("auth.token.expiration", "the lifetime must be 1m to 1h");
    }
    BuiltInIssuer {
        realm: realm(values),
        service: values.text("auth.token.service"),
        issuer: values.text("auth.token.issuer"),
        users,
        key: values.path("auth.token.key"),
        expiration,
        identity_tokens: values.flag("auth.token.identity_tokens"),
    }
}

/// The realm as it is written, if it is a URL.
fn realm(values: &mut Values) -> Option<String> {
    values.url("auth.token.realm").and_then(|_| values.text("auth.token.realm"))
}

fn algorithms(values: &mut Values) -> Vec<String> {
    let place = values.source("auth.token.signingalgorithms");
    let algorithms = values.list("auth.token.signingalgorithms");
    for name in algorithms.iter().filter(|name| !ALGORITHMS.contains(&name.as_str())) {
        let problem = format!("`{name}` is none of {}", ALGORITHMS.join(", "));
        values.bad::<()>("auth.token.signingalgorithms", place.clone(), problem);
    }
    algorithms
}
