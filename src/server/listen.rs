//! The sockets that are listened on.

use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs as _},
    os::unix::{
        fs::FileTypeExt as _,
        net::{UnixListener, UnixStream},
    },
    path::Path,
};

use super::TlsError;
use crate::{
    archive::ArchiveError,
    auth::AuthError,
    config::{Address, Host, Listen},
    storage::StorageError,
};

/// How often a free port is looked for that both families have.
const TRIES: usize = 16;

/// Why a registry does not start, in words for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another program listens there.
    #[error(
        "{address} is taken by another program: stop it (`ss -ltnp` shows which it is), or listen elsewhere with http.addr in the \
         settings or REGISTRY_HTTP_ADDR=localhost:5001"
    )]
    Taken {
        /// Where.
        address: String,
    },
    /// The address can't be listened on.
    #[error("can't listen on {address}: {source} (http.addr in the settings, or REGISTRY_HTTP_ADDR)")]
    Bind {
        /// Where.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The debug listener can't be opened.
    #[error(
        "no metrics and no health can be served: {problem} (http.debug.addr in the settings, or REGISTRY_HTTP_DEBUG_ADDR)"
    )]
    Debug {
        /// The address, and what is wrong.
        problem: String,
    },
    /// Notifications can't be sent.
    #[error("notifications.endpoints, {endpoint}: {problem}")]
    Notifications {
        /// The name of the endpoint.
        endpoint: String,
        /// What is wrong with it.
        problem: String,
    },
    /// An upstream can't be asked.
    #[error("the upstream {upstream}: {problem}")]
    Upstream {
        /// Its host.
        upstream: String,
        /// The problem.
        problem: String,
    },
    /// A health check can't be made.
    #[error("the health check of {url} can't be made: {problem} (health.http in the settings)")]
    HealthCheck {
        /// The target of the check.
        url: String,
        /// What is wrong.
        problem: String,
    },
    /// The sockets could not be given to the server.
    #[error("can't listen: {0}")]
    Listen(io::Error),
    /// An archive can't be loaded.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The store can't be opened.
    #[error(transparent)]
    Store(#[from] StorageError),
    /// TLS can't be spoken.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Authentication can't be set up.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// There is no room for what is kept beside a store in memory.
    #[error("can't make a folder for temporary files: {0}")]
    Folder(io::Error),
    /// The system gave no thread.
    #[error("can't start a thread: {0}")]
    Thread(io::Error),
    /// The server's thread died.
    #[error("the server died while it started")]
    Died,
}

/// Sockets that are bound, and not yet served.
#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) tcp: Vec<TcpListener>,
    pub(super) unix: Vec<UnixListener>,
}

impl Sockets {
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.tcp.iter().filter_map(|socket| socket.local_addr().ok()).collect()
    }
}

pub(super) fn bind(listen: &Listen) -> Result<Sockets, StartError> {
    match listen {
        Listen::Unix(path) => Ok(Sockets { tcp: Vec::new(), unix: vec![unix(path)?] }),
        Listen::Tcp(addresses) => {
            let mut tcp = Vec::new();
            for address in addresses {
                tcp.extend(each(address)?);
            }
            Ok(Sockets { tcp, unix: Vec::new() })
        }
    }
}

/// Binds the sockets of `http.debug`.
pub(super) fn bind_debug(addresses: &[Address]) -> Result<Sockets, StartError> {
    bind(&Listen::Tcp(addresses.to_vec())).map_err(of_debug)
}

/// The addresses that [`bind_debug`] would take, without taking them.
pub(super) fn check_debug(addresses: &[Address]) -> Result<(), StartError> {
    check(&Listen::Tcp(addresses.to_vec())).map(drop).map_err(of_debug)
}

fn of_debug(error: StartError) -> StartError {
    match error {
        StartError::Taken { address } => {
            StartError::Debug { problem: format!("{address} is taken by another program") }
        }
        StartError::Bind { address, source } => StartError::Debug { problem: format!("{address}: {source}") },
        other => other,
    }
}

/// The addresses that [`bind`] would take, without taking them: each host is one of this machine's, and a socket can be
/// where it is to be.
pub(super) fn check(listen: &Listen) -> Result<Vec<SocketAddr>, StartError> {
    match listen {
        Listen::Unix(path) => check_unix(path).map(|()| Vec::new()),
        Listen::Tcp(addresses) => {
            let mut all = Vec::new();
            for address in addresses {
                let port = address.port;
                match &address.host {
                    Host::Any => all.push((Ipv6Addr::UNSPECIFIED, port).into()),
                    Host::Localhost => {
                        all.push((Ipv4Addr::LOCALHOST, port).into());
                        all.push((Ipv6Addr::LOCALHOST, port).into());
                    }
                    Host::Ip(ip) => all.push(is_ours((*ip, port).into())?),
                    Host::Name(name) => {
                        let resolved: Result<Vec<_>, _> = resolve(address, name)?.into_iter().map(is_ours).collect();
                        all.extend(resolved?);
                    }
                }
            }
            Ok(all)
        }
    }
}

/// The same address, if it is one of this machine's: another port of it can be had.
fn is_ours(address: SocketAddr) -> Result<SocketAddr, StartError> {
    match TcpListener::bind((address.ip(), 0)) {
        Err(source) if source.kind() == ErrorKind::AddrNotAvailable => {
            Err(StartError::Bind { address: address.to_string(), source })
        }
        _ => Ok(address),
    }
}

fn check_unix(path: &Path) -> Result<(), StartError> {
    let bind = |source| StartError::Bind { address: path.display().to_string(), source };
    std::os::unix::net::SocketAddr::from_pathname(path).map_err(bind)?;
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => Ok(()),
        Ok(_) => Err(bind(no_socket())),
        Err(_) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let allowed = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
            rustix::fs::access(folder, allowed).map_err(|error| bind(error.into()))
        }
    }
}

fn no_socket() -> io::Error {
    io::Error::new(ErrorKind::AlreadyExists, "there is a file that is no socket")
}

fn resolve(address: &Address, name: &str) -> Result<Vec<SocketAddr>, StartError> {
    let failed = |source| StartError::Bind { address: address.to_string(), source };
    Ok((name, address.port).to_socket_addrs().map_err(failed)?.collect())
}

fn each(address: &Address) -> Result<Vec<TcpListener>, StartError> {
    let port = address.port;
    match &address.host {
        Host::Any => any(port).map(|socket| vec![socket]),
        Host::Localhost => localhost(port),
        Host::Ip(ip) => Ok(vec![tcp((*ip, port).into())?]),
        Host::Name(name) => resolve(address, name)?.into_iter().map(tcp).collect(),
    }
}

/// One socket for both families, where the machine has both.
fn any(port: u16) -> Result<TcpListener, StartError> {
    match tcp((Ipv6Addr::UNSPECIFIED, port).into()) {
        Err(StartError::Bind { source, .. }) if is_missing(&source) => {
            tracing::warn!("this machine has no IPv6: only IPv4 is listened on");
            tcp((Ipv4Addr::UNSPECIFIED, port).into())
        }
        result => result,
    }
}

/// `127.0.0.1` and `::1`, with the same port: a client may take either for `localhost`.
fn localhost(port: u16) -> Result<Vec<TcpListener>, StartError> {
    let mut tries = if port == 0 { TRIES } else { 1 };
    loop {
        tries -= 1;
        let v4 = tcp((Ipv4Addr::LOCALHOST, port).into())?;
        let taken = v4.local_addr().map_err(StartError::Listen)?.port();
        match tcp((Ipv6Addr::LOCALHOST, taken).into()) {
            Ok(v6) => return Ok(vec![v4, v6]),
            Err(StartError::Bind { source, .. }) if is_missing(&source) => {
                tracing::warn!("this machine has no IPv6: only 127.0.0.1 is listened on");
                return Ok(vec![v4]);
            }
            Err(StartError::Taken { .. }) if tries > 0 => {}
            Err(error) => return Err(error),
        }
    }
}

fn tcp(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|source| match source.kind() {
        ErrorKind::AddrInUse => StartError::Taken { address: address.to_string() },
        _ => StartError::Bind { address: address.to_string(), source },
    })
}

fn is_missing(error: &io::Error) -> bool {
    let is_loopback_off = error.kind() == ErrorKind::AddrNotAvailable;
    is_loopback_off || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

/// A socket that nobody listens on any more is left by a process that was killed, and is replaced. Nothing else ever
/// is.
fn unix(path: &Path) -> Result<UnixListener, StartError> {
    let address = path.display().to_string();
    let source = match UnixListener::bind(path) {
        Ok(socket) => return Ok(socket),
        Err(source) => source,
    };
    if source.kind() != ErrorKind::AddrInUse {
        return Err(StartError::Bind { address, source });
    }
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    if !is_socket {
        return Err(StartError::Bind { address, source: no_socket() });
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => std::fs::remove_file(path)
            .and_then(|()| UnixListener::bind(path))
            .map_err(|source| StartError::Bind { address, source }),
        _ => Err(StartError::Taken { address }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use std::net::IpAddr;

    use super::*;

    fn tcp_of(text: &str) -> Listen {
        Listen::Tcp(vec![Address::parse(text).unwrap()])
    }

    #[test]
    fn localhost_is_both_families_on_one_port() {
        let addresses = bind(&tcp_of("localhost:0")).unwrap().addresses();
        assert_eq!(addresses[0].ip(), IpAddr::from(Ipv4Addr::LOCALHOST));
        assert!(addresses.iter().all(|address| address.ip().is_loopback() && address.port() == addresses[0].port()));
    }

    #[test]
    fn only_a_dead_socket_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        std::fs::write(&path, "precious").unwrap();
        assert!(matches!(unix(&path), Err(StartError::Bind { .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        std::fs::remove_file(&path).unwrap();
        let live = unix(&path).unwrap();
        assert!(matches!(unix(&path), Err(StartError::Taken { .. })));
        drop(live);
        unix(&path).unwrap();
    }

    #[test]
    fn a_port_that_is_taken_is_named() {
        let first = bind(&tcp_of("127.0.0.1:0")).unwrap();
        let taken = first.addresses()[0].to_string();
        let error = bind(&tcp_of(&taken)).unwrap_err().to_string();
        assert!(error.contains(&taken) && error.contains("REGISTRY_HTTP_ADDR"), "{error}");
    }
}
