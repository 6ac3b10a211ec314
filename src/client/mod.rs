//! The HTTP/1.1 client for the requests that wharf itself makes.
//!
//! A [`Client`] keeps connections open for later requests. It follows no redirect: a response with one is returned as
//! it is. It asks for content as it is stored (`Accept-Encoding: identity`) and decodes nothing. Every wait has a
//! bound.
//!
//! ```no_run
//! use wharf::client::{Client, Method, Options, Request};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new(&Options::default())?;
//! let request = Request::new(Method::GET, "https://registry.example.com/v2/".parse()?);
//! let mut response = client.send(request).await?;
//! while let Some(chunk) = response.chunk().await? {
//!     println!("{} bytes", chunk.len());
//! }
//! # Ok(())
//! # }
//! ```

mod addresses;
mod any_certificate;
mod connector;
mod error;
mod options;
mod request;
mod response;
mod stream;
#[cfg(test)]
mod tests;
mod tls;

use std::{fmt, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioTimer},
};
use tokio::time;

use self::connector::Connector;
pub use self::{
    addresses::is_public,
    error::ClientError,
    options::{ClientCertificate, Options, Proxy, Trust},
    request::Request,
    response::Response,
};
pub use hyper::{
    HeaderMap, Method, StatusCode,
    header::{self, HeaderName, HeaderValue},
};

/// How long a connection that is not in use is kept.
const IDLE: Duration = Duration::from_secs(30);

/// How many fields the head of a response may have. The library's own limit is 100, which a proxy with a policy for
/// each browser's feature exceeds.
const FIELDS: usize = 1000;

/// A client with its own connections. Clones share them.
#[derive(Clone)]
pub struct Client {
    http: legacy::Client<Connector, Full<Bytes>>,
    connector: Connector,
    connect_timeout: Duration,
    read_timeout: Duration,
}

impl Client {
    /// A client that connects as `options` say. It opens no connection before the first request.
    ///
    /// # Errors
    /// [`ClientError::Options`] if a certificate, a key or the URL of a proxy can't be used.
    pub fn new(options: &Options) -> Result<Self, ClientError> {
        let connector = Connector::new(options)?;
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .http1_title_case_headers(true)
            .http1_max_headers(FIELDS)
            .build(connector.clone());
        Ok(Self { http, connector, connect_timeout: options.connect_timeout, read_timeout: options.read_timeout })
    }

    /// Sends a request, and returns when the head of its response is there.
    ///
    /// # Errors
    /// [`ClientError`] if there is no response. A status of 4xx or 5xx is a response.
    pub async fn send(&self, request: Request) -> Result<Response, ClientError> {
        let mut request = request.into_hyper()?;
        if let Some(credentials) = self.connector.proxy_credentials(request.uri()) {
            request.headers_mut().insert(header::PROXY_AUTHORIZATION, credentials);
        }
        let answered = self.http.request(request);
        let response = time::timeout(self.connect_timeout + self.read_timeout, answered).await;
        Ok(Response::new(response.map_err(|_| ClientError::Timeout)??, self.read_timeout))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Client")
    }
}
