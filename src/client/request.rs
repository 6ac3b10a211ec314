//! A request that is to be sent.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Uri,
    header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderName, HeaderValue, USER_AGENT},
};
use percent_encoding::percent_decode_str;
use url::Url;

use super::ClientError;

const OWN_USER_AGENT: &str = concat!("wharf/", env!("CARGO_PKG_VERSION"));

/// A request.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where it goes; `http` or `https`. A name and a password in it are sent by Basic authentication, unless the
    /// headers have an `Authorization`.
    pub url: Url,
    /// The headers. `Host`, `Content-Length`, `User-Agent` and `Accept-Encoding` are set where they are missing.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Request {
    /// A request without headers and body.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// The request with one more header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// The request with this body.
    #[must_use]
    pub fn body(self, body: Bytes) -> Self {
        Self { body, ..self }
    }

    pub(super) fn into_hyper(self) -> Result<hyper::Request<Full<Bytes>>, ClientError> {
        let Self { method, mut url, mut headers, body } = self;
        let credentials = basic(&url);
        let invalid = || ClientError::Request("its URL is not one of HTTP".to_owned());
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid());
        }
        url.set_fragment(None);
        url.set_username("").and_then(|()| url.set_password(None)).map_err(|()| invalid())?;
        let uri: Uri = url.as_str().parse().map_err(|_| invalid())?;
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(OWN_USER_AGENT));
        headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
        if let Some(value) = credentials {
            headers.entry(AUTHORIZATION).or_insert(value);
        }
        let mut request = hyper::Request::new(Full::new(body));
        (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (method, uri, headers);
        Ok(request)
    }
}

/// The credentials that stand in a URL, as the value of an `Authorization` (RFC 7617).
fn basic(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let user = percent_decode_str(url.username());
    let pair: Vec<u8> = user.chain(*b":").chain(percent_decode_str(url.password().unwrap_or_default())).collect();
    let mut value = HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}
