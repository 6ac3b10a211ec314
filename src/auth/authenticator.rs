//! Authenticates requests, in the one mode that the settings choose.

use std::{
    fmt,
    net::IpAddr,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwap;

use super::{
    access_rules::AccessRules,
    authorization::{Authorization, Credentials},
    builtin::Builtin,
    challenge,
    error::AuthError,
    external::External,
    login::Login,
    principal::Principal,
    realm::check_basic_realm,
    refusal::{Refusal, RefusalCounts},
    secret::Secret,
    settings::Settings,
    token::{IdentityTokens, Issuer, TokenError, TokenRequest, TokenResponse},
};
use crate::{
    files::{self, Poll},
    oci::ResourceScope,
};

/// How a person logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrowserLogin {
    /// Not at all: everybody may do everything.
    Unneeded,
    /// With a name and a password.
    Password,
    /// Not here: the tokens are those of the issuer at this URL.
    Elsewhere(String),
}

/// The authentication of a server: its mode and its access rules.
pub struct Authenticator {
    mode: Mode,
    access: ArcSwap<AccessRules>,
    refusals: RefusalCounts,
}

enum Mode {
    Open,
    Htpasswd { realm: String, login: Box<Login> },
    Builtin(Box<Builtin>),
    External(Box<External>),
}

impl Authenticator {
    /// Authentication in the mode in which everybody may do everything.
    #[must_use]
    pub fn open_to_everybody() -> Self {
        Self { mode: Mode::Open, access: ArcSwap::default(), refusals: RefusalCounts::default() }
    }

    /// Reads the files of a mode. The built-in issuer makes its signing key if it has none.
    ///
    /// # Errors
    /// [`AuthError`] says what the operator has to do.
    pub fn open(settings: &Settings, access: AccessRules) -> Result<Self, AuthError> {
        let mode = match settings {
            Settings::Open => Mode::Open,
            Settings::Htpasswd { realm, users } => {
                check_basic_realm(realm)?;
                Mode::Htpasswd { realm: realm.clone(), login: Box::new(Login::open(users)?) }
            }
            Settings::Builtin(settings) => Mode::Builtin(Box::new(Builtin::open(settings, unix_time())?)),
            Settings::External(settings) => Mode::External(Box::new(External::open(settings)?)),
        };
        let (access, refusals) = (ArcSwap::from_pointee(access), RefusalCounts::default());
        let authenticator = Self { mode, access, refusals };
        authenticator.warn_of_rules();
        Ok(authenticator)
    }

    /// Reads all that [`open`](Self::open) reads, and makes nothing. Says how many users there are.
    ///
    /// # Errors
    /// [`AuthError`], as [`open`](Self::open)'s.
    pub fn check(settings: &Settings, access: AccessRules) -> Result<Option<String>, AuthError> {
        if let Settings::Builtin(settings) = settings {
            let login = Login::open(&settings.users)?;
            Issuer::check(settings)?;
            return Ok(login.count());
        }
        Ok(Self::open(settings, access)?.login().and_then(Login::count))
    }

    /// The principal of a request. For a request without credentials it is [`Principal::anonymous`].
    ///
    /// # Errors
    /// [`Refusal`], for a request with bad credentials.
    pub async fn authenticate(&self, credentials: Credentials<'_>) -> Result<Principal, Refusal> {
        if matches!(self.mode, Mode::Open) {
            return Ok(Principal::unrestricted());
        }
        self.refusals.count(self.judge(credentials).await)
    }

    async fn judge(&self, credentials: Credentials<'_>) -> Result<Principal, Refusal> {
        let access = self.access.load_full();
        let refuse = |reason: &dyn fmt::Display| {
            tracing::info!("credentials are refused: {reason}");
            Refusal::Invalid
        };
        let authorization = Authorization::parse(credentials.authorization).map_err(|error| refuse(&error))?;
        match (&self.mode, authorization) {
            (Mode::Open, _) | (_, Authorization::Nothing) => Ok(self.nobody()),
            (Mode::Htpasswd { login, .. }, Authorization::Basic { user, password }) => {
                Box::pin(login.check(credentials.address, &user, &password)).await?;
                Ok(Principal::user_by_password(&user, access))
            }
            (Mode::Builtin(mode), Authorization::Bearer(token)) => mode.authenticate(token, access, unix_time()),
            (Mode::External(mode), Authorization::Bearer(token)) => mode.authenticate(token, unix_time()),
            (Mode::Htpasswd { .. }, Authorization::Bearer(_)) => Err(refuse(&"a token, where auth.mode is htpasswd")),
            (Mode::Builtin(_) | Mode::External(_), Authorization::Basic { .. }) => {
                Err(refuse(&"a password, where auth.mode is token"))
            }
        }
    }

    /// A sender without credentials.
    pub(super) fn nobody(&self) -> Principal {
        match &self.mode {
            Mode::Open => Principal::unrestricted(),
            Mode::Htpasswd { .. } | Mode::Builtin(_) => Principal::anonymous(self.access.load_full()),
            // The external issuer decides about all rights, so nothing is allowed without a token.
            Mode::External(_) => Principal::anonymous(Arc::default()),
        }
    }

    /// A user whose password was checked.
    pub(super) fn user(&self, name: &str) -> Principal {
        Principal::user_by_password(name, self.access.load_full())
    }

    /// How a person logs in.
    pub(super) fn browser_login(&self) -> BrowserLogin {
        match &self.mode {
            Mode::Open => BrowserLogin::Unneeded,
            Mode::Htpasswd { .. } | Mode::Builtin(_) => BrowserLogin::Password,
            Mode::External(mode) => BrowserLogin::Elsewhere(mode.realm.url(None)),
        }
    }

    /// The identity tokens, if they are issued.
    pub(super) fn identity_tokens(&self) -> Option<IdentityTokens> {
        match &self.mode {
            Mode::Builtin(mode) => mode.identity_tokens.clone(),
            Mode::Open | Mode::Htpasswd { .. } | Mode::External(_) => None,
        }
    }

    /// The hash of a user's password, if users log in here.
    pub(super) fn hash_of(&self, user: &str) -> Option<String> {
        self.login()?.users().hash_of(user).map(ToOwned::to_owned)
    }

    /// Checks the password of a user.
    pub(super) async fn check_password(&self, address: IpAddr, user: &str, password: &Secret) -> Result<(), Refusal> {
        let login = self.login().ok_or(Refusal::Invalid)?;
        self.refusals.count(Box::pin(login.check(address, user, password)).await)
    }

    /// How often credentials were refused.
    #[must_use]
    pub fn refusals(&self) -> &RefusalCounts {
        &self.refusals
    }

    /// Whether everybody may do everything.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.mode, Mode::Open)
    }

    /// Whether there are access rules. Without rules, every user may do everything.
    #[must_use]
    pub fn has_rules(&self) -> bool {
        !self.access.load().is_empty()
    }

    /// Whether wharf issues tokens.
    #[must_use]
    pub fn issues_tokens(&self) -> bool {
        matches!(self.mode, Mode::Builtin(_))
    }

    /// Issues a token.
    ///
    /// # Errors
    /// [`TokenError`]; [`TokenError::NotHere`] in all modes without the built-in issuer.
    pub async fn issue_token(
        &self,
        request: TokenRequest,
        credentials: Credentials<'_>,
    ) -> Result<TokenResponse, TokenError> {
        match &self.mode {
            Mode::Builtin(mode) => {
                let access = self.access.load_full();
                self.refusals.count_issue(mode.issue(request, credentials, access, unix_time()).await)
            }
            Mode::Open | Mode::Htpasswd { .. } | Mode::External(_) => Err(TokenError::NotHere),
        }
    }

    /// The `WWW-Authenticate` value of a 401 of the registry; `None` in the mode without authentication. `host` is the
    /// request's `Host` header,
    /// `wanted` the scopes that the request needs, and `error` a code of RFC 6750 (`invalid_token`,
    /// `insufficient_scope`).
    #[must_use]
    pub fn challenge(
        &self,
        host: Option<&str>,
        wanted: &[ResourceScope],
        error: Option<&'static str>,
    ) -> Option<String> {
        match &self.mode {
            Mode::Open => None,
            Mode::Htpasswd { realm, .. } => Some(challenge::basic(realm)),
            Mode::Builtin(mode) => Some(challenge::bearer(&mode.realm.url(host), &mode.service, wanted, error)),
            Mode::External(mode) => Some(challenge::bearer(&mode.realm.url(host), &mode.service, wanted, error)),
        }
    }

    /// The `WWW-Authenticate` value of a 401 of the token endpoint. It is a Basic challenge: with Bearer, clients would
    /// request a token for the endpoint.
    #[must_use]
    pub fn token_endpoint_challenge(&self) -> Option<String> {
        match &self.mode {
            Mode::Builtin(mode) => Some(challenge::basic(&mode.service)),
            Mode::Open | Mode::Htpasswd { .. } | Mode::External(_) => None,
        }
    }

    /// Puts other rules in force, for all requests from now on.
    pub fn set_access(&self, access: AccessRules) {
        self.access.store(Arc::new(access));
        self.warn_of_rules();
    }

    /// Reads users and keys again, changed or not. A bad file is logged, and its last good content stays in force.
    /// Blocks.
    pub fn reload(&self) {
        if let Some(login) = self.login() {
            login.reload();
        }
        match &self.mode {
            Mode::Open | Mode::Htpasswd { .. } => {}
            Mode::Builtin(mode) => mode.issuer.reload(unix_time()),
            Mode::External(mode) => mode.reload(),
        }
    }

    /// Follows changes of the files until it is dropped.
    pub async fn watch(self: Arc<Self>) {
        if !self.is_open() {
            files::follow(move || self.poll()).await;
        }
    }

    fn poll(&self) -> Poll {
        let users = self.login().map_or(Poll::Same, Login::poll);
        let keys = match &self.mode {
            Mode::Open | Mode::Htpasswd { .. } => Poll::Same,
            Mode::Builtin(mode) => mode.issuer.poll(unix_time()),
            Mode::External(mode) => mode.poll(),
        };
        users.max(keys)
    }

    fn login(&self) -> Option<&Login> {
        match &self.mode {
            Mode::Open | Mode::External(_) => None,
            Mode::Htpasswd { login, .. } => Some(login),
            Mode::Builtin(mode) => Some(&mode.login),
        }
    }

    fn warn_of_rules(&self) {
        match &self.mode {
            Mode::Htpasswd { .. } if self.access.load().mentions_anonymous() => tracing::warn!(
                "rules for anonymous in htpasswd mode: docker can't use them, because it sends a password only where \
                 /v2/ asks for one; anonymous pull beside authenticated push works in token mode"
            ),
            Mode::External(_) if !self.access.load().is_empty() => {
                tracing::warn!("the tokens of an external issuer say who may do what, so [[access]] has no effect");
            }
            _ => {}
        }
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.mode {
            Mode::Open => "Authenticator(open)",
            Mode::Htpasswd { .. } => "Authenticator(htpasswd)",
            Mode::Builtin(_) => "Authenticator(token, built in)",
            Mode::External(_) => "Authenticator(token, external)",
        })
    }
}

/// Seconds since 1970.
fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
