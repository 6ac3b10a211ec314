//! Who sent a request, and the right to a repository: whoever has an [`Authorized`] may, and nobody else reaches a repository.

use std::{marker::PhantomData, net::IpAddr};

use actix_web::{
    HttpRequest,
    http::{Method, header},
};

use super::{Api, Incoming, error::ApiError, query::Query, routes::Resource};
use crate::{
    auth::{self, Credentials, Principal, Refusal},
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
pub(super) struct Caller<'a> {
    api: &'a Api,
    request: &'a HttpRequest,
    /// What the path names, if it names something.
    resource: Option<Resource>,
    principal: Principal,
    address: IpAddr,
}

impl<'a> Caller<'a> {
    /// Authenticates a request. Who shows no credentials is let through as nobody, to what everybody may do.
    ///
    /// # Errors
    /// 401 for credentials that don't hold, 429 for too many of them.
    pub(super) async fn of(
        api: &'a Api,
        request: &'a HttpRequest,
        resource: Option<Resource>,
    ) -> Result<Self, ApiError> {
        let credentials = credentials(api, request)?;
        let refused = |error, refusal| {
            let wanted = wanted(request, resource.as_ref());
            let challenge = challenge(api, request, wanted.as_deref(), error);
            ApiError::Unauthorized { challenge, wanted, refusal: Some(refusal) }
        };
        let principal = api.authenticator.authenticate(credentials).await.map_err(|refusal| match refusal {
            Refusal::Invalid => refused(None, refusal),
            Refusal::InvalidToken => refused(Some("invalid_token"), refusal),
            Refusal::Throttled { retry_after } => ApiError::TooManyRequests { retry_after },
            Refusal::Unavailable => ApiError::Unavailable,
        })?;
        Ok(Self { api, request, resource, principal, address: credentials.address })
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

    /// Whether `name` belongs into a list that the sender may have.
    pub(super) fn may_see(&self, name: &RepositoryName) -> bool {
        self.principal.may_see(name)
    }

    /// `error`, for one who may know it: nobody learns more from a malformed request than from a good one.
    pub(super) fn refuse_or(&self, error: ApiError) -> ApiError {
        if self.principal.is_authenticated() { error } else { self.unauthorized() }
    }

    /// # Errors
    /// 401 for one who has not shown who it is.
    pub(super) fn must_be_somebody(&self) -> Result<(), ApiError> {
        if self.principal.is_authenticated() { Ok(()) } else { Err(self.unauthorized()) }
    }

    /// # Errors
    /// 401 or 403 for one who may not list the repositories.
    pub(super) fn must_list_catalog(&self) -> Result<(), ApiError> {
        self.must(self.principal.may_list_catalog())
    }

    /// What a password does not allow is denied; with a token it may be had by another token; and who said nothing may say who it is.
    fn must(&self, allowed: bool) -> Result<(), ApiError> {
        if allowed {
            return Ok(());
        }
        let wanted = wanted(self.request, self.resource.as_ref());
        Err(match self.principal.method() {
            auth::Method::Open | auth::Method::Basic => ApiError::Denied { wanted: wanted.unwrap_or_default() },
            auth::Method::Bearer => {
                let challenge = self.challenge(wanted.as_deref());
                ApiError::InsufficientScope { challenge, wanted: wanted.unwrap_or_default() }
            }
            auth::Method::Anonymous => self.unauthorized(),
        })
    }

    fn unauthorized(&self) -> ApiError {
        let wanted = wanted(self.request, self.resource.as_ref());
        ApiError::Unauthorized { challenge: self.challenge(wanted.as_deref()), wanted, refusal: None }
    }

    /// What a 401 to this request says.
    fn challenge(&self, wanted: Option<&[ResourceScope]>) -> Option<String> {
        let error = (self.principal.method() == auth::Method::Bearer).then_some("insufficient_scope");
        challenge(self.api, self.request, wanted, error)
    }
}

/// The challenge to a request that would need `wanted`.
fn challenge(
    api: &Api,
    request: &HttpRequest,
    wanted: Option<&[ResourceScope]>,
    error: Option<&'static str>,
) -> Option<String> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    api.authenticator.challenge(host, wanted.unwrap_or_default(), error)
}

/// What a request says of its sender.
///
/// # Errors
/// 400 if it says it twice.
pub(super) fn credentials<'a>(api: &Api, request: &'a HttpRequest) -> Result<Credentials<'a>, ApiError> {
    let mut values = request.headers().get_all(header::AUTHORIZATION);
    let authorization = match (values.next(), values.next()) {
        (value, None) => value.map(header::HeaderValue::as_bytes),
        (_, Some(_)) => return Err(ApiError::AuthorizationTwice),
    };
    // A Unix socket has no address: all of its clients are one.
    let address = api.settings.proxies.client(request).unwrap_or(IpAddr::from([0, 0, 0, 0]));
    Ok(Credentials { authorization, address })
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

/// What a request needs; `None` if it is only asked whether there is a registry.
fn wanted(request: &HttpRequest, resource: Option<&Resource>) -> Option<Vec<ResourceScope>> {
    match resource {
        Some(Resource::Version) => None,
        Some(resource) => Some(scopes(resource, request)),
        None => Some(Vec::new()),
    }
}

/// The scopes that a token needs for a request, as registry:2 asks for them.
fn scopes(resource: &Resource, request: &HttpRequest) -> Vec<ResourceScope> {
    let is_upload = matches!(resource, Resource::Upload { .. });
    let actions: &[Action] = match *request.method() {
        Method::DELETE if !is_upload => &[Action::Delete],
        Method::GET | Method::HEAD if !is_upload => &[Action::Pull],
        _ => &[Action::Pull, Action::Push],
    };
    if *resource == Resource::Catalog {
        return vec![ResourceScope::catalog()];
    }
    let of = |name: &RepositoryName, actions: &[Action]| ResourceScope::repository(name, actions.iter().copied());
    let mut scopes: Vec<_> = resource.repository().map(|name| of(name, actions)).into_iter().collect();
    if matches!(resource, Resource::Uploads { .. })
        && let Some(from) = source_of_mount(request)
    {
        scopes.push(of(&from, &[Action::Pull]));
    }
    scopes
}

/// Where a blob is to be mounted from, if the request says it rightly. What it says wrongly is answered later.
fn source_of_mount(request: &HttpRequest) -> Option<RepositoryName> {
    let query = Query::parse(request.query_string());
    query.one("mount").ok()??;
    query.one("from").ok()??.parse().ok()
}
