//! Which paths lead where, through all routers of a server.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use crate::{
    auth::Authenticator,
    config::Config,
    http::Service,
    registry::{Extensions, Registry, Rules},
    storage::Storage,
};

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const SESSION: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

/// A service with the routers of a server.
fn service(prefix: &str) -> Service {
    let mut config = Config::default();
    config.http.prefix = prefix.to_owned();
    let registry = Registry::at_rest(Storage::memory(), Rules::default(), Extensions::default());
    super::service(&config, &registry, &Arc::new(Authenticator::open_to_everybody()), &Arc::default(), None)
}

/// The row, and the repository; or the status.
fn parse(raw: &str, prefix: &str) -> Result<(&'static str, String), u16> {
    service(prefix).row(raw)
}

#[tokio::test]
async fn report_p8_escapes_of_what_needs_none() {
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

#[tokio::test]
async fn report_p8_what_is_no_text_is_a_mistake_everywhere() {
    for bad in ["%", "%4", "%zz", "%%", "a%", "%00", "a%00", "%ff", "%c0%ae", "%ed%a0%80", "%e2%82", "%2", "%+1"] {
        for raw in [
            format!("/{bad}"),
            format!("/v2/{bad}"),
            format!("/v2/{bad}/tags/list"),
            format!("/v2/a/manifests/{bad}"),
            format!("/v2/a/blobs/{bad}"),
            format!("/v2/a/blobs/uploads/{bad}"),
        ] {
            assert_eq!(parse(&raw, ""), Err(400), "{raw}");
        }
    }
}

#[tokio::test]
async fn report_p8_components_that_are_none_are_nowhere() {
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
