//! The addresses of the pages: from a path to a page, and from a page to its path.
//!
//! Names of repositories contain slashes, but `-` is no component of a name. So a reference stands after `/-/`.

use actix_web::http::Method;

use crate::{
    http::{Right, Route},
    oci::{Reference, RepositoryName},
};

/// A page, or a file of the pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// `/`, which probes ask for too.
    Root,
    /// The repositories.
    Home,
    /// The store and its collections.
    Space,
    /// The user who is logged in.
    Account,
    /// The form to log in.
    Login,
    /// The end of a session.
    Logout,
    /// The tags of a repository.
    Tags(RepositoryName),
    /// A manifest.
    Image(RepositoryName, Reference),
    /// The deletion of a tag or a manifest.
    Delete(RepositoryName, Reference),
    /// The style sheet.
    Style,
    /// The icon.
    Icon,
    /// A path below `/ui/` that names no page.
    Unknown,
}

const READ: &[Method] = &[Method::GET, Method::HEAD];
const FORM: &[Method] = &[Method::GET, Method::HEAD, Method::POST];

impl Page {
    /// The page at a decoded path; `None` if the path belongs to another router. All paths begin with `prefix`; the root
    /// also answers without it.
    pub(super) fn find(path: &str, prefix: &str) -> Option<Self> {
        if path == "/" {
            return Some(Self::Root);
        }
        let rest = match path.strip_prefix(prefix)? {
            "" | "/" => return Some(Self::Root),
            "/ui" => return Some(Self::Home),
            path => path.strip_prefix("/ui/")?,
        };
        Some(match rest {
            "" => Self::Home,
            "space" => Self::Space,
            "account" => Self::Account,
            "login" => Self::Login,
            "logout" => Self::Logout,
            "style.css" => Self::Style,
            "icon.svg" => Self::Icon,
            rest => rest.strip_prefix("r/").and_then(Self::of_repository).unwrap_or(Self::Unknown),
        })
    }

    fn of_repository(rest: &str) -> Option<Self> {
        let Some((name, reference)) = rest.split_once("/-/") else { return Some(Self::Tags(rest.parse().ok()?)) };
        let name = name.parse().ok()?;
        match reference.strip_suffix("/delete") {
            Some(reference) => Some(Self::Delete(name, reference.parse().ok()?)),
            None => Some(Self::Image(name, reference.parse().ok()?)),
        }
    }

    /// The path of the page, without a prefix. It has no character that HTML or a URL would escape.
    pub(super) fn path(&self) -> String {
        match self {
            Self::Root => "/".to_owned(),
            Self::Home | Self::Unknown => "/ui/".to_owned(),
            Self::Space => "/ui/space".to_owned(),
            Self::Account => "/ui/account".to_owned(),
            Self::Login => "/ui/login".to_owned(),
            Self::Logout => "/ui/logout".to_owned(),
            Self::Style => "/ui/style.css".to_owned(),
            Self::Icon => "/ui/icon.svg".to_owned(),
            Self::Tags(name) => format!("/ui/r/{name}"),
            Self::Image(name, reference) => format!("/ui/r/{name}/-/{reference}"),
            Self::Delete(name, reference) => format!("/ui/r/{name}/-/{reference}/delete"),
        }
    }

    /// Its row in the table of routes.
    pub(super) fn route(&self) -> Route {
        let (template, methods) = match self {
            Self::Root => ("/", READ),
            Self::Home => ("/ui/", READ),
            Self::Space => ("/ui/space", READ),
            Self::Account => ("/ui/account", FORM),
            Self::Login => ("/ui/login", FORM),
            Self::Logout => ("/ui/logout", &[Method::POST][..]),
            Self::Style => ("/ui/style.css", READ),
            Self::Icon => ("/ui/icon.svg", READ),
            Self::Tags(_) => ("/ui/r/{name}", READ),
            Self::Image(..) => ("/ui/r/{name}/-/{reference}", READ),
            Self::Delete(..) => ("/ui/r/{name}/-/{reference}/delete", FORM),
            Self::Unknown => ("/ui/{unknown}", READ),
        };
        Route { template, methods }
    }

    /// The right that it needs. The API asks for the same right.
    pub(super) fn right(&self) -> Right {
        match self {
            Self::Home | Self::Space => Right::Catalog,
            Self::Account => Right::Authenticated,
            Self::Tags(name) | Self::Image(name, _) => Right::Pull(name.clone()),
            Self::Delete(name, _) => Right::Delete(name.clone()),
            Self::Root | Self::Login | Self::Logout | Self::Style | Self::Icon | Self::Unknown => Right::Open,
        }
    }

    /// Whether a login may lead to it.
    pub(super) fn is_destination(&self) -> bool {
        matches!(self, Self::Home | Self::Space | Self::Account | Self::Tags(_) | Self::Image(..) | Self::Delete(..))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    fn digest() -> String {
        format!("sha256:{}", "0".repeat(64))
    }

    #[test]
    fn a_page_is_found_at_its_path() {
        let (name, tag, digest) = ("a/b".parse().unwrap(), "v1".parse().unwrap(), digest().parse().unwrap());
        let login: RepositoryName = "login".parse().unwrap();
        let pages = [
            Page::Root,
            Page::Home,
            Page::Space,
            Page::Account,
            Page::Login,
            Page::Logout,
            Page::Style,
            Page::Icon,
            Page::Tags(RepositoryName::clone(&name)),
            Page::Tags(login),
            Page::Image(RepositoryName::clone(&name), tag),
            Page::Image(RepositoryName::clone(&name), digest),
            Page::Delete(name, "delete".parse().unwrap()),
        ];
        for page in pages {
            for prefix in ["", "/my/own"] {
                assert_eq!(Page::find(&format!("{prefix}{}", page.path()), prefix), Some(page.clone()));
            }
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._:".contains(&byte);
            assert!(page.path().bytes().all(is_plain), "{page:?}");
        }
    }

    #[test]
    fn other_paths_are_no_pages_or_unknown_ones() {
        for path in ["", "/v2/", "/v2/_catalog", "/uix", "/token", "/healthz", "/other/ui/"] {
            assert_eq!(Page::find(path, "/p"), None, "{path}");
        }
        for path in [
            "/ui/x",
            "/ui//",
            "/ui/r/",
            "/ui/r/A",
            "/ui/r/a/",
            "/ui/r/a/-/",
            "/ui/r/a/-/b/c",
            "/ui/r/-/a",
            "/ui/r/a/-",
            "/ui/r/a/-/b/delete/",
            "/ui/r/../v2",
            "/ui/r/a/-/-",
        ] {
            assert_eq!(Page::find(path, ""), Some(Page::Unknown), "{path}");
        }
    }
}
