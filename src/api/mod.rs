//! HTTP: the endpoints of the distribution specification over a [`Registry`], behind an [`Authenticator`].
//!
//! A request goes through [`serve`], the one handler: its head is checked against limits, its path taken apart once, its sender
//! authenticated, and only then it is told whether what it asks for makes sense. So whoever may not come in learns nothing, not even
//! that a digest is malformed.

mod access_log;
mod admission;
mod authorize;
mod blobs;
mod catalog;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod headers;
mod health;
mod limits;
mod location;
mod manifests;
mod multipart;
mod options;
mod outlet;
mod pagination;
mod proxies;
mod query;
mod receive;
mod referrers;
mod routes;
mod tags;
mod target;
mod token;
mod unparsed;
mod unread;
mod uploads;
mod version;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actix_web::{HttpRequest, HttpResponse, dev::Payload, http::Method, web};

use self::{
    access_log::AccessLog,
    admission::Admission,
    authorize::Caller,
    error::ApiError,
    health::Probes,
    query::Query,
    routes::{OpenResource, Resource, Route},
    target::{Named, Target},
    unread::Unread,
};
pub use limits::HeadLimits;
pub use location::LocationBase;
pub use outlet::Outlet;
pub use proxies::Proxies;
pub use receive::Rate;
pub use unparsed::{BareAnswer, Ending};

use crate::{auth::Authenticator, registry::Registry};

/// What the operator decides about the way the registry is served.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What stands before `/v2/` in every path; empty, or a slash and what follows it, without one at the end.
    pub prefix: String,
    /// What stands before the path in every `Location`.
    pub location_base: LocationBase,
    /// The path that a proxy takes away from the beginning of each request's; empty, or as `prefix`.
    pub outer_path: String,
    /// Fields that every answer has, over those that are there by default.
    pub headers: BTreeMap<String, Vec<String>>,
    /// The most repositories in one page.
    pub catalog_max: usize,
    /// The most tags in one page.
    pub tags_max: usize,
    /// The message of the 401 of `/v2/`, in the place of the usual one.
    pub unauthorized_message: Option<String>,
    /// The type of that 401, in the place of JSON's.
    pub unauthorized_content_type: Option<String>,
    /// Whether writes are refused.
    pub read_only: bool,
    /// Whether each request is logged.
    pub access_log: bool,
    /// Who is believed about where a request comes from.
    pub proxies: Proxies,
    /// Whether TLS is ours, so that clients may be told to use nothing else.
    pub tls: bool,
    /// How large the head of a request may be.
    pub head: HeadLimits,
    /// How long a body may pause.
    pub body_idle: Duration,
    /// How fast it has to come.
    pub body_rate: Rate,
    /// How many requests may send a body at the same time.
    pub uploads: usize,
    /// How many of them may come from one user, or from one address.
    pub uploads_per_client: usize,
    /// How many bytes must stay free: uploads that would begin with less are refused.
    pub min_free: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            prefix: String::new(),
            location_base: LocationBase::Path,
            outer_path: String::new(),
            headers: BTreeMap::new(),
            catalog_max: 1000,
            tags_max: 1000,
            unauthorized_message: None,
            unauthorized_content_type: None,
            read_only: false,
            access_log: true,
            proxies: Proxies::default(),
            tls: false,
            head: HeadLimits::default(),
            body_idle: Duration::from_secs(30),
            body_rate: Rate::default(),
            uploads: 256,
            uploads_per_client: 32,
            min_free: 0,
        }
    }
}

/// All that requests are served from; shared by all workers.
#[derive(Debug)]
pub struct Api {
    registry: Registry,
    authenticator: Arc<Authenticator>,
    settings: Settings,
    admission: Admission,
    probes: Probes,
}

impl Api {
    /// Serves `registry` to those whom `authenticator` lets in.
    #[must_use]
    pub fn new(registry: Registry, authenticator: Arc<Authenticator>, settings: Settings) -> Self {
        let admission = Admission::new(settings.uploads, settings.uploads_per_client);
        Self { registry, authenticator, settings, admission, probes: Probes::default() }
    }

    /// The path of a `Location` or a `Link`, as clients have to ask for it.
    fn location(&self, path: &str) -> String {
        format!("{}{}{path}", self.settings.outer_path, self.settings.prefix)
    }
}

/// Answers a request.
pub async fn serve(api: web::Data<Api>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let mut log = AccessLog::begin(&request, &api.settings.proxies, api.settings.access_log);
    let unread = Unread::new(payload);
    let target = Target::parse(request.path(), &api.settings.prefix);
    let is_of_the_api = target.is_of_the_api;
    let mut response = match answer(&api, &request, target, &unread, &mut log).await {
        Ok(response) => response,
        Err(error) => version::refuse_in_own_words(&api.settings, &error),
    };
    headers::complete(&api, is_of_the_api, &mut response);
    let response = headers::without_body_if_head(&request, response);
    let response = location::complete(&api.settings, &request, response);
    let response = log.end(&request, response);
    let response = unparsed::note_ending(&request, response);
    unread.keep_with(&request, response)
}

async fn answer(
    api: &web::Data<Api>,
    request: &HttpRequest,
    target: Target,
    unread: &Unread,
    log: &mut AccessLog,
) -> Result<HttpResponse, ApiError> {
    match &target.named {
        Ok(named) => log.route(named.route()),
        Err(_) => log.path(target.path()),
    }
    log.repository(target.resource().and_then(Resource::repository));
    limits::check_head(request, api.settings.head)?;
    if let Some(answer) = options::answer_without_login(request, &target) {
        return Ok(answer);
    }
    let resource = match target.named {
        Ok(Named::Open(resource)) => {
            check_method(request, resource.route())?;
            return match resource {
                OpenResource::Home => Ok(health::home()),
                OpenResource::Health => Ok(Box::pin(health::health(api)).await),
                OpenResource::Token => Box::pin(token::issue(api, request, unread)).await,
            };
        }
        Ok(Named::Of(resource)) => Ok(resource),
        Err(error) => Err(error),
    };
    let caller = Caller::of(api, request, resource.as_ref().ok().cloned()).await?;
    log.user(caller.user());
    let resource = match resource {
        Ok(resource) => resource,
        Err(error) => return Err(caller.refuse_or(error)),
    };
    if request.method() == Method::OPTIONS {
        caller.must_be_somebody()?;
        return Ok(options::answer(resource.route()));
    }
    check_method(request, resource.route()).map_err(|error| caller.refuse_or(error))?;
    let request = Incoming { api, request, unread, query: Query::of(request), caller };
    request.dispatch(resource).await
}

fn check_method(request: &HttpRequest, route: Route) -> Result<(), ApiError> {
    if route.methods.contains(request.method()) { Ok(()) } else { Err(ApiError::MethodNotAllowed(route)) }
}

/// A request whose sender is known and whose path is one of the table's.
struct Incoming<'a> {
    api: &'a web::Data<Api>,
    request: &'a HttpRequest,
    unread: &'a Unread,
    query: Query,
    caller: Caller<'a>,
}

impl Incoming<'_> {
    /// The handler of each row and method of the table. Which right it needs stands in the handler's signature.
    async fn dispatch(self, resource: Resource) -> Result<HttpResponse, ApiError> {
        let method = self.request.method().clone();
        match (resource, method) {
            (Resource::Version, _) => version::version(&self),
            (Resource::Catalog, _) => Box::pin(catalog::list(&self)).await,
            (Resource::Tags { name }, _) => Box::pin(tags::list(&self, &self.pull(name)?)).await,
            (Resource::Referrers { name, digest }, _) => {
                Box::pin(referrers::list(&self, &self.pull(name)?, &digest)).await
            }
            (Resource::Blob { name, digest }, Method::DELETE) => {
                Box::pin(blobs::delete(&self, &self.delete(name)?, &digest)).await
            }
            (Resource::Blob { name, digest }, Method::HEAD) => blobs::head(&self, &self.pull(name)?, &digest).await,
            (Resource::Blob { name, digest }, _) => blobs::get(&self, &self.pull(name)?, &digest).await,
            (Resource::Manifest { name, reference }, Method::PUT) => {
                let repository = self.push(name)?;
                Box::pin(manifests::put(self, &repository, reference)).await
            }
            (Resource::Manifest { name, reference }, Method::DELETE) => {
                Box::pin(manifests::delete(&self, &self.delete(name)?, &reference)).await
            }
            (Resource::Manifest { name, reference }, _) => manifests::get(&self, &self.pull(name)?, &reference).await,
            (Resource::Uploads { name }, _) => {
                let repository = self.push(name)?;
                Box::pin(uploads::start(self, &repository)).await
            }
            (Resource::Upload { name, session }, Method::PATCH) => {
                let repository = self.push(name)?;
                Box::pin(uploads::append(self, &repository, session)).await
            }
            (Resource::Upload { name, session }, Method::PUT) => {
                let repository = self.push(name)?;
                Box::pin(uploads::finish(self, &repository, session)).await
            }
            (Resource::Upload { name, session }, Method::DELETE) => {
                Box::pin(uploads::cancel(&self, &self.push(name)?, session)).await
            }
            (Resource::Upload { name, session }, _) => {
                Box::pin(uploads::status(&self, &self.push(name)?, session)).await
            }
        }
    }
}
