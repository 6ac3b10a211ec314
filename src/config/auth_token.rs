//! `[auth.token]`: tokens that wharf issues itself, or those of an issuer elsewhere.

use std::path::PathBuf;
use std::time::Duration;

use super::values::Values;
use super::{ConfigError, Kind, Setting, Source};

/// Mode token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// `auth.token.realm`: where clients get tokens; `None` to be made from the address.
    pub realm: Option<String>,
    /// `auth.token.service`: the audience of a token; `None` for the registry's own address.
    pub service: Option<String>,
    /// `auth.token.issuer`.
    pub issuer: Option<String>,
    /// Who issues them.
    pub issued_by: Issuer,
}

/// Who issues the tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Issuer {
    /// wharf does.
    BuiltIn {
        /// `auth.htpasswd.path`: the users.
        users: PathBuf,
        /// `auth.token.key`: the signing key; `None` for one that is made and kept in the store.
        key: Option<PathBuf>,
        /// `auth.token.expiration`: how long a token lives.
        expiration: Duration,
        /// `auth.token.identity_tokens`: whether `docker login` gets a token that it keeps instead of the password.
        identity_tokens: bool,
    },
    /// Somebody else does.
    External {
        /// `auth.token.rootcertbundle`.
        root_cert_bundle: Option<PathBuf>,
        /// `auth.token.jwks`.
        jwks: Option<PathBuf>,
        /// `auth.token.signingalgorithms`; empty for all that are safe.
        signing_algorithms: Vec<String>,
    },
}

pub(super) const REALM: Setting =
    Setting::new("auth.token.realm", Kind::Url, "", "Where clients get tokens. Without it, `http.host` and `/token`.");
pub(super) const SERVICE: Setting =
    Setting::new("auth.token.service", Kind::Text, "", "The name of this registry in challenges and tokens.");
pub(super) const ISSUER: Setting =
    Setting::new("auth.token.issuer", Kind::Text, "", "The name of the issuer in tokens.");
pub(super) const EXPIRATION: Setting =
    Setting::new("auth.token.expiration", Kind::Duration, "5m", "How long a token lives that wharf issues, 1m to 1h.");
pub(super) const IDENTITY_TOKENS: Setting = Setting::new(
    "auth.token.identity_tokens",
    Kind::Flag,
    "false",
    "Whether `docker login` gets a token to keep instead of the password.",
);
pub(super) const KEY: Setting = Setting::new(
    "auth.token.key",
    Kind::Path,
    "",
    "The private key (PEM) that signs tokens. Without it, one is made and kept in the store.",
);
pub(super) const ROOT_CERT_BUNDLE: Setting = Setting::new(
    "auth.token.rootcertbundle",
    Kind::Path,
    "",
    "Certificates (PEM) of an issuer elsewhere. With it, wharf issues no tokens.",
);
pub(super) const JWKS: Setting = Setting::new(
    "auth.token.jwks",
    Kind::Path,
    "",
    "Keys (a JWKS file) of an issuer elsewhere. With it, wharf issues no tokens.",
);
pub(super) const SIGNING_ALGORITHMS: Setting = Setting::new(
    "auth.token.signingalgorithms",
    Kind::List,
    "",
    "The algorithms that an issuer elsewhere may use: some of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA. \
     Empty for all of them.",
);
pub(super) const AUTOREDIRECT: Setting = Setting::refused(
    "auth.token.autoredirect",
    "it would send passwords wherever a request's Host header says; set auth.token.realm",
);

const ALGORITHMS: [&str; 9] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

pub(super) fn read(values: &mut Values, place: &Source) -> Token {
    let users = values.path("auth.htpasswd.path");
    let root_cert_bundle = values.path("auth.token.rootcertbundle");
    let jwks = values.path("auth.token.jwks");
    let external = root_cert_bundle.is_some() || jwks.is_some();
    let issued_by = match (users, external) {
        (users, false) => built_in(values, users, place),
        (None, true) => Issuer::External { root_cert_bundle, jwks, signing_algorithms: algorithms(values) },
        (Some(_), true) => {
            let problem = "auth.htpasswd.path makes wharf issue tokens itself, and auth.token.rootcertbundle or jwks says that \
                           another one does; leave one of them out";
            values.errors.push(ConfigError::Conflict {
                place: values.source("auth.htpasswd.path"),
                problem: problem.to_owned(),
            });
            Issuer::External { root_cert_bundle, jwks, signing_algorithms: Vec::new() }
        }
    };
    let token = Token {
        realm: values.url("auth.token.realm").map(|_| values.text("auth.token.realm").unwrap_or_default()),
        service: values.text("auth.token.service"),
        issuer: values.text("auth.token.issuer"),
        issued_by,
    };
    if external {
        for (key, is_there) in [
            ("auth.token.realm", token.realm.is_some()),
            ("auth.token.service", token.service.is_some()),
            ("auth.token.issuer", token.issuer.is_some()),
        ] {
            if !is_there {
                values.bad::<()>(key, place.clone(), "with an issuer elsewhere it must be set");
            }
        }
    }
    token
}

fn built_in(values: &mut Values, users: Option<PathBuf>, place: &Source) -> Issuer {
    let users = users.unwrap_or_else(|| {
        let problem = "mode token needs users (auth.htpasswd.path), for wharf to issue tokens to, or the keys of an issuer \
                       elsewhere (auth.token.rootcertbundle or jwks)";
        values.errors.push(ConfigError::Conflict { place: place.clone(), problem: problem.to_owned() });
        PathBuf::new()
    });
    let expiration = values.duration("auth.token.expiration");
    if !(60..=3600).contains(&expiration.as_secs()) {
        let place = values.source("auth.token.expiration");
        values.bad::<()>("auth.token.expiration", place, "a token may live from 1m to 1h");
    }
    let key = values.path("auth.token.key");
    Issuer::BuiltIn { users, key, expiration, identity_tokens: values.flag("auth.token.identity_tokens") }
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
