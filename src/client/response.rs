//! A response, whose body is read piece by piece.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::{HeaderMap, StatusCode, body::Incoming, header::CONTENT_LENGTH};
use tokio::time;

use super::ClientError;

/// A response. Dropping it before its body was read to the end closes its connection.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    body: Incoming,
    read_timeout: Duration,
}

impl Response {
    pub(super) fn new(response: hyper::Response<Incoming>, read_timeout: Duration) -> Self {
        let (head, body) = response.into_parts();
        Self { status: head.status, headers: head.headers, body, read_timeout }
    }

    /// How many bytes the body has, if the head says so.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }

    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// [`ClientError::Broken`] if the connection ends before the body does, [`ClientError::Timeout`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            let frame = time::timeout(self.read_timeout, self.body.frame()).await;
            match frame.map_err(|_| ClientError::Timeout)? {
                None => return Ok(None),
                Some(Err(error)) => return Err(ClientError::Broken(error.to_string())),
                // Trailers say nothing that is used.
                Some(Ok(frame)) => {
                    if let Ok(chunk) = frame.into_data() {
                        return Ok(Some(chunk));
                    }
                }
            }
        }
    }

    /// All of the body that is left, `limit` bytes at the most.
    ///
    /// # Errors
    /// As [`Response::chunk`]; [`ClientError::TooLarge`] if there are more.
    pub async fn bytes(&mut self, limit: u64) -> Result<Bytes, ClientError> {
        let mut all = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if (all.len() + chunk.len()) as u64 > limit {
                return Err(ClientError::TooLarge { limit });
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }
}
