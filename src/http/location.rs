//! What stands before the path of a `Location` ([RFC 9110, section
//! 10.2.2](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.2)).

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};

use super::Settings;

/// The beginning of every `Location`. A `Link` is a path, whatever this is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LocationBase {
    /// Nothing: it is a path, and clients stay at the address that they asked.
    #[default]
    Path,
    /// A scheme and a host that the operator named.
    Origin(String),
    /// The scheme and the host that the request came with. The operator asked for it in so many words.
    Request,
}

/// Puts the scheme and the host before a `Location` that is a path, where the operator asked for it.
pub(super) fn complete(settings: &Settings, request: &HttpRequest, mut response: HttpResponse) -> HttpResponse {
    // A redirect between pages keeps the origin that the browser uses.
    if response.status() == StatusCode::SEE_OTHER {
        return response;
    }
    let Some(path) = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok()) else {
        return response;
    };
    let origin = match &settings.location_base {
        LocationBase::Path => None,
        LocationBase::Origin(origin) => Some(origin.clone()),
        LocationBase::Request => asked_origin(settings, request),
    };
    let absolute = origin.filter(|_| path.starts_with('/')).and_then(|origin| (origin + path).parse().ok());
    if let Some(absolute) = absolute {
        response.headers_mut().insert(header::LOCATION, absolute);
    }
    response
}

/// The scheme and the host that the request came with, if the operator wants links to begin with them.
pub(super) fn asked_origin(settings: &Settings, request: &HttpRequest) -> Option<String> {
    if settings.location_base == LocationBase::Request { origin_of(settings, request) } else { None }
}

/// The scheme and the host that the client used, as far as anybody knows: what a trusted proxy says of them, else the
/// request itself.
pub(super) fn origin_of(settings: &Settings, request: &HttpRequest) -> Option<String> {
    const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
    const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
    let is_proxy = settings.proxies.sent(request);
    // Each proxy adds to the end: the first is what the client used.
    let forwarded = |name| {
        let value: &HeaderValue = request.headers().get(name).filter(|_| is_proxy)?;
        value.to_str().ok()?.split(',').next().map(str::trim)
    };
    let forwarded_scheme = forwarded(PROTO).map(str::to_ascii_lowercase);
    // A Unix socket is served without TLS.
    let own = if settings.tls && request.peer_addr().is_some() { "https" } else { "http" };
    let scheme = forwarded_scheme.filter(|scheme| matches!(scheme.as_str(), "http" | "https"));
    let scheme = scheme.as_deref().unwrap_or(own);
    // The target of a request to a proxy says it over the field (RFC 9112, section 3.2.2).
    let target = request.uri().authority().map(actix_web::http::uri::Authority::as_str);
    let field = || request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host =
        forwarded(HOST).filter(|host| is_host(host)).or_else(|| target.or_else(field).filter(|host| is_host(host)))?;
    Some(format!("{scheme}://{host}"))
}

/// Whether a text is a host and perhaps a port, and nothing that could lead elsewhere.
fn is_host(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(&byte);
    let url = url::Url::parse(&format!("http://{text}/")).ok();
    !text.is_empty() && text.bytes().all(plain) && url.is_some_and(|url| url.has_host() && url.path() == "/")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use actix_web::test::TestRequest;

    use super::*;
    use crate::http::TrustedProxies;

    type Fields<'a> = &'a [(&'a str, &'a str)];

    const PROXY: &str = "10.0.0.1:1";
    const STRANGER: &str = "192.0.2.1:1";

    fn settings(location_base: LocationBase, tls: bool) -> Settings {
        let proxies = TrustedProxies { networks: vec![("10.0.0.0".parse().unwrap(), 8)], unix: false };
        Settings { location_base, proxies, tls, ..Settings::default() }
    }

    fn located(settings: &Settings, peer: &str, fields: &[(&str, &str)], location: &str) -> String {
        let mut request = TestRequest::default().peer_addr(peer.parse().unwrap());
        for (name, value) in fields {
            request = request.append_header((*name, *value));
        }
        let response = HttpResponse::Created().insert_header((header::LOCATION, location.to_owned())).finish();
        let response = complete(settings, &request.to_http_request(), response);
        response.headers().get(header::LOCATION).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn a_redirect_between_pages_stays_at_the_origin_of_the_browser() {
        let settings = settings(LocationBase::Origin("https://named.test".to_owned()), false);
        let response = HttpResponse::SeeOther().insert_header((header::LOCATION, "/ui/")).finish();
        let response = complete(&settings, &TestRequest::default().to_http_request(), response);
        assert_eq!(response.headers().get(header::LOCATION).unwrap(), "/ui/");
    }

    #[test]
    fn report_a_location_from_the_request_where_the_operator_asked_for_it() {
        let host = ("host", "r.test:5000");
        let proto = |value| ("x-forwarded-proto", value);
        let forwarded = |value| ("x-forwarded-host", value);
        let table: &[(&str, bool, Fields<'_>, &str)] = &[
            (STRANGER, false, &[host], "http://r.test:5000/v2/a"),
            (STRANGER, true, &[host], "https://r.test:5000/v2/a"),
            (STRANGER, false, &[("host", "[::1]:5000")], "http://[::1]:5000/v2/a"),
            // Only a trusted proxy is believed.
            (STRANGER, false, &[host, proto("https"), forwarded("evil.test")], "http://r.test:5000/v2/a"),
            (PROXY, false, &[host, proto("https")], "https://r.test:5000/v2/a"),
            (PROXY, true, &[host, proto("http")], "http://r.test:5000/v2/a"),
            (PROXY, false, &[host, proto("HTTPS"), forwarded("pub.test")], "https://pub.test/v2/a"),
            (PROXY, false, &[host, proto("https, http"), forwarded("pub.test, in.test")], "https://pub.test/v2/a"),
            (PROXY, false, &[host, proto("ftp"), forwarded("a b")], "http://r.test:5000/v2/a"),
            (PROXY, false, &[host, forwarded("")], "http://r.test:5000/v2/a"),
            // Without a valid host, the location is a path.
            (STRANGER, false, &[], "/v2/a"),
            (STRANGER, false, &[("host", "")], "/v2/a"),
            (STRANGER, false, &[("host", "user@evil.test")], "/v2/a"),
            (STRANGER, false, &[("host", "evil.test/x?")], "/v2/a"),
            (STRANGER, false, &[("host", "a:b:c")], "/v2/a"),
        ];
        for (peer, tls, fields, expected) in table {
            let found = located(&settings(LocationBase::Request, *tls), peer, fields, "/v2/a");
            assert_eq!(&found, expected, "{peer} {tls} {fields:?}");
            assert_eq!(located(&settings(LocationBase::Path, *tls), peer, fields, "/v2/a"), "/v2/a");
            let named = settings(LocationBase::Origin("https://named.test".to_owned()), *tls);
            assert_eq!(located(&named, peer, fields, "/v2/a"), "https://named.test/v2/a");
            assert_eq!(located(&named, peer, fields, "https://elsewhere.test/"), "https://elsewhere.test/");
        }
    }
}
