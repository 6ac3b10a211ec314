//! A request and its answer.

use std::net::IpAddr;

use actix_web::{HttpRequest, HttpResponse, dev::Payload, http::Method, web};

use super::{
    ErrorAnswer, HttpError, Query, Resource, Right, Router, Service,
    caller::{Caller, Granted, credentials},
    head_limits::HeadSize,
    headers, location, malformed_request, options_method,
    path::Path,
    request_record::RequestRecord,
    unread_body::UnreadBody,
};
use crate::auth::Credentials;

/// A request whose sender is known and whose path names a resource.
pub struct Exchange<'a> {
    pub(super) service: &'a web::Data<Service>,
    pub(super) request: &'a HttpRequest,
    pub(super) unread: &'a UnreadBody,
    pub(super) query: Query,
    /// The address of the client; `None` for a client of a Unix socket.
    pub(super) address: Option<IpAddr>,
    /// `None` where no right is needed.
    pub(super) caller: Option<Caller<'a>>,
}

impl<'a> Exchange<'a> {
    /// The request as it came.
    pub(crate) fn request(&self) -> &'a HttpRequest {
        self.request
    }

    /// The parameters of the request.
    pub(crate) fn query(&self) -> &Query {
        &self.query
    }

    /// The sender; `None` where no right is needed.
    pub(crate) fn caller(&self) -> Option<&Caller<'a>> {
        self.caller.as_ref()
    }

    /// The credentials of the request.
    ///
    /// # Errors
    /// 400 if it says it twice.
    pub(crate) fn credentials(&self) -> Result<Credentials<'a>, HttpError> {
        credentials(self.request, self.address)
    }

    /// Whether the answer is not for everybody.
    pub(crate) fn is_private(&self) -> bool {
        !self.service.authenticator.is_open()
    }

    /// The beginning of the path of a `Location` or a `Link`, as clients have to request it.
    pub(crate) fn path_base(&self) -> &str {
        &self.service.settings.path_base
    }
}

/// The target of a path.
struct Found<'a> {
    path: Path,
    /// The router that has the path.
    router: Option<&'a dyn Router>,
    resource: Result<Box<dyn Resource>, ErrorAnswer>,
}

impl Service {
    /// Finds what a raw path names. Some clients append their parameters to it with `&`, as if it had a query:
    /// [`Query::of`] reads those.
    fn find(&self, raw: &str) -> Found<'_> {
        let appended = before_appended(raw).map(|raw| self.find_whole(raw));
        match appended {
            Some(found) if found.resource.as_ref().is_ok_and(|resource| resource.takes_appended_parameters()) => found,
            _ => self.find_whole(raw),
        }
    }

    fn find_whole(&self, raw: &str) -> Found<'_> {
        let path = match Path::decode(raw) {
            Ok(path) => path,
            Err(error) => return Found { path: Path::undecoded(raw), router: None, resource: Err(error.into()) },
        };
        let mut routers = self.routers.iter();
        let found = routers.find_map(|router| Some((&**router, router.find(&path)?)));
        let not_found = || Err(HttpError::NotFound.into());
        match found {
            Some((router, resource)) => {
                let resource = if path.is_plain() { resource } else { not_found() };
                Found { path, router: Some(router), resource }
            }
            None => Found { path, router: None, resource: not_found() },
        }
    }
}

#[cfg(test)]
impl Service {
    /// The row that a raw path leads to, and the repository that it names; or the status of the answer.
    pub(crate) fn row(&self, raw: &str) -> Result<(&'static str, String), u16> {
        let resource = self.find(raw).resource.map_err(|error| error.status().as_u16())?;
        let right = resource.right(&Method::GET, &Query::parse(""));
        let repository = right.repository().map(ToString::to_string);
        Ok((resource.route().template, repository.unwrap_or_default()))
    }
}

/// The path before what is appended to its last component with `&`.
fn before_appended(raw: &str) -> Option<&str> {
    let component = raw.rfind('/')?;
    raw[component..].find('&').map(|at| &raw[..component + at])
}

/// Answers a request.
pub async fn serve(service: web::Data<Service>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let address = service.settings.proxies.client(&request);
    let mut record = RequestRecord::begin(&request, &service, address);
    let unread = UnreadBody::new(payload);
    let Found { path, router, resource } = service.find(request.path());
    let mut response = answer(&service, &request, &path, resource, &unread, &mut record).await;
    let fixed =
        router.map_or([&headers::DATA as headers::Fixed, &[]], |router| [router.protection(), router.headers(&path)]);
    headers::complete(&service, fixed, &mut response);
    let response = headers::without_body_if_head(&request, response);
    let response = location::complete(&service.settings, &request, response);
    let response = record.end(&request, response);
    let response = malformed_request::note_ending(&request, response);
    unread.keep_with(&request, response)
}

async fn answer(
    service: &web::Data<Service>,
    request: &HttpRequest,
    path: &Path,
    found: Result<Box<dyn Resource>, ErrorAnswer>,
    unread: &UnreadBody,
    record: &mut RequestRecord,
) -> HttpResponse {
    let (resource, fault) = match found {
        Ok(resource) => (Some(resource), None),
        Err(fault) => (None, Some(fault)),
    };
    let asked = Asked {
        service,
        request,
        unread,
        query: Query::of(request),
        address: record.address,
        resource: resource.as_deref(),
    };
    match &resource {
        Some(resource) => record.route(resource.route()),
        None => record.path(path.as_str()),
    }
    match asked.answer(path, fault, record).await {
        Ok(response) => response,
        Err(error) => resource.map_or_else(|| error.to_response(), |resource| resource.refuse(&error)),
    }
}

/// A request whose sender is not known yet.
struct Asked<'a> {
    service: &'a web::Data<Service>,
    request: &'a HttpRequest,
    unread: &'a UnreadBody,
    query: Query,
    address: Option<IpAddr>,
    resource: Option<&'a dyn Resource>,
}

impl<'a> Asked<'a> {
    /// Answers the request; with `fault` if its path names nothing.
    async fn answer(
        self,
        path: &Path,
        fault: Option<ErrorAnswer>,
        record: &mut RequestRecord,
    ) -> Result<HttpResponse, ErrorAnswer> {
        let method = self.request.method();
        let right = self.resource.map(|resource| resource.right(method, &self.query));
        record.repository(right.as_ref().and_then(Right::repository));
        let size = HeadSize::of(self.request);
        record.size = size.of_request(self.request);
        size.check(self.request, self.service.settings.head)?;
        let row = self.resource.map(Resource::route).zip(right.as_ref());
        if let Some(answer) = options_method::answer_without_login(self.request, path, row) {
            return Ok(answer);
        }
        if let (Some(resource), Some(Right::Open)) = (self.resource, &right) {
            check_method(method, resource)?;
            return resource.answer(self.exchange(None), Granted::Open).await;
        }
        let sender = self.resource.and_then(|resource| resource.sender(self.request));
        let caller = Caller::authenticate(self.service, self.request, self.address, right.as_ref(), sender).await?;
        record.user(caller.user());
        let (Some(resource), Some(right)) = (self.resource, right) else {
            return Err(caller.refuse_or(fault.unwrap_or_else(|| HttpError::NotFound.into())));
        };
        if method == Method::OPTIONS {
            caller.must_be_authenticated()?;
            return Ok(options_method::answer(resource.route()));
        }
        check_method(method, resource).map_err(|error| caller.refuse_or(error.into()))?;
        let granted = caller.grant(right)?;
        resource.answer(self.exchange(Some(caller)), granted).await
    }

    fn exchange(self, caller: Option<Caller<'a>>) -> Exchange<'a> {
        let Self { service, request, unread, query, address, resource: _ } = self;
        Exchange { service, request, unread, query, address, caller }
    }
}

fn check_method(method: &Method, resource: &dyn Resource) -> Result<(), HttpError> {
    let route = resource.route();
    if route.methods.contains(method) { Ok(()) } else { Err(HttpError::MethodNotAllowed(route)) }
}
