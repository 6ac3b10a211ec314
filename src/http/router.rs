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
};
use crate::{
    auth::Principal,
    oci::{Action, RepositoryName, ResourceScope},
};

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

/// A row of a table of routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Its name in the log.
    pub template: &'static str,
    /// The methods that it takes, besides OPTIONS.
    pub methods: &'static [Method],
}

impl Route {
    /// The value of `Allow` (RFC 9110, section 10.2.1). OPTIONS is allowed everywhere.
    pub(crate) fn allow(self) -> String {
        let methods: Vec<&str> = self.methods.iter().chain([&Method::OPTIONS]).map(Method::as_str).collect();
        methods.join(", ")
    }
}

/// The right that a request needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Right {
    /// None: the request is answered without a login.
    Open,
    /// To be somebody.
    Authenticated,
    /// To list the repositories.
    Catalog,
    /// To read a repository.
    Pull(RepositoryName),
    /// To write to a repository.
    Push {
        /// The repository.
        to: RepositoryName,
        /// The repository that a blob is to be mounted from. It is asked for, and not required: without it the blob is
        /// uploaded.
        mount_from: Option<RepositoryName>,
    },
    /// To delete from a repository.
    Delete(RepositoryName),
}

impl Right {
    /// The scopes of a token that has the right, as registry:2 asks for them; `None` where no scope is needed.
    pub(super) fn scopes(&self) -> Option<Vec<ResourceScope>> {
        let of = |name: &RepositoryName, actions: &[Action]| ResourceScope::repository(name, actions.iter().copied());
        match self {
            Self::Open | Self::Authenticated => None,
            Self::Catalog => Some(vec![ResourceScope::catalog()]),
            Self::Pull(name) => Some(vec![of(name, &[Action::Pull])]),
            Self::Push { to, mount_from } => {
                let source = mount_from.iter().map(|from| of(from, &[Action::Pull]));
                Some([of(to, &[Action::Pull, Action::Push])].into_iter().chain(source).collect())
            }
            Self::Delete(name) => Some(vec![of(name, &[Action::Delete])]),
        }
    }

    /// The same right, to the repository that `name_of` names in the place of its own.
    pub(crate) fn renamed(self, name_of: impl FnOnce(RepositoryName) -> RepositoryName) -> Self {
        match self {
            Self::Pull(name) => Self::Pull(name_of(name)),
            Self::Push { to, mount_from } => Self::Push { to: name_of(to), mount_from },
            Self::Delete(name) => Self::Delete(name_of(name)),
            other @ (Self::Open | Self::Authenticated | Self::Catalog) => other,
        }
    }

    /// The repository that the right is to.
    pub(crate) fn repository(&self) -> Option<&RepositoryName> {
        match self {
            Self::Pull(name) | Self::Push { to: name, .. } | Self::Delete(name) => Some(name),
            Self::Open | Self::Authenticated | Self::Catalog => None,
        }
    }
}
