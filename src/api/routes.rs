//! The table of routes, and the one place where a path of the API is taken apart.
//!
//! The decoded path is split once, from the right: a repository may be named `x/manifests/y` or `x/blobs/uploads`, so
//! the last keyword decides. The parsed value decides what is allowed and what is read.

use actix_web::http::Method;

use super::error::ApiError;
use crate::{
    http::{HttpError, Query, Right, Route},
    oci::{Digest, Reference, RepositoryName},
    registry::SessionId,
};

/// The target of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Token,
    Version,
    Catalog,
    Blob { name: RepositoryName, digest: Digest },
    Uploads { name: RepositoryName },
    Upload { name: RepositoryName, session: SessionId },
    Manifest { name: RepositoryName, reference: Reference },
    Tags { name: RepositoryName },
    Referrers { name: RepositoryName, digest: Digest },
}

const READ: &[Method] = &[Method::GET, Method::HEAD];

/// Where tokens are issued. Quay's clients know it as `/v2/auth`.
const TOKEN: Route = Route { template: "/token", methods: &[Method::GET, Method::HEAD, Method::POST] };
/// end-1
const VERSION: Route = Route { template: "/v2/", methods: READ };
const CATALOG: Route = Route { template: "/v2/_catalog", methods: READ };
/// end-2, end-10
const BLOB: Route =
    Route { template: "/v2/<name>/blobs/<digest>", methods: &[Method::GET, Method::HEAD, Method::DELETE] };
/// end-4a, end-4b, end-4c, end-11
const UPLOADS: Route = Route { template: "/v2/<name>/blobs/uploads/", methods: &[Method::POST] };
/// end-5, end-6, end-13, end-14
const UPLOAD: Route = Route {
    template: "/v2/<name>/blobs/uploads/<session>",
    methods: &[Method::GET, Method::HEAD, Method::PATCH, Method::PUT, Method::DELETE],
};
/// end-3, end-7, end-9
const MANIFEST: Route = Route {
    template: "/v2/<name>/manifests/<reference>",
    methods: &[Method::GET, Method::HEAD, Method::PUT, Method::DELETE],
};
/// end-8
const TAGS: Route = Route { template: "/v2/<name>/tags/list", methods: READ };
/// end-12
const REFERRERS: Route = Route { template: "/v2/<name>/referrers/<digest>", methods: READ };

impl Name {
    /// The row of the table that this is of.
    pub(super) fn route(&self) -> Route {
        match self {
            Self::Token => TOKEN,
            Self::Version => VERSION,
            Self::Catalog => CATALOG,
            Self::Blob { .. } => BLOB,
            Self::Uploads { .. } => UPLOADS,
            Self::Upload { .. } => UPLOAD,
            Self::Manifest { .. } => MANIFEST,
            Self::Tags { .. } => TAGS,
            Self::Referrers { .. } => REFERRERS,
        }
    }

    /// The right that a request needs.
    pub(super) fn right(&self, method: &Method, query: &Query) -> Right {
        let name = match self {
            Self::Token => return Right::Open,
            Self::Version => return Right::Authenticated,
            Self::Catalog => return Right::Catalog,
            Self::Uploads { name } if *method == Method::POST => {
                return Right::Push { to: name.clone(), mount_from: source_of_mount(query) };
            }
            Self::Upload { name, .. } => return Right::Push { to: name.clone(), mount_from: None },
            Self::Blob { name, .. }
            | Self::Uploads { name }
            | Self::Manifest { name, .. }
            | Self::Tags { name }
            | Self::Referrers { name, .. } => name.clone(),
        };
        match *method {
            Method::DELETE => Right::Delete(name),
            Method::GET | Method::HEAD => Right::Pull(name),
            _ => Right::Push { to: name, mount_from: None },
        }
    }

    /// Takes apart the decoded path of a request, `prefix` being what the operator put before `/v2/`; `None` for a path
    /// outside of the API.
    ///
    /// Tokens are issued under the prefix, where clients are sent, and beside it, for those who ask the server itself.
    ///
    /// # Errors
    /// 404 for what is no path of ours, 400 for a name, digest or tag that is none.
    pub(super) fn find(path: &str, prefix: &str) -> Option<Result<Self, ApiError>> {
        if path == "/token" {
            return Some(Ok(Self::Token));
        }
        match path.strip_prefix(prefix)? {
            "/token" | "/v2/auth" => Some(Ok(Self::Token)),
            path => path.strip_prefix("/v2").map(Self::parse),
        }
    }

    /// Takes apart what follows `/v2`.
    fn parse(path: &str) -> Result<Self, ApiError> {
        match path {
            "" | "/" => return Ok(Self::Version),
            "/_catalog" => return Ok(Self::Catalog),
            _ => {}
        }
        of_repository(path.strip_prefix('/').ok_or(HttpError::NotFound)?)
    }
}

/// Where a blob is to be mounted from, if the request says it rightly. An invalid value is answered later.
fn source_of_mount(query: &Query) -> Option<RepositoryName> {
    query.one("mount").ok()??;
    query.one("from").ok()??.parse().ok()
}

fn of_repository(path: &str) -> Result<Name, ApiError> {
    let (head, last) = path.rsplit_once('/').ok_or(HttpError::NotFound)?;
    if let Some(name) = head.strip_suffix("/blobs/uploads") {
        let name = name_of(name)?;
        if last.is_empty() {
            return Ok(Name::Uploads { name });
        }
        let session = last.parse().map_err(|_| ApiError::UploadUnknown)?;
        return Ok(Name::Upload { name, session });
    }
    let (name, keyword) = head.rsplit_once('/').ok_or(HttpError::NotFound)?;
    match (keyword, last) {
        (_, "") => Err(HttpError::NotFound.into()),
        ("blobs", "uploads") => Ok(Name::Uploads { name: name_of(name)? }),
        ("blobs", digest) => Ok(Name::Blob { name: name_of(name)?, digest: digest_of(digest)? }),
        ("referrers", digest) => Ok(Name::Referrers { name: name_of(name)?, digest: digest_of(digest)? }),
        ("manifests", reference) => Ok(Name::Manifest { name: name_of(name)?, reference: reference_of(reference)? }),
        ("tags", "list") => Ok(Name::Tags { name: name_of(name)? }),
        _ => Err(HttpError::NotFound.into()),
    }
}

fn name_of(text: &str) -> Result<RepositoryName, ApiError> {
    Ok(text.parse()?)
}

fn digest_of(text: &str) -> Result<Digest, ApiError> {
    Ok(text.parse()?)
}

fn reference_of(text: &str) -> Result<Reference, ApiError> {
    Ok(text.parse()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const SESSION: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

    fn parse(path: &str) -> Result<Name, u16> {
        let found = Name::find(path, "").unwrap_or_else(|| Err(HttpError::NotFound.into()));
        found.map_err(|error| error.row().0.as_u16())
    }

    fn repository(found: &Name) -> Option<String> {
        let right = found.right(&Method::GET, &Query::parse(""));
        right.repository().map(ToString::to_string)
    }

    fn name(text: &str) -> RepositoryName {
        text.parse().unwrap()
    }

    #[test]
    fn every_row_is_found() {
        let digest: Digest = DIGEST.parse().unwrap();
        let session: SessionId = SESSION.parse().unwrap();
        let of = |reference: &str| Name::Manifest { name: name("a/b"), reference: reference.parse().unwrap() };
        let rows = [
            ("/v2".to_owned(), Name::Version),
            ("/v2/".to_owned(), Name::Version),
            ("/v2/_catalog".to_owned(), Name::Catalog),
            (format!("/v2/a/b/blobs/{DIGEST}"), Name::Blob { name: name("a/b"), digest: digest.clone() }),
            ("/v2/a/b/blobs/uploads/".to_owned(), Name::Uploads { name: name("a/b") }),
            ("/v2/a/b/blobs/uploads".to_owned(), Name::Uploads { name: name("a/b") }),
            (format!("/v2/a/b/blobs/uploads/{SESSION}"), Name::Upload { name: name("a/b"), session }),
            ("/v2/a/b/manifests/1.0".to_owned(), of("1.0")),
            (format!("/v2/a/b/manifests/{DIGEST}"), of(DIGEST)),
            ("/v2/a/b/tags/list".to_owned(), Name::Tags { name: name("a/b") }),
            (format!("/v2/a/b/referrers/{DIGEST}"), Name::Referrers { name: name("a/b"), digest }),
        ];
        for (path, resource) in rows {
            assert_eq!(parse(&path), Ok(resource), "{path}");
        }
    }

    #[test]
    fn e5_the_last_keyword_decides() {
        for of in ["x/manifests/y", "x/blobs/uploads", "v2", "x/tags", "x/tags/list", "manifests", "blobs/uploads"] {
            let rows = [
                format!("/v2/{of}/manifests/t"),
                format!("/v2/{of}/blobs/{DIGEST}"),
                format!("/v2/{of}/blobs/uploads/"),
                format!("/v2/{of}/blobs/uploads/{SESSION}"),
                format!("/v2/{of}/tags/list"),
                format!("/v2/{of}/referrers/{DIGEST}"),
            ];
            for path in rows {
                assert_eq!(repository(&parse(&path).unwrap()), Some(of.to_owned()), "{path}");
            }
        }
    }

    #[test]
    fn e1_e4_e8_what_is_no_path_of_ours_is_never_taken_for_one() {
        for path in [
            "//v2/",
            "/V2/",
            "/v2//",
            "/v2//_catalog",
            "/v2/_catalog/",
            "/v2/%5fcatalog",
            "/v2/_catalog;x",
            "/v2/a",
            "/v2/a/b",
            "/v3/",
            "/v2x",
            "/healthz/",
            "//evil.example/v2/",
            "/v2/../healthz",
            "/v2/a/tags/list/",
            "/v2/a/tags/",
            "/v2/blobs/x",
        ] {
            assert!(matches!(parse(path), Err(404 | 400)), "{path}: {:?}", parse(path));
        }
        for name in [
            "..", "../x", "..%2f", "%2e%2e", "a%2Fb", "a\0", "%c0%ae", "A", "a//b", "_catalog", ".", "a/.", "%",
            "a%zz", "~",
        ] {
            for path in [
                format!("/v2/{name}/manifests/t"),
                format!("/v2/{name}/blobs/{DIGEST}"),
                format!("/v2/{name}/tags/list"),
            ] {
                assert_eq!(parse(&path), Err(400), "{path}");
            }
        }
        for reference in
            ["..", "%2e%2e", "a%2Fb", "a\0", "%ff", "sha256:%2e%2e", "md5:d41d8cd98f00b204e9800998ecf8427e"]
        {
            assert_eq!(parse(&format!("/v2/a/manifests/{reference}")), Err(400), "{reference}");
        }
        for session in ["..", "%2e%2e", "a%2fb", "x"] {
            assert_eq!(parse(&format!("/v2/a/blobs/uploads/{session}")), Err(404), "{session}");
        }
    }

    #[test]
    fn report_a7_a_prefix_stands_before_all_that_clients_are_sent_to() {
        let rows = [
            ("/my/v2/", Some(Name::Version)),
            ("/my/token", Some(Name::Token)),
            ("/my/v2/auth", Some(Name::Token)),
            ("/token", Some(Name::Token)),
            ("/v2/auth", None),
            ("/v2/", None),
            ("/mytoken", None),
            ("/other/token", None),
        ];
        for (path, name) in rows {
            assert_eq!(Name::find(path, "/my").and_then(Result::ok), name, "{path}");
        }
        assert_eq!(parse("/v2/auth"), Ok(Name::Token));
    }
}
