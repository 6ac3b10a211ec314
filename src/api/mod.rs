//! The distribution API: a [`Router`] with one file a resource, one table of routes and one table of errors.

mod blobs;
mod broken_download;
mod catalog;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod manifests;
mod multipart_ranges;
mod pagination;
mod referrers;
mod routes;
mod tags;
mod token;
mod uploads;
mod validators;
mod version;

use std::sync::Arc;

use actix_web::{
    HttpResponse,
    http::{
        Method, StatusCode,
        header::{HeaderName, HeaderValue},
    },
};
use futures_util::future::LocalBoxFuture;

use self::{error::ApiError, routes::Name};
use crate::{
    auth::Authenticator,
    http::{ErrorAnswer, Exchange, Fixed, Granted, HttpError, Path, Query, Resource, Right, Route, Router, field},
    registry::{Registry, RegistryError},
};

/// The version of the API, which clients look for.
static API_VERSION: [(HeaderName, HeaderValue); 1] = [field("docker-distribution-api-version", "registry/2.0")];

/// The settings of the API.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The prefix of every path: empty, or a path such as `/registry`, without a slash at the end.
    pub prefix: String,
    /// The most repositories in one page.
    pub catalog_max: usize,
    /// The most tags in one page.
    pub tags_max: usize,
    /// The message of the 401 of `/v2/`, in the place of the usual one.
    pub unauthorized_message: Option<String>,
    /// The type of that 401, in the place of JSON's.
    pub unauthorized_content_type: Option<String>,
}

/// The router of the distribution API.
#[derive(Debug)]
pub struct Api(Arc<State>);

#[derive(Debug)]
struct State {
    settings: Settings,
    authenticator: Arc<Authenticator>,
    registry: Registry,
}

impl Api {
    /// The API of `registry` with these settings. Its tokens are those of `authenticator`.
    #[must_use]
    pub fn new(settings: Settings, authenticator: Arc<Authenticator>, registry: Registry) -> Self {
        Self(Arc::new(State { settings, authenticator, registry }))
    }
}

impl Router for Api {
    fn find(&self, path: &Path) -> Option<Result<Box<dyn Resource>, ErrorAnswer>> {
        let found = Name::find(path.as_str(), &self.0.settings.prefix)?;
        let resource = |name| Box::new(Named { name, state: Arc::clone(&self.0) }) as Box<dyn Resource>;
        Some(found.map(resource).map_err(ErrorAnswer::from))
    }

    fn headers(&self, path: &Path) -> Fixed {
        let rest = path.as_str().strip_prefix(self.0.settings.prefix.as_str());
        if rest.is_some_and(|rest| rest.starts_with("/v2")) { &API_VERSION } else { &[] }
    }

    fn headers_without_path(&self) -> Fixed {
        &API_VERSION
    }
}

/// A resource that a path named.
#[derive(Debug)]
struct Named {
    name: Name,
    state: Arc<State>,
}

impl Resource for Named {
    fn route(&self) -> Route {
        self.name.route()
    }

    fn right(&self, method: &Method, query: &Query) -> Right {
        let right = self.name.right(method, query);
        // A name that means no repository of this registry is answered with 404, after the login.
        right.renamed(|name| self.state.registry.repository_name(&name, namespace(query)).unwrap_or(name))
    }

    fn takes_appended_parameters(&self) -> bool {
        matches!(self.name, Name::Upload { .. })
    }

    fn refuse(&self, error: &ErrorAnswer) -> HttpResponse {
        match self.name {
            Name::Version if error.status() == StatusCode::UNAUTHORIZED => version::refuse(&self.state.settings, error),
            _ => error.to_response(),
        }
    }

    fn answer<'a>(
        &'a self,
        exchange: Exchange<'a>,
        granted: Granted,
    ) -> LocalBoxFuture<'a, Result<HttpResponse, ErrorAnswer>> {
        Box::pin(async move {
            if let Some(namespace) = namespace(exchange.query())
                && let Some(name) = self.name.right(exchange.request().method(), exchange.query()).repository()
                && self.state.registry.repository_name(name, Some(namespace)).is_none()
            {
                tracing::info!(ns = namespace, "neither this registry nor an upstream has this value of ns");
                return Err(ApiError::from(RegistryError::NameUnknown(name.clone())).into());
            }
            Ok(dispatch(&self.name, &self.state, exchange, granted).await?)
        })
    }
}

/// The registry whose repository a client of a mirror means, as containerd and `BuildKit` say it.
fn namespace(query: &Query) -> Option<&str> {
    query.all("ns").next()
}

/// The handler of each row and method of the table. The right that it needs stands in its signature, and comes from
/// [`Name::right`].
async fn dispatch(
    name: &Name,
    state: &State,
    exchange: Exchange<'_>,
    granted: Granted,
) -> Result<HttpResponse, ApiError> {
    let (request, method) = (&exchange, exchange.request().method());
    match (name, granted) {
        (Name::Token, Granted::Open) => token::issue(state, request).await,
        (Name::Version, Granted::Authenticated) => Ok(version::version()),
        (Name::Catalog, Granted::Catalog(catalog)) => catalog::list(state, request, &catalog).await,
        (Name::Tags { .. }, Granted::Pull(of)) => tags::list(state, request, &of).await,
        (Name::Referrers { digest, .. }, Granted::Pull(of)) => referrers::list(request, &of, digest).await,
        (Name::Blob { digest, .. }, Granted::Delete(of)) => blobs::delete(request, &of, digest).await,
        (Name::Blob { digest, .. }, Granted::Pull(of)) if method == Method::HEAD => {
            blobs::head(request, &of, digest).await
        }
        (Name::Blob { digest, .. }, Granted::Pull(of)) => blobs::get(request, &of, digest).await,
        (Name::Manifest { reference, .. }, Granted::Push(to)) => manifests::put(request, &to, reference).await,
        (Name::Manifest { reference, .. }, Granted::Delete(of)) => manifests::delete(request, &of, reference).await,
        (Name::Manifest { reference, .. }, Granted::Pull(of)) => manifests::get(request, &of, reference).await,
        (Name::Uploads { .. }, Granted::Push(to)) => uploads::start(request, &to).await,
        (Name::Upload { session, .. }, Granted::Push(to)) => match *method {
            Method::PATCH => uploads::append(request, &to, *session).await,
            Method::PUT => uploads::finish(request, &to, *session).await,
            Method::DELETE => uploads::cancel(&to, *session).await,
            _ => uploads::status(request, &to, *session).await,
        },
        // No row has another right than its own.
        _ => Err(HttpError::Internal.into()),
    }
}
