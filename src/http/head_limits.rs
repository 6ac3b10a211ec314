//! The size of the head of a request, and the bounds on it, before anything else is looked at.

use actix_web::{HttpRequest, http::header};

use super::HttpError;

/// Bounds on the head of a request.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// The longest target: path and query, in bytes.
    pub target: usize,
    /// The longest head: names and values of all fields, in bytes.
    pub bytes: usize,
    /// The most fields.
    pub fields: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { target: 4 * 1024, bytes: 64 * 1024, fields: 64 }
    }
}

/// The sizes of the head of a request.
pub(super) struct HeadSize {
    /// The bytes of the path and the query.
    target: usize,
    /// The bytes of the names and values of all fields.
    fields: usize,
    /// The bytes that a client says the body has.
    announced: u64,
}

impl HeadSize {
    pub(super) fn of(request: &HttpRequest) -> Self {
        let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
        let mut size = Self { target, fields: 0, announced: 0 };
        for (name, value) in request.headers() {
            size.fields += name.as_str().len() + value.len();
            if name == header::CONTENT_LENGTH {
                size.announced = value.to_str().ok().and_then(|length| length.parse().ok()).unwrap_or(0);
            }
        }
        size
    }

    /// The size of the request, as clients of Prometheus count it: the first line, the fields, and the body that is
    /// announced.
    pub(super) fn of_request(&self, request: &HttpRequest) -> u64 {
        let line = request.path().len() + request.method().as_str().len() + "HTTP/1.1".len();
        (line as u64 + self.fields as u64).saturating_add(self.announced)
    }

    /// # Errors
    /// 414, 431; and 400 for a WebSocket handshake: with one, the server's parser takes all that follows on the
    /// connection for this request's body, another client's request behind the same proxy included. It is answered
    /// without reading on.
    pub(super) fn check(&self, request: &HttpRequest, limits: HeadLimits) -> Result<(), HttpError> {
        if self.target > limits.target {
            return Err(HttpError::TargetTooLong { limit: limits.target });
        }
        let headers = request.headers();
        if self.fields > limits.bytes || headers.len() > limits.fields {
            return Err(HttpError::HeadTooLarge { limit: limits.bytes });
        }
        let is_websocket =
            |value: &header::HeaderValue| value.as_bytes().to_ascii_lowercase().windows(9).any(|w| w == b"websocket");
        if headers.get_all(header::UPGRADE).any(is_websocket) {
            return Err(HttpError::Upgrade);
        }
        Ok(())
    }
}
