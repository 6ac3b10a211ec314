//! Token mode in which wharf issues the tokens, to the users of an htpasswd file.

use std::{net::IpAddr, sync::Arc};

use super::{
    Credentials, Refusal,
    access_rules::AccessRules,
    authorization::Authorization,
    error::AuthError,
    login::Login,
    principal::Principal,
    realm::Realm,
    secret::Secret,
    settings::BuiltinSettings,
    token::{
        AcceptedTokens, Grant, IdentityRefusal, IdentityTokens, Issuer, TokenError, TokenRequest, TokenResponse,
        Verifier, grant, scope_text,
    },
};
use crate::files::FileError;

/// The mode.
pub(super) struct Builtin {
    pub(super) login: Login,
    pub(super) issuer: Issuer,
    pub(super) realm: Realm,
    pub(super) service: String,
    pub(super) identity_tokens: Option<IdentityTokens>,
    accepted: AcceptedTokens,
}

impl Builtin {
    pub(super) fn open(settings: &BuiltinSettings, now: u64) -> Result<Self, AuthError> {
        Ok(Self {
            login: Login::open(&settings.users)?,
            issuer: Issuer::open(settings, now)?,
            realm: settings.realm.clone(),
            service: settings.service.clone(),
            identity_tokens: settings.identity_tokens.as_deref().map(IdentityTokens::new),
            accepted: AcceptedTokens::new(),
        })
    }

    /// The holder of a token.
    pub(super) fn authenticate(&self, token: &str, access: Arc<AccessRules>, now: u64) -> Result<Principal, Refusal> {
        let (generation, trusted) = self.issuer.trusted();
        let verify = || Verifier::own(trusted, self.issuer.name(), &self.service).verify(token, now);
        self.accepted.principal(generation, token, Some(access), now, verify)
    }

    /// Issues a token.
    pub(super) async fn issue(
        &self,
        request: TokenRequest,
        credentials: Credentials<'_>,
        access: Arc<AccessRules>,
        now: u64,
    ) -> Result<TokenResponse, TokenError> {
        if request.service.as_ref().is_some_and(|service| *service != self.service) {
            return Err(TokenError::UnknownService);
        }
        let is_form = !matches!(request.grant, Grant::Header);
        let may_get_identity_token = !matches!(request.grant, Grant::RefreshToken(_));
        let generation = self.login.generation();
        let user = self.identify(request.grant, credentials, now).await?;
        if let (Some(user), Some(account)) = (&user, &request.account)
            && user != account
        {
            return Err(TokenError::AccountMismatch);
        }
        let granted = grant(&access, user.as_deref(), &request.scopes);
        let scope = is_form.then(|| scope_text(&granted));
        let token = self.issuer.issue(user.as_deref(), granted, now)?;
        let refresh_token = match user {
            Some(user) if request.wants_identity_token && may_get_identity_token => {
                self.identity_token(user, request.client_id, generation, now).await?
            }
            _ => None,
        };
        Ok(TokenResponse::new(token, self.issuer.lifetime(), now, scope, refresh_token))
    }

    /// The user that asks; `None` for a request without credentials.
    async fn identify(
        &self,
        grant: Grant,
        credentials: Credentials<'_>,
        now: u64,
    ) -> Result<Option<String>, TokenError> {
        let (user, password) = match grant {
            Grant::RefreshToken(token) => return self.redeem(credentials.address, token, now).await.map(Some),
            Grant::Password { user, password } => (user, password),
            Grant::Header => match Authorization::parse(credentials.authorization) {
                Ok(Authorization::Nothing) => return Ok(None),
                Ok(Authorization::Basic { user, password }) => (user, password),
                Ok(Authorization::Bearer(_)) | Err(_) => return Err(TokenError::WrongCredentials),
            },
        };
        if user.is_empty() && password.reveal().is_empty() {
            return Ok(None);
        }
        self.login.check(credentials.address, &user, &password).await?;
        Ok(Some(user))
    }

    async fn redeem(&self, address: IpAddr, token: Secret, now: u64) -> Result<String, TokenError> {
        let Some(tokens) = self.identity_tokens.clone() else { return Err(TokenError::DeadRefreshToken) };
        self.login.admit(address, "")?;
        let users = self.login.users();
        let hash_of = move |user: &str| users.hash_of(user).map(ToOwned::to_owned);
        let (redeemed, token) = in_background(move || (tokens.redeem(&token, hash_of, now), token)).await?;
        redeemed.map_err(|refusal| match refusal {
            IdentityRefusal::Dead => {
                self.login.failed(address, "", &token);
                TokenError::DeadRefreshToken
            }
            IdentityRefusal::Store(error) => unavailable(&error),
        })
    }

    /// An identity token for a user, unless the user was removed after it had logged in.
    async fn identity_token(
        &self,
        user: String,
        client: String,
        generation: u64,
        now: u64,
    ) -> Result<Option<String>, TokenError> {
        let (Some(tokens), Some(hash)) =
            (self.identity_tokens.clone(), self.login.users().hash_of(&user).map(str::to_owned))
        else {
            return Ok(None);
        };
        // A password that was changed after it was checked must not get a token that is bound to the new one.
        if self.login.generation() != generation {
            return Err(TokenError::Unavailable);
        }
        let issued = in_background(move || tokens.issue(&user, &hash, &client, now)).await?;
        issued.map(Some).map_err(|error| unavailable(&error))
    }
}

/// Does what reads or writes files on a thread that may block.
async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, TokenError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| TokenError::Unavailable)
}

fn unavailable(error: &FileError) -> TokenError {
    tracing::error!("{error}");
    TokenError::Unavailable
}

impl From<Refusal> for TokenError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid | Refusal::InvalidToken => Self::WrongCredentials,
            Refusal::Throttled { retry_after } => Self::Throttled { retry_after },
            Refusal::Unavailable => Self::Unavailable,
        }
    }
}
