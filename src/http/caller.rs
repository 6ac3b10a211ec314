//! The sender of a request, and what it may do. A handler reaches a repository only through an [`Authorized`].

use std::{
    marker::PhantomData,
    net::{IpAddr, Ipv4Addr},
};

use actix_web::{HttpRequest, http::header};
use uuid::Uuid;

use super::{Limit, Service, error::HttpError, location, route::Right};
use crate::{
    auth::{self, Credentials, Principal, Refusal},
    oci::{Action, RepositoryName, ResourceScope},
    registry::{Anonymous, Overwrite, Page, Registry, RegistryError, Repository, events::Source},
};

/// The address of the clients of a Unix socket, which have none: all of them are one.
pub(super) const UNNAMED: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// The right to read.
#[derive(Debug)]
pub enum Pull {}
/// The right to write.
#[derive(Debug)]
pub enum Push {}
/// The right to delete.
#[derive(Debug)]
pub enum Delete {}

/// A repository, with the right to do `A` to it.
#[derive(Debug)]
pub struct Authorized<A> {
    repository: Repository,
    overwrite: Overwrite,
    right: PhantomData<A>,
}

impl<A> Authorized<A> {
    pub(crate) fn repository(&self) -> &Repository {
        &self.repository
    }

    pub(crate) fn name(&self) -> &RepositoryName {
        self.repository.name()
    }
}

impl Authorized<Push> {
    /// Whether the sender may move tags, or only make new ones.
    pub(crate) fn overwrite(&self) -> Overwrite {
        self.overwrite
    }
}

/// The list of repositories, with the right to read it.
#[derive(Debug)]
pub struct Catalog {
    registry: Registry,
    principal: Principal,
}

impl Catalog {
    /// The repositories that the sender may see: at most `limit`, after `last`.
    ///
    /// # Errors
    /// The error of a store that is shared.
    pub(crate) async fn list(&self, last: Option<&str>, limit: usize) -> Result<Page<RepositoryName>, RegistryError> {
        self.registry.list_repositories(last, limit, |name| self.may_see(name)).await
    }

    /// All repositories that the sender may see and that have `text` in their name.
    ///
    /// # Errors
    /// As [`Catalog::list`].
    pub(crate) async fn containing(&self, text: &str) -> Result<Vec<RepositoryName>, RegistryError> {
        let is_wanted = |name: &RepositoryName| name.as_str().contains(text) && self.may_see(name);
        Ok(self.registry.list_repositories(None, usize::MAX, is_wanted).await?.entries)
    }

    fn may_see(&self, name: &RepositoryName) -> bool {
        self.principal.may_see(name) && is_open_to(&self.registry, &self.principal, name)
    }
}

/// What a sender was granted: the [`Right`] that its request needs.
#[derive(Debug)]
pub enum Granted {
    /// Nothing was needed.
    Open,
    /// The sender is somebody.
    Authenticated,
    /// The sender may list the repositories that it may see.
    Catalog(Catalog),
    /// The sender may read.
    Pull(Authorized<Pull>),
    /// The sender may write.
    Push(Authorized<Push>),
    /// The sender may delete.
    Delete(Authorized<Delete>),
}

/// The sender of a request.
pub(crate) struct Caller<'a> {
    service: &'a Service,
    request: &'a HttpRequest,
    /// The scopes that the request needs; empty if its path names nothing.
    wanted: Option<Vec<ResourceScope>>,
    principal: Principal,
    address: Option<IpAddr>,
}

impl<'a> Caller<'a> {
    /// Authenticates a request, unless its `sender` is known already. A sender without credentials is let through as
    /// nobody, to what everybody may do.
    ///
    /// # Errors
    /// 401 for credentials that don't hold, 429 for too many of them.
    pub(super) async fn authenticate(
        service: &'a Service,
        request: &'a HttpRequest,
        address: Option<IpAddr>,
        right: Option<&Right>,
        sender: Option<Principal>,
    ) -> Result<Self, HttpError> {
        let wanted = right.map_or_else(|| Some(Vec::new()), Right::scopes);
        if let Some(principal) = sender {
            return Ok(Self { service, request, wanted, principal, address });
        }
        let credentials = credentials(request, address)?;
        let principal = match service.authenticator.authenticate(credentials).await {
            Ok(principal) => principal,
            Err(Refusal::Throttled { retry_after }) => {
                return Err(HttpError::TooManyRequests { limit: Limit::Passwords, retry_after });
            }
            Err(Refusal::Unavailable) => return Err(HttpError::Unavailable),
            Err(refusal @ (Refusal::Invalid | Refusal::InvalidToken)) => {
                let error = matches!(refusal, Refusal::InvalidToken).then_some("invalid_token");
                let challenge = service.challenge(request, wanted.as_deref(), error);
                return Err(HttpError::Unauthorized { challenge, wanted, refusal: Some(refusal) });
            }
        };
        Ok(Self { service, request, wanted, principal, address })
    }

    pub(crate) fn user(&self) -> Option<&str> {
        self.principal.user()
    }

    /// Whether the sender may read a repository.
    pub(crate) fn may_pull(&self, name: &RepositoryName) -> bool {
        self.principal.may(Action::Pull, name) && is_open_to(&self.service.registry, &self.principal, name)
    }

    /// Whether the sender may delete from a repository.
    pub(crate) fn may_delete(&self, name: &RepositoryName) -> bool {
        let service = self.service;
        service.registry.takes_deletes()
            && service.must_be_writable().is_ok()
            && self.principal.may(Action::Delete, name)
    }

    /// `error`, for a sender who may know it: nobody learns more from a malformed request than from a good one.
    pub(super) fn refuse_or(&self, error: super::ErrorAnswer) -> super::ErrorAnswer {
        if self.principal.is_authenticated() { error } else { self.unauthorized().into() }
    }

    /// # Errors
    /// 401 for a sender who has not shown who it is.
    pub(super) fn must_be_authenticated(&self) -> Result<(), HttpError> {
        if self.principal.is_authenticated() { Ok(()) } else { Err(self.unauthorized()) }
    }

    /// Hands over what `right` is to.
    ///
    /// # Errors
    /// 401 or 403 for a sender who does not have it; 405 if nobody may write.
    pub(super) fn grant(&self, right: Right) -> Result<Granted, HttpError> {
        let may = |action, name: &RepositoryName| self.principal.may(action, name);
        match right {
            Right::Open => Ok(Granted::Open),
            Right::Authenticated => {
                self.must_be_authenticated()?;
                Ok(Granted::Authenticated)
            }
            Right::Catalog => {
                self.must(self.principal.may_list_catalog())?;
                Ok(Granted::Catalog(Catalog {
                    registry: self.service.registry.clone(),
                    principal: self.principal.clone(),
                }))
            }
            Right::Pull(name) => {
                self.must(self.may_pull(&name))?;
                Ok(Granted::Pull(self.authorized(name, Overwrite::Refused)))
            }
            Right::Push { to, .. } => {
                let overwrite = if may(Action::Push, &to) { Overwrite::Allowed } else { Overwrite::Refused };
                self.must(overwrite == Overwrite::Allowed || may(Action::Create, &to))?;
                self.service.must_be_writable()?;
                Ok(Granted::Push(self.authorized(to, overwrite)))
            }
            Right::Delete(name) => {
                self.must(may(Action::Delete, &name))?;
                self.service.must_be_writable()?;
                Ok(Granted::Delete(self.authorized(name, Overwrite::Refused)))
            }
        }
    }

    /// The right to read another repository than the one that the request is about.
    pub(crate) fn pull(&self, name: RepositoryName) -> Option<Authorized<Pull>> {
        self.may_pull(&name).then(|| self.authorized(name, Overwrite::Refused))
    }

    fn authorized<A>(&self, name: RepositoryName, overwrite: Overwrite) -> Authorized<A> {
        let registry = &self.service.registry;
        let is_fetching = self.principal.is_logged_in() || registry.anonymous(&name) == Anonymous::Fetch;
        let repository = registry.repository_for(name, || self.source());
        let repository = if is_fetching { repository } else { repository.without_fetching() };
        Authorized { repository, overwrite, right: PhantomData }
    }

    /// The cause of the events that the request brings about.
    fn source(&self) -> Source {
        let header = |name| self.request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Source {
            actor: self.principal.user().map(str::to_owned),
            id: Uuid::new_v4().to_string(),
            address: self.address.map(|address| address.to_string()).unwrap_or_default(),
            host: header(header::HOST).to_owned(),
            method: self.request.method().to_string(),
            user_agent: header(header::USER_AGENT).to_owned(),
            origin: location::asked_origin(&self.service.settings, self.request),
        }
    }

    /// What a password does not allow is denied. With a token, another token may allow it. A sender who said nothing
    /// may say who it is.
    fn must(&self, allowed: bool) -> Result<(), HttpError> {
        if allowed {
            return Ok(());
        }
        let wanted = self.wanted.clone().unwrap_or_default();
        Err(match self.principal.method() {
            auth::Method::Open | auth::Method::Basic => HttpError::Denied { wanted },
            auth::Method::Bearer => HttpError::InsufficientScope { challenge: self.challenge(), wanted },
            auth::Method::Anonymous => self.unauthorized(),
        })
    }

    fn unauthorized(&self) -> HttpError {
        HttpError::Unauthorized { challenge: self.challenge(), wanted: self.wanted.clone(), refusal: None }
    }

    /// The challenge of a 401 to this request.
    fn challenge(&self) -> Option<String> {
        let error = (self.principal.method() == auth::Method::Bearer).then_some("insufficient_scope");
        self.service.challenge(self.request, self.wanted.as_deref(), error)
    }
}

/// Whether an upstream that has private content lets a sender read a repository that it fills.
fn is_open_to(registry: &Registry, principal: &Principal, name: &RepositoryName) -> bool {
    principal.is_logged_in() || registry.anonymous(name) != Anonymous::Nothing
}

/// The credentials of a request from an address.
///
/// # Errors
/// 400 if it says it twice.
pub(super) fn credentials(request: &HttpRequest, address: Option<IpAddr>) -> Result<Credentials<'_>, HttpError> {
    let mut values = request.headers().get_all(header::AUTHORIZATION);
    let authorization = match (values.next(), values.next()) {
        (value, None) => value.map(header::HeaderValue::as_bytes),
        (_, Some(_)) => return Err(HttpError::AuthorizationTwice),
    };
    Ok(Credentials { authorization, address: address.unwrap_or(UNNAMED) })
}

impl Service {
    /// The challenge to a request that needs `wanted`.
    fn challenge(
        &self,
        request: &HttpRequest,
        wanted: Option<&[ResourceScope]>,
        error: Option<&'static str>,
    ) -> Option<String> {
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        self.authenticator.challenge(host, wanted.unwrap_or_default(), error)
    }

    fn must_be_writable(&self) -> Result<(), HttpError> {
        let read_only = self.settings.read_only || self.registry.is_read_only();
        if read_only { Err(HttpError::ReadOnly) } else { Ok(()) }
    }
}
