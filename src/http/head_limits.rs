//! Bounds on the head of a request, before anything else is looked at.

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

/// # Errors
/// 414, 431; and 400 for a WebSocket handshake: with one, the server's parser takes all that follows on the connection
/// for this request's body, another client's request behind the same proxy included. It is answered without reading on.
pub(super) fn check_head(request: &HttpRequest, limits: HeadLimits) -> Result<(), HttpError> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > limits.target {
        return Err(HttpError::TargetTooLong { limit: limits.target });
    }
    let headers = request.headers();
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > limits.bytes || headers.len() > limits.fields {
        return Err(HttpError::HeadTooLarge { limit: limits.bytes });
    }
    let is_websocket =
        |value: &header::HeaderValue| value.as_bytes().to_ascii_lowercase().windows(9).any(|w| w == b"websocket");
    if headers.get_all(header::UPGRADE).any(is_websocket) {
        return Err(HttpError::Upgrade);
    }
    Ok(())
}
