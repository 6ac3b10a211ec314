//! From the settings to the mode of authentication and its rules.

use std::{net::SocketAddr, path::PathBuf};

use super::StartError;
use crate::{
    auth::{
        AccessRules, AuthError, Authenticator, BuiltinSettings, InvalidAccess, InvalidRealm, KeySource, Realm, Settings,
    },
    config::{BuiltInIssuer, Config, Listen, Mode, Store, Token},
    files,
    storage::OWN_PREFIX,
};

/// Opens the mode of authentication, `addresses` being those that are listened on.
///
/// # Errors
/// [`StartError`]: a file of users or keys is bad, a rule is, or the server does not know by what name it is reached.
pub(super) fn open(config: &Config, addresses: &[SocketAddr]) -> Result<Authenticator, StartError> {
    let settings = settings(config, addresses)?;
    Ok(Authenticator::open(&settings, access(config).map_err(AuthError::from)?)?)
}

/// Finds the errors that [`open`] would find, and makes nothing. Returns the number of users, in words.
///
/// # Errors
/// [`StartError`], as [`open`]'s.
pub(super) fn check(config: &Config, addresses: &[SocketAddr]) -> Result<Option<String>, StartError> {
    // The files beside a store in memory are made when it is served.
    let own = match &config.storage.store {
        Store::Filesystem { root } => root.join(OWN_PREFIX),
        Store::Memory | Store::S3(_) => PathBuf::from("/nonexistent/wharf"),
    };
    let settings = settings_with(config, addresses, &|| Ok(own.clone()))?;
    Ok(Authenticator::check(&settings, access(config).map_err(AuthError::from)?)?)
}

/// The mode of authentication as a server on these addresses has it.
///
/// # Errors
/// [`StartError`]: the server does not know by what name it is reached.
pub(crate) fn settings(config: &Config, addresses: &[SocketAddr]) -> Result<Settings, StartError> {
    settings_with(config, addresses, &|| own_folder(config))
}

/// Gives the folder for what the server keeps of its own, and makes it where it has to be there.
type OwnFolder<'a> = &'a dyn Fn() -> Result<PathBuf, StartError>;

fn settings_with(config: &Config, addresses: &[SocketAddr], own: OwnFolder<'_>) -> Result<Settings, StartError> {
    match &config.auth.mode {
        Mode::None => Ok(Settings::Open),
        Mode::Htpasswd(htpasswd) => {
            Ok(Settings::Htpasswd { realm: htpasswd.realm.clone(), users: htpasswd.path.clone() })
        }
        Mode::Token(Token::BuiltIn(issuer)) => built_in(config, issuer, addresses, own),
        Mode::Token(Token::External(external)) => Ok(Settings::External(external.clone())),
    }
}

/// The rules, as the settings have them now.
///
/// # Errors
/// [`InvalidAccess`]
pub(crate) fn access(config: &Config) -> Result<AccessRules, InvalidAccess> {
    AccessRules::new(&config.access, &config.groups.iter().cloned().collect())
}

fn built_in(
    config: &Config,
    issuer: &BuiltInIssuer,
    addresses: &[SocketAddr],
    own: OwnFolder<'_>,
) -> Result<Settings, StartError> {
    let service = issuer.service.clone().unwrap_or_else(|| own_name(config, addresses));
    let own = own()?;
    Ok(Settings::Builtin(BuiltinSettings {
        realm: realm(config, issuer.realm.as_deref(), addresses).map_err(AuthError::from)?,
        issuer: issuer.issuer.clone().unwrap_or_else(|| service.clone()),
        service,
        users: issuer.users.clone(),
        key: issuer.key.clone().map_or_else(|| KeySource::Folder(own.join("token-keys")), KeySource::File),
        lifetime: issuer.expiration,
        identity_tokens: issuer.identity_tokens.then(|| own.join("identity-tokens")),
    }))
}

fn realm(config: &Config, realm: Option<&str>, addresses: &[SocketAddr]) -> Result<Realm, InvalidRealm> {
    let host = config.http.host.as_ref().map(|host| host.as_str().trim_end_matches('/'));
    let prefix = &config.http.prefix;
    let port = addresses.first().map_or(0, SocketAddr::port);
    let is_tcp = matches!(config.http.listen, Listen::Tcp(_));
    let is_loopback = is_tcp && addresses.iter().all(|address| address.ip().to_canonical().is_loopback());
    Realm::choose(realm, host, prefix, port, config.http.tls.is_some(), is_loopback)
}

/// What the registry is called in challenges and tokens, if nobody says: its address.
fn own_name(config: &Config, addresses: &[SocketAddr]) -> String {
    let host = config.http.host.as_ref().and_then(|host| {
        let name = host.host_str()?;
        Some(host.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}")))
    });
    host.unwrap_or_else(|| format!("localhost:{}", addresses.first().map_or(0, SocketAddr::port)))
}

/// Where the server keeps what is its own: beside the registry's tree, or, if that is in memory, in a folder that is
/// gone with the machine's next start.
fn own_folder(config: &Config) -> Result<PathBuf, StartError> {
    match &config.storage.store {
        Store::Filesystem { root } => Ok(root.join(OWN_PREFIX)),
        Store::Memory => files::temporary_folder().map_err(StartError::Folder),
        // The settings refuse what would be kept there.
        Store::S3(_) => Ok(PathBuf::from("/nonexistent/wharf")),
    }
}
