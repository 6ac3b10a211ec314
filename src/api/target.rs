//! What the path of a request names. It is decoded here, once and whole, and then split: the one value that comes out decides what is open, what is
//! allowed, what is read and what the log says (RFC 3986, section 2.4: nothing is decoded a second time).

use percent_encoding::percent_decode_str;

use super::{
    error::ApiError,
    routes::{OpenResource, Resource, Route},
};

/// What a path names.
#[derive(Debug)]
pub(super) struct Target {
    path: String,
    /// Whether it is under `/v2`.
    pub(super) is_of_the_api: bool,
    pub(super) named: Result<Named, ApiError>,
}

/// A row of the table.
#[derive(Debug)]
pub(super) enum Named {
    /// What anybody may ask for.
    Open(OpenResource),
    /// What one may have to show who one is for.
    Of(Resource),
}

impl Target {
    /// Takes apart the raw path of a request, `prefix` being what the operator put before `/v2/`.
    ///
    /// Some clients append their parameters to an upload's path with `&`, as if it had a query: [`Query::of`](super::query::Query::of) reads those.
    pub(super) fn parse(raw: &str, prefix: &str) -> Self {
        let appended = before_appended(raw).map(|raw| Self::parse_whole(raw, prefix));
        match appended {
            Some(upload @ Self { named: Ok(Named::Of(Resource::Upload { .. })), .. }) => upload,
            _ => Self::parse_whole(raw, prefix),
        }
    }

    fn parse_whole(raw: &str, prefix: &str) -> Self {
        match decoded(raw) {
            Ok(path) => {
                let is_of_the_api = path.strip_prefix(prefix).is_some_and(|path| path.starts_with("/v2"));
                let named = named(&path, prefix);
                Self { path, is_of_the_api, named }
            }
            Err(error) => Self { path: raw.to_owned(), is_of_the_api: false, named: Err(error) },
        }
    }

    /// The decoded path; as it came, if it can't be decoded.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// What is named, if it is not open.
    pub(super) fn resource(&self) -> Option<&Resource> {
        match &self.named {
            Ok(Named::Of(resource)) => Some(resource),
            _ => None,
        }
    }
}

impl Named {
    /// The row of the table that this is of.
    pub(super) fn route(&self) -> Route {
        match self {
            Self::Open(resource) => resource.route(),
            Self::Of(resource) => resource.route(),
        }
    }
}

/// The path before what is appended to its last component with `&`.
fn before_appended(raw: &str) -> Option<&str> {
    let component = raw.rfind('/')?;
    raw[component..].find('&').map(|at| &raw[..component + at])
}

/// # Errors
/// 404 for what is no path of ours, 400 for a name, digest or tag that is none.
fn named(path: &str, prefix: &str) -> Result<Named, ApiError> {
    let mut components = path.strip_prefix('/').ok_or(ApiError::NotFound)?.split('/');
    // Whether a slash may stand at the end, the table says.
    let last = components.next_back();
    if last.is_some_and(|last| matches!(last, "." | "..")) || components.any(|one| matches!(one, "" | "." | "..")) {
        return Err(ApiError::NotFound);
    }
    match OpenResource::parse(path, prefix) {
        Some(resource) => Ok(Named::Open(resource)),
        None => Resource::parse(path, prefix).map(Named::Of),
    }
}

/// The path without its escapes (RFC 3986, section 2.1).
///
/// # Errors
/// 400 if one of them is none, or if what comes out is no text.
fn decoded(raw: &str) -> Result<String, ApiError> {
    let is_escape = |rest: &str| rest.as_bytes().get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
    if !raw.split('%').skip(1).all(is_escape) {
        return Err(ApiError::Path);
    }
    let path = percent_decode_str(raw).decode_utf8().map_err(|_| ApiError::Path)?;
    if path.contains('\0') { Err(ApiError::Path) } else { Ok(path.into_owned()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const SESSION: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

    /// The row, and the repository; or the status.
    fn parse(raw: &str, prefix: &str) -> Result<(&'static str, String), u16> {
        let named = Target::parse(raw, prefix).named.map_err(|error| error.status().as_u16())?;
        let repository = match &named {
            Named::Open(_) => None,
            Named::Of(resource) => resource.repository().map(ToString::to_string),
        };
        Ok((named.route().template, repository.unwrap_or_default()))
    }

    #[test]
    fn report_p8_escapes_of_what_needs_none() {
        let rows = [
            ("/v2/%61/tags/list", "/v2/<name>/tags/list", "a"),
            ("/v2/owner%2Fimage/tags/list", "/v2/<name>/tags/list", "owner/image"),
            ("/v2/owner%2fimage%2ftags%2flist", "/v2/<name>/tags/list", "owner/image"),
            ("/%76%32/", "/v2/", ""),
            ("/v2%2F", "/v2/", ""),
            ("/v2/%5fcatalog", "/v2/_catalog", ""),
            ("/%68ealthz", "/healthz", ""),
            ("/v2/%61uth", "/token", ""),
            ("/v2/a/%6danifests/%31", "/v2/<name>/manifests/<reference>", "a"),
            ("/v2/a/b/blobs/uploads%2F", "/v2/<name>/blobs/uploads/", "a/b"),
        ];
        for (raw, row, repository) in rows {
            assert_eq!(parse(raw, ""), Ok((row, repository.to_owned())), "{raw}");
        }
        let digest = DIGEST.replace(':', "%3a");
        for row in ["blobs", "referrers", "manifests"] {
            assert_eq!(parse(&format!("/v2/a%2Fb/{row}/{digest}"), "").unwrap().1, "a/b");
        }
        let session = format!("/v2/a/blobs/uploads/%36{}", &SESSION[1..]);
        assert_eq!(parse(&session, "").unwrap(), ("/v2/<name>/blobs/uploads/<session>", "a".to_owned()));
        assert_eq!(parse("/%6dy/v2/", "/my").unwrap().0, "/v2/");
        assert_eq!(parse("/my%2fv2/a%2ftags/list", "/my").unwrap().1, "a");
    }

    #[test]
    fn report_p8_what_is_no_text_is_a_mistake_everywhere() {
        for bad in ["%", "%4", "%zz", "%%", "a%", "%00", "a%00", "%ff", "%c0%ae", "%ed%a0%80", "%e2%82", "%2", "%+1"] {
            for raw in [
                format!("/{bad}"),
                format!("/v2/{bad}"),
                format!("/v2/{bad}/tags/list"),
                format!("/v2/a/manifests/{bad}"),
                format!("/v2/a/blobs/{bad}"),
                format!("/v2/a/blobs/uploads/{bad}"),
            ] {
                let target = Target::parse(&raw, "");
                assert!(matches!(target.named, Err(ApiError::Path)), "{raw}: {target:?}");
                assert_eq!((parse(&raw, ""), target.path()), (Err(400), raw.as_str()));
            }
        }
    }

    #[test]
    fn report_p8_components_that_are_none_are_nowhere() {
        for raw in [
            "",
            "*",
            "//",
            "//v2/",
            "/v2//",
            "/v2//_catalog",
            "/v2/_catalog/",
            "/v2/./_catalog",
            "/v2/%2e/_catalog",
            "/v2/a/../_catalog",
            "/v2/a/%2e%2e/_catalog",
            "/v2/a%2f..%2f_catalog",
            "/..",
            "/v2/..",
            "/v2/.",
            "/v2/a//tags/list",
            "/v2/a%2F%2Ftags/list",
            "/v2/a/tags/list/",
            "/v2/a/tags/list%2F",
            "/v2/a/tags//list",
            "/v2//tags/list",
            "/v2/a/manifests/",
            "/v2/a/blobs/",
            "/v2/a/manifests/..",
            "/v2/a/manifests/%2e%2e",
            "/v2/../healthz",
            "/healthz/",
            "//healthz",
            "/token/",
            "/v2/%2e%2e%2f%2e%2e%2fetc/tags/list",
        ] {
            assert_eq!(parse(raw, ""), Err(404), "{raw}");
        }
        // What is still escaped after it was decoded once is a character of a name, which has none such.
        for raw in ["/v2/%252e%252e/tags/list", "/v2/a%252Fb/tags/list", "/v2/a%2561/manifests/1"] {
            assert_eq!(parse(raw, ""), Err(400), "{raw}");
        }
    }
}
