//! Why there is no response.

use std::error::Error;

use hyper_util::client::legacy;

/// Why there is no response, or no more of it. No text of it contains a secret of a URL or of a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// An option can't be used.
    #[error("{0}")]
    Options(String),
    /// The request can't be sent as it is.
    #[error("the request can't be sent: {0}")]
    Request(String),
    /// Nothing accepts a connection.
    #[error("no connection to {authority}: {cause}")]
    Connect {
        /// The host and the port.
        authority: String,
        /// What the system says.
        cause: String,
    },
    /// The options forbid all addresses of the host.
    #[error("no connection to {authority}: its address may not be connected to")]
    Forbidden {
        /// The host and the port.
        authority: String,
    },
    /// TLS can't begin: the certificate is not accepted, as a rule.
    #[error("no TLS with {authority}: {cause}")]
    Tls {
        /// The host and the port.
        authority: String,
        /// What the library says.
        cause: String,
    },
    /// The proxy does not connect to the host.
    #[error("the proxy {proxy} does not connect to {authority}: {cause}")]
    Proxy {
        /// The proxy's host and port.
        proxy: String,
        /// The host and the port.
        authority: String,
        /// What the proxy says.
        cause: String,
    },
    /// A timeout of the options ended the wait.
    #[error("the answer takes too long")]
    Timeout,
    /// What was received is not HTTP.
    #[error("the answer is not HTTP")]
    NotHttp,
    /// The server closed the connection too early.
    #[error("the connection was closed before the end of the answer")]
    Closed,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// A body has more bytes than the caller takes.
    #[error("the body of the answer has more than {limit} bytes")]
    TooLarge {
        /// How many the caller takes.
        limit: u64,
    },
}

impl From<hyper::Error> for ClientError {
    fn from(error: hyper::Error) -> Self {
        if let Some(fault) = fault(&error) {
            return fault;
        }
        Self::Broken(error.source().map_or_else(|| error.to_string(), ToString::to_string))
    }
}

impl From<legacy::Error> for ClientError {
    fn from(error: legacy::Error) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = error.source();
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<Self>() {
                return error.clone();
            }
            if let Some(hyper) = error.downcast_ref::<hyper::Error>()
                && let Some(fault) = fault(hyper)
            {
                return fault;
            }
            cause = error.source();
        }
        Self::Broken(error.source().map_or_else(|| error.to_string(), ToString::to_string))
    }
}

/// What a server did wrong.
fn fault(error: &hyper::Error) -> Option<ClientError> {
    if error.is_incomplete_message() {
        return Some(ClientError::Closed);
    }
    error.is_parse().then_some(ClientError::NotHttp)
}
