//! A row of a router's table, and the right that a request needs.

use actix_web::http::Method;

use crate::oci::{Action, RepositoryName, ResourceScope};

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
