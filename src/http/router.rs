//! A router: the distribution API, the endpoints of operators, and the page are one each.
//!
//! A router says which resources stand behind which paths, which right each needs, and how its answers look. All else
//! that a request goes through is in this module and is the same for every router.

use std::fmt::Debug;

use actix_web::{HttpRequest, HttpResponse, http::Method};
use futures_util::future::LocalBoxFuture;

use super::{
    Exchange, Path, Query,
    caller::Granted,
    error_body::ErrorAnswer,
    headers::{DATA, Fixed},
    route::{Right, Route},
};
use crate::auth::Principal;

/// A front router.
pub trait Router: Debug + Send + Sync {
    /// The resource that a path names; `None` if the path is behind another router.
    ///
    /// # Errors
    /// The answer to a path that names no resource, though it is behind this router.
    fn find(&self, path: &Path) -> Option<Result<Box<dyn Resource>, ErrorAnswer>>;

    /// The headers that protect the answers behind this router, errors included, from what a browser could be made to
    /// do with them.
    fn protection(&self) -> Fixed {
        &DATA
    }

    /// Other headers of the answers to a path, errors included.
    fn headers(&self, _: &Path) -> Fixed {
        &[]
    }

    /// Other headers of the answers to bytes that are no request and so have no path.
    fn headers_without_path(&self) -> Fixed {
        &[]
    }
}

/// A resource that a path named.
pub trait Resource: Debug {
    /// The row of its router's table.
    fn route(&self) -> Route;

    /// The right that a request needs. This is the one place that says it: permission, challenge and the scopes of a
    /// token follow from it.
    fn right(&self, method: &Method, query: &Query) -> Right;

    /// The sender of a request, for a resource that does not use `Authorization`; `None` if that field decides.
    fn sender(&self, _: &HttpRequest) -> Option<Principal> {
        None
    }

    /// Whether clients append parameters to the path with `&`, as if it had a query.
    fn takes_appended_parameters(&self) -> bool {
        false
    }

    /// The answer to an error, before or in [`answer`](Self::answer).
    fn refuse(&self, error: &ErrorAnswer) -> HttpResponse {
        error.to_response()
    }

    /// Answers a request with one of the methods of the route, whose sender has the right.
    ///
    /// # Errors
    /// The answer to what can't be done.
    fn answer<'a>(
        &'a self,
        exchange: Exchange<'a>,
        granted: Granted,
    ) -> LocalBoxFuture<'a, Result<HttpResponse, ErrorAnswer>>;
}
