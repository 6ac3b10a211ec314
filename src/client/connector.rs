//! From a URL to a connection: the proxy, the addresses of the host, TCP, TLS.

use std::{
    fmt::Display,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::Empty;
use hyper::{
    Method, Request, Uri,
    client::conn::http1,
    header::{HeaderValue, PROXY_AUTHORIZATION},
    upgrade,
};
use hyper_util::{
    client::proxy::matcher::{Intercept, Matcher},
    rt::TokioIo,
};
use rustls::pki_types::ServerName;
use tokio::{
    net::{TcpStream, UnixStream, lookup_host},
    time,
};
use tokio_rustls::TlsConnector;
use tower_service::Service;

use super::{
    ClientError, Options, Proxy,
    stream::{Stream, Transport},
    tls,
};

/// Makes connections. Clones share the settings.
#[derive(Clone)]
pub(super) struct Connector(Arc<Settings>);

struct Settings {
    tls: TlsConnector,
    proxies: Matcher,
    /// Whether loopback addresses are reached without the proxy.
    spares_loopback: bool,
    may_connect: fn(IpAddr) -> bool,
    socket: Option<PathBuf>,
    timeout: Duration,
}

impl Connector {
    /// # Errors
    /// [`ClientError::Options`].
    pub(super) fn new(options: &Options) -> Result<Self, ClientError> {
        let proxies = match &options.proxy {
            Proxy::Environment => Matcher::from_env(),
            Proxy::None => Matcher::builder().build(),
            Proxy::Url(url) => proxy(url)?,
        };
        Ok(Self(Arc::new(Settings {
            tls: TlsConnector::from(Arc::new(tls::configure(options)?)),
            proxies,
            spares_loopback: options.proxy == Proxy::Environment,
            may_connect: options.may_connect,
            socket: options.socket.clone(),
            timeout: options.connect_timeout,
        })))
    }

    /// The credentials for the proxy that reads a request to `uri`, if there are any. Those of a tunnel are sent when it
    /// is made.
    pub(super) fn proxy_credentials(&self, uri: &Uri) -> Option<HeaderValue> {
        let reads_requests = self.0.socket.is_none() && uri.scheme_str() == Some("http");
        self.0.proxy(uri).filter(|_| reads_requests)?.basic_auth().cloned()
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = ClientError;
    type Future = BoxFuture<'static, Result<Self::Response, ClientError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let settings = Arc::clone(&self.0);
        Box::pin(async move {
            let connected = time::timeout(settings.timeout, settings.connect(&uri)).await;
            connected.map_err(|_| ClientError::Timeout)?.map(TokioIo::new)
        })
    }
}

impl Settings {
    /// The proxy that a request to `uri` goes through.
    fn proxy(&self, uri: &Uri) -> Option<Intercept> {
        let host = host(uri);
        let is_loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        self.proxies.intercept(uri).filter(|_| !(self.spares_loopback && is_loopback))
    }

    async fn connect(&self, uri: &Uri) -> Result<Stream, ClientError> {
        let (host, port) = (host(uri), port(uri));
        let (transport, is_proxied): (Box<dyn Transport>, bool) = if let Some(path) = &self.socket {
            let connected = UnixStream::connect(path).await;
            (Box::new(connected.map_err(|error| no_connection(&path.display().to_string(), &error))?), false)
        } else if let Some(proxy) = self.proxy(uri) {
            if host.parse::<IpAddr>().is_ok_and(|address| !(self.may_connect)(address)) {
                return Err(ClientError::Forbidden { authority: authority(host, port) });
            }
            self.through(&proxy, uri).await?
        } else {
            (Box::new(self.tcp(host, port, self.may_connect).await?), false)
        };
        if uri.scheme_str() != Some("https") {
            return Ok(Stream { transport, is_proxied });
        }
        Ok(Stream { transport: self.tls(transport, host, port).await?, is_proxied: false })
    }

    /// A connection to a proxy that passes on requests for `http`, or through it to the host for `https` (RFC 9110,
    /// section 9.3.6).
    async fn through(&self, proxy: &Intercept, uri: &Uri) -> Result<(Box<dyn Transport>, bool), ClientError> {
        let (proxy_host, proxy_port) = (host(proxy.uri()), port(proxy.uri()));
        let mut transport: Box<dyn Transport> = Box::new(self.tcp(proxy_host, proxy_port, |_| true).await?);
        if proxy.uri().scheme_str() == Some("https") {
            transport = self.tls(transport, proxy_host, proxy_port).await?;
        }
        if uri.scheme_str() != Some("https") {
            return Ok((transport, true));
        }
        let refused = |cause: String| ClientError::Proxy {
            proxy: authority(proxy_host, proxy_port),
            authority: authority(host(uri), port(uri)),
            cause,
        };
        let tunnel = authority(host(uri), port(uri));
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.method_mut() = Method::CONNECT;
        *request.uri_mut() = tunnel.parse().map_err(|_| refused("the host has no valid name".to_owned()))?;
        if let Some(credentials) = proxy.basic_auth() {
            request.headers_mut().insert(PROXY_AUTHORIZATION, credentials.clone());
        }
        let broken = |error: hyper::Error| refused(error.to_string());
        let (mut sender, connection) = http1::handshake(TokioIo::new(transport)).await.map_err(broken)?;
        tokio::spawn(connection.with_upgrades());
        let response = sender.send_request(request).await.map_err(broken)?;
        if !response.status().is_success() {
            return Err(refused(format!("it answers {}", response.status())));
        }
        Ok((Box::new(TokioIo::new(upgrade::on(response).await.map_err(broken)?)), false))
    }

    /// Connects to the first of the host's addresses that accepts. Each has its part of the time.
    async fn tcp(&self, host: &str, port: u16, may_connect: fn(IpAddr) -> bool) -> Result<TcpStream, ClientError> {
        let authority = authority(host, port);
        let addresses = lookup_host((host, port)).await.map_err(|error| no_connection(&authority, &error))?;
        let (allowed, others): (Vec<SocketAddr>, Vec<_>) = addresses.partition(|address| may_connect(address.ip()));
        let mut last = if others.is_empty() {
            no_connection(&authority, &"the name has no address")
        } else {
            ClientError::Forbidden { authority: authority.clone() }
        };
        let share = self.timeout / u32::try_from(allowed.len()).unwrap_or(u32::MAX).max(1);
        for address in allowed {
            match time::timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Small requests are sent at once.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => last = no_connection(&authority, &error),
                Err(_) => last = no_connection(&authority, &"it does not answer"),
            }
        }
        Err(last)
    }

    async fn tls(
        &self,
        transport: Box<dyn Transport>,
        host: &str,
        port: u16,
    ) -> Result<Box<dyn Transport>, ClientError> {
        let failed = |cause: String| ClientError::Tls { authority: authority(host, port), cause };
        let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(error.to_string()))?;
        let stream = self.tls.connect(name, transport).await.map_err(|error| failed(error.to_string()))?;
        Ok(Box::new(stream))
    }
}

/// The proxy of all requests. The library takes no notice of a URL that it can't use, so that is tried.
fn proxy(url: &str) -> Result<Matcher, ClientError> {
    let matcher = Matcher::builder().all(url).build();
    let taken = matcher.intercept(&Uri::from_static("http://example.com/"));
    match taken.as_ref().and_then(|proxy| proxy.uri().scheme_str()) {
        Some("http" | "https") => Ok(matcher),
        // The URL may have a password in it.
        _ => Err(ClientError::Options("the proxy needs a URL like http://proxy.example.com:3128".to_owned())),
    }
}

fn no_connection(authority: &str, cause: &dyn Display) -> ClientError {
    ClientError::Connect { authority: authority.to_owned(), cause: cause.to_string() }
}

/// The host, an IPv6 address without its brackets.
fn host(uri: &Uri) -> &str {
    uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
}

fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 })
}

fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
