//! Serves a connection: HTTP at once, or after a TLS handshake.
//!
//! The same HTTP service serves every kind of socket. It is assembled here, because `actix_web::HttpServer` can neither
//! examine the first byte of a connection nor change the TLS configuration while it serves.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use actix_http::{Extensions, HttpService, Protocol, Request};
use actix_server::GracefulShutdownSignal;
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::{
    App,
    body::BoxBody,
    dev::{AppConfig, ServiceRequest, ServiceResponse},
    web,
};
use rustix::net::sockopt;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig, server::TlsStream};

use super::{
    connection_limit::{ConnectionLimit, ConnectionPermit},
    parser_errors::ParserErrors,
    post_length::PostLength,
    tcp_connection::TcpConnection,
    tls::TlsConfig,
};
use crate::{
    files::Watched,
    http::{self, Service},
};

/// How long the head of a request may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a client that still sends may take to read an early answer before the connection is closed.
const LINGER: Duration = Duration::from_secs(5);
/// How long a client may read nothing of an answer.
const WRITE_STALL: Duration = Duration::from_secs(60);
/// How long a client that is refused may take to read the reason.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// The first byte of a TLS record that holds a handshake (RFC 8446, section 5.1). No HTTP method begins with it.
const HANDSHAKE: u8 = 22;

/// The answer, in plain text, to a plain request on a TLS port: the client sees the mistake.
const PLAIN_ON_TLS: &str = concat!(
    "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 110\r\nConnection: close\r\n\r\n",
    "{\"errors\":[{\"code\":\"UNSUPPORTED\",\"message\":\"this port speaks HTTPS: use an https:// address\",\"detail\":null}]}\n"
);

/// The answer to a client whose address has all the connections that it may have.
const TOO_MANY: &str = concat!(
    "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 116\r\nRetry-After: 2\r\nConnection: close\r\n\r\n",
    "{\"errors\":[{\"code\":\"TOOMANYREQUESTS\",\"message\":\"too many connections from this address: use fewer\",\"detail\":null}]}\n"
);

/// The HTTP service for a stream of any kind; `data` puts what requests are to know of their connection where they find
/// it.
fn stack<T: AsyncRead + AsyncWrite + Unpin + 'static>(
    service: web::Data<Service>,
    shutdown: GracefulShutdownSignal,
    data: impl Fn(&T, &mut Extensions) + 'static,
) -> impl ServiceFactory<(T, Protocol, Option<SocketAddr>), Config = (), Response = (), Error = (), InitError = ()> {
    let of_connections = service.clone();
    let serve = move |request: ServiceRequest| {
        let service = service.clone();
        async move {
            let (request, payload) = request.into_parts();
            let response = http::serve(service, request.clone(), payload).await;
            Ok::<_, actix_web::Error>(ServiceResponse::new(request, response))
        }
    };
    let app = App::new().default_service(fn_service(serve));
    let app = IntoServiceFactory::<_, Request>::into_factory(app);
    let app = app.map_err(|error: actix_web::Error| error.error_response().map_into_boxed_body());
    let service = HttpService::<ParserErrors<PostLength<T>>, _, BoxBody>::build()
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(LINGER)
        // A client that has gone must end its handler.
        .h1_allow_half_closed(false)
        .on_connect_ext(move |io: &ParserErrors<PostLength<T>>, extensions| {
            extensions.insert(io.ending());
            data(io.io().io(), extensions);
        })
        .graceful_shutdown_signal(move || {
            let shutdown = shutdown.clone();
            async move { shutdown.notified().await }
        })
        .finish(map_config(app, |()| AppConfig::default()))
        .map_err(|error| tracing::debug!(%error, "a connection ended"));
    fn_service(move |(io, protocol, peer): (T, Protocol, Option<SocketAddr>)| {
        let io = ParserErrors::new(PostLength::new(io), of_connections.clone(), peer);
        async move { Ok((io, protocol, peer)) }
    })
    .and_then(service)
}

/// HTTP over TCP.
pub(super) fn plain(
    service: web::Data<Service>,
    shutdown: GracefulShutdownSignal,
    peers: Arc<ConnectionLimit>,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = (), InitError = ()> {
    fn_service(move |io: TcpStream| {
        let peers = Arc::clone(&peers);
        async move {
            prepare(&io);
            let peer = io.peer_addr().map_err(drop)?;
            let Some(permit) = peers.admit(peer.ip()) else {
                turn_away(io).await;
                return Err(());
            };
            Ok((TcpConnection::new(io, permit), Protocol::Http1, Some(peer)))
        }
    })
    .and_then(stack(service, shutdown, |io: &TcpConnection, data| {
        data.insert(io.slot());
    }))
}

/// HTTP over a Unix socket.
pub(super) fn unix(
    service: web::Data<Service>,
    shutdown: GracefulShutdownSignal,
) -> impl ServiceFactory<UnixStream, Config = (), Response = (), Error = (), InitError = ()> {
    fn_service(|io: UnixStream| async move { Ok((io, Protocol::Http1, None)) }).and_then(stack(
        service,
        shutdown,
        |_, _| {},
    ))
}

/// HTTP over TLS; each connection with the configuration that holds when it begins.
pub(super) fn tls(
    service: web::Data<Service>,
    shutdown: GracefulShutdownSignal,
    peers: Arc<ConnectionLimit>,
    tls: Arc<Watched<TlsConfig>>,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = (), InitError = ()> {
    fn_service(move |io: TcpStream| {
        let (config, peers) = (Arc::clone(&tls.current().value.server), Arc::clone(&peers));
        async move {
            prepare(&io);
            let peer = io.peer_addr().map_err(drop)?;
            // A client can't read a refusal before the handshake, so none is sent.
            let permit = peers.admit(peer.ip()).ok_or(())?;
            let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake(io, permit, config)).await;
            match handshake.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(io) => Ok((io, Protocol::Http1, Some(peer))),
                Err(error) => {
                    tracing::debug!(%error, %peer, "no TLS connection came about");
                    Err(())
                }
            }
        }
    })
    .and_then(stack(service, shutdown, |_, _| {}))
}

/// Tells a client why its connection is refused, if it reads at once.
async fn turn_away(mut io: TcpStream) {
    let last_words = async {
        io.write_all(TOO_MANY.as_bytes()).await?;
        io.shutdown().await?;
        // The request is read, because the system resets a connection that is closed with unread bytes.
        while io.read(&mut [0; 1024]).await? > 0 {}
        io::Result::Ok(())
    };
    let _ = tokio::time::timeout(LAST_WORDS, last_words).await;
}

async fn handshake(
    mut io: TcpStream,
    permit: ConnectionPermit,
    config: Arc<ServerConfig>,
) -> io::Result<TlsStream<TcpConnection>> {
    let mut first = [0];
    io.peek(&mut first).await?;
    if first[0] != HANDSHAKE {
        io.write_all(PLAIN_ON_TLS.as_bytes()).await?;
        io.shutdown().await?;
        return Err(io::Error::other("plain HTTP on a TLS port"));
    }
    TlsAcceptor::from(config).accept(TcpConnection::new(io, permit)).await
}

/// Sets what every TCP connection has. Answers are written whole, so there is nothing to wait for; and a client that
/// takes nothing of one for too long is given up by the system itself.
fn prepare(io: &TcpStream) {
    let stall = u32::try_from(WRITE_STALL.as_millis()).unwrap_or(u32::MAX);
    let set = io.set_nodelay(true).and_then(|()| Ok(sockopt::set_tcp_user_timeout(io, stall)?));
    if let Err(error) = set {
        tracing::debug!(%error, "a connection keeps the system's settings");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_in_the_clear_are_as_long_as_they_say() {
        for answer in [PLAIN_ON_TLS, TOO_MANY] {
            let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
            assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
            assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
        }
    }
}
