//! The protocols between systemd and a service: sockets that systemd opened before the start (`sd_listen_fds(3)`), and
//! the message that the service is ready (`sd_notify(3)`). Without the variables of these protocols, this module does
//! nothing.

use std::{
    env, io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
    sync::atomic::{AtomicBool, Ordering},
};

use listenfd::ListenFd;

use super::{StartError, listen::Sockets};

/// The sockets that systemd opened for this process, TCP and Unix; `None` if there are none.
///
/// Only the first call gets them. A second server of the same process opens its own.
///
/// # Errors
/// [`StartError::Listen`] if one is not a stream socket.
pub(super) fn sockets() -> Result<Option<Sockets>, StartError> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let mut passed = ListenFd::from_env();
    if passed.len() == 0 || TAKEN.swap(true, Ordering::Relaxed) {
        return Ok(None);
    }
    let mut sockets = Sockets { tcp: Vec::new(), unix: Vec::new() };
    for index in 0..passed.len() {
        match passed.take_unix_listener(index) {
            Ok(socket) => sockets.unix.extend(socket),
            Err(_) => sockets.tcp.extend(passed.take_tcp_listener(index).map_err(StartError::Listen)?),
        }
    }
    tracing::info!("systemd opened the sockets: http.addr and http.net are not used");
    Ok(Some(sockets))
}

/// Tells systemd that connections are accepted, for units of `Type=notify`.
pub(crate) fn notify_ready() {
    if let Err(error) = send("READY=1") {
        tracing::warn!(%error, "systemd can't be told that wharf is ready");
    }
}

fn send(state: &str) -> io::Result<()> {
    let Some(name) = env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(&name)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address)?;
    Ok(())
}
