//! OPTIONS (RFC 9110, section 9.3.7): what may be done, and to which other origins a browser may give the answers.
//!
//! The operator says in `http.headers`, which every answer has, what other origins may do.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, header},
};

use super::{Path, Right, Route};

/// Every method that a route has.
const ALL: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// The answer to a request that needs no login: to an open resource, to the server as a whole (`*`), and to what a
/// browser asks before it sends a request, which never has a login with it (Fetch, section 4.8, CORS-preflight fetch).
pub(super) fn answer_without_login(
    request: &HttpRequest,
    path: &Path,
    row: Option<(Route, &Right)>,
) -> Option<HttpResponse> {
    if request.method() != Method::OPTIONS {
        return None;
    }
    match row {
        None => (path.as_str() == "*").then(|| allow(ALL)),
        Some((route, right)) => (*right == Right::Open || is_preflight(request)).then(|| answer(route)),
    }
}

/// The methods of a resource of this row.
pub(super) fn answer(route: Route) -> HttpResponse {
    allow(&route.allow())
}

fn allow(methods: &str) -> HttpResponse {
    HttpResponse::NoContent().insert_header((header::ALLOW, methods)).finish()
}

fn is_preflight(request: &HttpRequest) -> bool {
    let fields = request.headers();
    fields.contains_key(header::ORIGIN) && fields.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}
