//! The page: a [`Router`] for people with a browser. It shows repositories, tags and images, and deletes them.
//!
//! It works without scripts. Every page needs the right that the API asks for the same content, and reaches it through
//! the same [`Authorized`](crate::http::Authorized) repositories. The cookie of a session identifies the viewer. The
//! API ignores that cookie, and the pages ignore `Authorization`.

mod account;
mod cookie;
mod delete;
mod details;
mod document;
mod error;
mod form;
mod frame;
mod image;
mod image_config;
mod login;
mod reader;
mod referrers;
mod repositories;
mod routes;
mod space;
mod summary;
mod tags;
mod text;

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method, StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use futures_util::future::LocalBoxFuture;
use maud::{DOCTYPE, Markup, html};
use url::form_urlencoded::Serializer;

use self::{error::PageError, routes::Page};
use crate::{
    auth::{Principal, Sessions},
    http::{ErrorAnswer, Exchange, Fixed, Granted, HttpError, Path, Query, Resource, Right, Route, Router, field},
    registry::Registry,
};

/// The headers that protect pages. A page has a style sheet and images of this server, and no scripts. Other sites
/// can't embed it, get its forms, or learn its address.
static PAGE: [(HeaderName, HeaderValue); 6] = [
    field(
        "content-security-policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'",
    ),
    field("x-content-type-options", "nosniff"),
    field("x-frame-options", "DENY"),
    field("referrer-policy", "same-origin"),
    field("cross-origin-opener-policy", "same-origin"),
    field("cross-origin-resource-policy", "same-origin"),
];

const STYLE: &str = include_str!("style.css");
const ICON: &str = include_str!("icon.svg");

/// The router of the pages.
#[derive(Debug)]
pub struct Web(Arc<State>);

#[derive(Debug)]
struct State {
    /// The beginning of the paths of all requests.
    prefix: String,
    /// The beginning of the paths of all links.
    path_base: String,
    registry: Registry,
    sessions: Sessions,
}

impl Web {
    /// The pages of `registry`. Viewers log in to `sessions`. A request's path begins with `prefix`, a link with
    /// `path_base`.
    #[must_use]
    pub fn new(prefix: String, path_base: String, registry: Registry, sessions: Sessions) -> Self {
        Self(Arc::new(State { prefix, path_base, registry, sessions }))
    }
}

impl State {
    /// The path of a page in a link.
    fn url(&self, page: &Page) -> String {
        format!("{}{}", self.path_base, page.path())
    }
}

impl Router for Web {
    fn find(&self, path: &Path) -> Option<Result<Box<dyn Resource>, ErrorAnswer>> {
        let page = Page::find(path.as_str(), &self.0.prefix)?;
        Some(Ok(Box::new(Named { page, state: Arc::clone(&self.0) })))
    }

    fn protection(&self) -> Fixed {
        &PAGE
    }
}

/// A page that a path named.
#[derive(Debug)]
struct Named {
    page: Page,
    state: Arc<State>,
}

impl Resource for Named {
    fn route(&self) -> Route {
        self.page.route()
    }

    fn right(&self, _: &Method, _: &Query) -> Right {
        self.page.right()
    }

    fn sender(&self, request: &HttpRequest) -> Option<Principal> {
        Some(self.state.sessions.principal(cookie::session(request)))
    }

    fn refuse(&self, error: &ErrorAnswer) -> HttpResponse {
        error::refuse(&self.state, &self.page, error)
    }

    fn answer<'a>(
        &'a self,
        exchange: Exchange<'a>,
        granted: Granted,
    ) -> LocalBoxFuture<'a, Result<HttpResponse, ErrorAnswer>> {
        Box::pin(async move { Ok(dispatch(&self.page, &self.state, exchange, granted).await?) })
    }
}

/// The handler of each page. The right that it needs stands in its signature, and comes from [`Page::right`].
async fn dispatch(
    page: &Page,
    state: &State,
    exchange: Exchange<'_>,
    granted: Granted,
) -> Result<HttpResponse, PageError> {
    let is_form = exchange.request().method() == Method::POST;
    match (page, granted) {
        (Page::Root, Granted::Open) => Ok(root(state, exchange.request())),
        (Page::Style, Granted::Open) => Ok(asset("text/css; charset=utf-8", STYLE)),
        (Page::Icon, Granted::Open) => Ok(asset("image/svg+xml", ICON)),
        (Page::Account, Granted::Authenticated) if is_form => account::revoke(state, &exchange).await,
        (Page::Account, Granted::Authenticated) => account::show(state, &exchange).await,
        (Page::Login, Granted::Open) if is_form => login::begin(state, &exchange).await,
        (Page::Login, Granted::Open) => login::show(state, &exchange),
        (Page::Logout, Granted::Open) => login::end(state, &exchange).await,
        (Page::Home, Granted::Catalog(catalog)) => repositories::show(state, &exchange, &catalog).await,
        (Page::Space, Granted::Catalog(_)) => space::show(state, &exchange).await,
        (Page::Tags(_), Granted::Pull(of)) => tags::show(state, &exchange, &of).await,
        (Page::Image(_, reference), Granted::Pull(of)) => image::show(state, &exchange, &of, reference).await,
        (Page::Delete(_, reference), Granted::Delete(of)) if is_form => {
            delete::delete(state, &exchange, &of, reference).await
        }
        (Page::Delete(_, reference), Granted::Delete(of)) => delete::show(state, &exchange, &of, reference).await,
        (Page::Unknown, Granted::Open) => Err(PageError::NotHere),
        // No page has another right than its own.
        _ => Err(HttpError::Internal.into()),
    }
}

/// Answers `/`: 200 for probes, and for browsers a page that leads to the repositories.
fn root(state: &State, request: &HttpRequest) -> HttpResponse {
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if !accept.contains("text/html") {
        return HttpResponse::Ok().finish();
    }
    let home = state.url(&Page::Home);
    page(html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="refresh" content=(format!("0; url={home}"));
                title { "wharf" }
            }
            body { main { h1 { "wharf" } p { a href=(home) { "Repositories" } } } }
        }
    })
}

/// Answers with a page. Browsers do not store it, so nobody can look at it after a logout.
fn page(html: Markup) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    response.content_type("text/html; charset=utf-8").body(html.into_string())
}

/// Sends the browser on to another page.
fn see_other(url: String) -> HttpResponse {
    let mut response = HttpResponse::build(StatusCode::SEE_OTHER);
    response.insert_header((header::CACHE_CONTROL, "no-store")).insert_header((header::LOCATION, url)).finish()
}

fn asset(media_type: &'static str, text: &'static str) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, "max-age=3600"));
    response.content_type(media_type).body(text)
}

/// The query of a link. Parameters without a value are left out.
fn query(parameters: &[(&str, &str)]) -> String {
    let given = parameters.iter().filter(|(_, value)| !value.is_empty());
    Serializer::new(String::new()).extend_pairs(given).finish()
}
