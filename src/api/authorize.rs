//! Who sent a request, and the right to a repository: whoever has an [`Authorized`] may, and nobody else reaches a repository.

use std::{marker::PhantomData, net::IpAddr};

use actix_web::{
    HttpRequest,
    http::{Method, header},
    web,
};

use super::{Api, Incoming, error::ApiError, routes::Resource};
use crate::{
    auth::{Credentials, Principal, Refusal},
    oci::{Action, RepositoryName, ResourceScope},
    registry::{Overwrite, Repository},
};

/// The right to read.
pub(super) enum Pull {}
/// The right to write.
pub(super) enum Push {}
/// The right to delete.
pub(super) enum Delete {}

/// A repository, handed over with the right to do `A` to it.
pub(super) struct Authorized<A> {
    repository: Repository,
    overwrite: Overwrite,
    right: PhantomData<A>,
}

impl<A> Authorized<A> {
    pub(super) fn repository(&self) -> &Repository {
        &self.repository
    }

    pub(super) fn name(&self) -> &RepositoryName {
        self.repository.name()
    }
}

impl Authorized<Push> {
    /// Whether the sender may move tags, or only make new ones.
    pub(super) fn overwrite(&self) -> Overwrite {
        self.overwrite
    }
}

/// The sender of a request.
pub(super) struct Caller {
    principal: Principal,
    address: IpAddr,
    /// What a 401 to this request says.
    challenge: Option<String>,
    wanted: Vec<ResourceScope>,
}

impl Caller {
    /// Authenticates a request. Who shows no credentials is let through as nobody, to what everybody may do.
    ///
    /// # Errors
    /// 401 for credentials that don't hold, 429 for too many of them.
    pub(super) async fn of(
        api: &web::Data<Api>,
        request: &HttpRequest,
        resource: Option<&Resource>,
    ) -> Result<Self, ApiError> {
        let address = request.peer_addr().map_or(IpAddr::from([0, 0, 0, 0]), |address| address.ip());
        let authorization = authorization(request)?;
        let wanted = resource.map(|resource| wanted(resource, request.method())).unwrap_or_default();
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let challenge = |error| api.authenticator.challenge(host, &wanted, error);
        let credentials = Credentials { authorization, address };
        let principal = api.authenticator.authenticate(credentials).await.map_err(|refusal| match refusal {
            Refusal::Invalid => {
                ApiError::Unauthorized { challenge: challenge(Some("invalid_token")), wanted: wanted.clone() }
            }
            Refusal::Throttled { retry_after } => ApiError::TooManyRequests { retry_after },
            Refusal::Unavailable => ApiError::Unavailable,
        })?;
        let challenge = challenge(principal.user().map(|_| "insufficient_scope"));
        Ok(Self { principal, address, challenge, wanted })
    }

    pub(super) fn user(&self) -> Option<&str> {
        self.principal.user()
    }

    pub(super) fn address(&self) -> IpAddr {
        self.address
    }

    pub(super) fn may_pull(&self, name: &RepositoryName) -> bool {
        self.principal.may(Action::Pull, name)
    }

    /// `error`, for one who may know it: nobody learns more from a malformed request than from a good one.
    pub(super) fn refuse_or(&self, error: ApiError) -> ApiError {
        if self.principal.is_authenticated() { error } else { self.unauthorized() }
    }

    /// 401 for one who has not shown who it is.
    pub(super) fn must_be_somebody(&self) -> Result<(), ApiError> {
        if self.principal.is_authenticated() { Ok(()) } else { Err(self.unauthorized()) }
    }

    fn must(&self, allowed: bool) -> Result<(), ApiError> {
        match allowed {
            true => Ok(()),
            false if self.principal.is_authenticated() => Err(ApiError::Denied { wanted: self.wanted.clone() }),
            false => Err(self.unauthorized()),
        }
    }

    fn unauthorized(&self) -> ApiError {
        ApiError::Unauthorized { challenge: self.challenge.clone(), wanted: self.wanted.clone() }
    }
}

impl Incoming<'_> {
    /// # Errors
    /// 401 or 403 for one who may not read the repository.
    pub(super) fn pull(&self, name: RepositoryName) -> Result<Authorized<Pull>, ApiError> {
        self.caller.must(self.caller.principal.may(Action::Pull, &name))?;
        Ok(self.authorized(name, Overwrite::Refused))
    }

    /// # Errors
    /// 401 or 403 for one who may not write to the repository; 405 if nobody may.
    pub(super) fn push(&self, name: RepositoryName) -> Result<Authorized<Push>, ApiError> {
        let principal = &self.caller.principal;
        let overwrite = if principal.may(Action::Push, &name) { Overwrite::Allowed } else { Overwrite::Refused };
        self.caller.must(overwrite == Overwrite::Allowed || principal.may(Action::Create, &name))?;
        self.must_be_writable()?;
        Ok(self.authorized(name, overwrite))
    }

    /// # Errors
    /// 401 or 403 for one who may not delete from the repository; 405 if nobody may.
    pub(super) fn delete(&self, name: RepositoryName) -> Result<Authorized<Delete>, ApiError> {
        self.caller.must(self.caller.principal.may(Action::Delete, &name))?;
        self.must_be_writable()?;
        Ok(self.authorized(name, Overwrite::Refused))
    }

    fn authorized<A>(&self, name: RepositoryName, overwrite: Overwrite) -> Authorized<A> {
        Authorized { repository: self.api.registry.repository(name), overwrite, right: PhantomData }
    }

    fn must_be_writable(&self) -> Result<(), ApiError> {
        let read_only = self.api.settings.read_only || self.api.registry.is_read_only();
        if read_only { Err(ApiError::ReadOnly) } else { Ok(()) }
    }
}

fn authorization(request: &HttpRequest) -> Result<Option<&[u8]>, ApiError> {
    let mut values = request.headers().get_all(header::AUTHORIZATION);
    match (values.next(), values.next()) {
        (value, None) => Ok(value.map(header::HeaderValue::as_bytes)),
        (_, Some(_)) => Err(ApiError::AuthorizationTwice),
    }
}

/// The scopes that a token needs for a request, as registry:2 asks for them.
fn wanted(resource: &Resource, method: &Method) -> Vec<ResourceScope> {
    let actions: &[Action] = match *method {
        Method::DELETE if !matches!(resource, Resource::Upload { .. }) => &[Action::Delete],
        Method::GET | Method::HEAD if !matches!(resource, Resource::Upload { .. }) => &[Action::Pull],
        _ => &[Action::Pull, Action::Push],
    };
    match resource {
        Resource::Catalog => vec![ResourceScope::catalog()],
        resource => resource
            .repository()
            .map(|name| ResourceScope::repository(name, actions.iter().copied()))
            .into_iter()
            .collect(),
    }
}
