//! Sockets that are open when wharf starts, and the word that it is ready.

use std::{
    fs,
    io::Write as _,
    net::{SocketAddr, TcpListener, TcpStream},
    os::{
        fd::OwnedFd,
        linux::net::SocketAddrExt as _,
        unix::net::{self, UnixDatagram, UnixListener, UnixStream},
    },
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::support::{
    client::find,
    server::free_port,
    wait::{PATIENCE, eventually, kill, terminate},
};

/// A process that ends with the test.
struct Process(Child);

impl Process {
    fn start(command: &mut Command, directory: &Path) -> Self {
        command.current_dir(directory).env("NO_COLOR", "1");
        Self(command.stderr(fs::File::create(directory.join("log")).unwrap()).spawn().unwrap())
    }

    /// SIGTERM; the exit code.
    fn stop(mut self) -> Option<i32> {
        terminate(&mut self.0).code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        kill(&mut self.0);
    }
}

const REQUEST: &[u8] = b"GET /v2/ HTTP/1.1\r\nHost: registry\r\nConnection: close\r\n\r\n";

/// The answer to a request that was sent.
fn answer(mut stream: impl std::io::Read) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// Gives the sockets to the command that follows as systemd does: as file descriptors from 3 on.
const HAND_OVER: &str = "export LISTEN_PID=$$ LISTEN_FDS=2; exec \"$@\" 3<&0 4<&1 0</dev/null 1>/dev/null";

/// The sockets decide, whatever the settings say; a connection that was made before the start is answered.
#[test]
fn sockets_that_are_handed_over_are_listened_on() {
    let directory = tempfile::tempdir().unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let socket = directory.path().join("socket");
    let unix = UnixListener::bind(&socket).unwrap();
    let mut early = TcpStream::connect(address).unwrap();
    early.write_all(REQUEST).unwrap();
    let notified = UnixDatagram::bind(directory.path().join("notify")).unwrap();
    notified.set_read_timeout(Some(PATIENCE)).unwrap();

    let mut command = Command::new("sh");
    command.args(["-c", HAND_OVER, "sh", env!("CARGO_BIN_EXE_wharf"), "serve", "--ready-file", "ready"]);
    command.stdin(Stdio::from(OwnedFd::from(tcp))).stdout(Stdio::from(OwnedFd::from(unix)));
    command.env("REGISTRY_HTTP_ADDR", "192.0.2.1:5000").env("NOTIFY_SOCKET", directory.path().join("notify"));
    let wharf = Process::start(&mut command, directory.path());

    let mut message = [0; 64];
    let length = notified.recv(&mut message).unwrap();
    assert_eq!(&message[..length], b"READY=1");
    assert!(answer(early).starts_with("HTTP/1.1 200 OK"));
    let mut over_unix = UnixStream::connect(&socket).unwrap();
    over_unix.write_all(REQUEST).unwrap();
    assert!(answer(over_unix).starts_with("HTTP/1.1 200 OK"));
    let ready = fs::read_to_string(directory.path().join("ready")).unwrap();
    assert!(ready.contains(&address.to_string()), "{ready}");
    assert_eq!(wharf.stop(), Some(0));
    let log = fs::read_to_string(directory.path().join("log")).unwrap();
    for line in ["http.addr and http.net are not used", &format!("listening on {address}"), "listening on /"] {
        assert!(log.contains(line), "{line} is missing in:\n{log}");
    }
    assert!(socket.exists(), "a socket that wharf did not make is not wharf's to remove");
}

/// Variables that were meant for another process change nothing.
#[test]
fn the_sockets_of_another_process_are_not_taken() {
    let directory = tempfile::tempdir().unwrap();
    // systemd names such a socket where its own manager runs in a container.
    let name = format!("wharf-{}", std::process::id());
    let notified = UnixDatagram::bind_addr(&net::SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    notified.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
    command.args(["serve", "--addr", "127.0.0.1:0"]).stdin(Stdio::null());
    command.env("LISTEN_PID", "1").env("LISTEN_FDS", "1").env("NOTIFY_SOCKET", format!("@{name}"));
    let wharf = Process::start(&mut command, directory.path());
    let mut message = [0; 64];
    let length = notified.recv(&mut message).unwrap();
    assert_eq!(&message[..length], b"READY=1");
    assert_eq!(wharf.stop(), Some(0));
    let log = fs::read_to_string(directory.path().join("log")).unwrap();
    assert!(log.contains("listening on 127.0.0.1:") && !log.contains("http.net"), "{log}");
}

/// What is no socket to listen on is an error, not an open door elsewhere.
#[test]
fn what_is_no_socket_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", HAND_OVER, "sh", env!("CARGO_BIN_EXE_wharf"), "serve"]).stdin(Stdio::null());
    let output = command.stdout(Stdio::null()).current_dir(directory.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("can't listen: fd 3 is not a socket"), "{said}");
}

/// systemd's own program opens the socket and starts wharf at the first connection.
#[test]
#[ignore = "needs systemd-socket-activate: run ./test"]
fn systemd_starts_it_at_the_first_connection_needs_systemd() {
    let directory = tempfile::tempdir().unwrap();
    let address: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let mut command = Command::new(find("systemd-socket-activate"));
    command.args(["--listen", &address.to_string(), env!("CARGO_BIN_EXE_wharf"), "serve"]).stdin(Stdio::null());
    let wharf = Process::start(&mut command, directory.path());
    let mut stream = None;
    eventually("systemd's program listens", || {
        stream = TcpStream::connect(address).ok();
        stream.is_some()
    });
    let mut stream = stream.unwrap();
    stream.write_all(REQUEST).unwrap();
    assert!(answer(stream).starts_with("HTTP/1.1 200 OK"));
    let mut second = TcpStream::connect(address).unwrap();
    second.write_all(REQUEST).unwrap();
    assert!(answer(second).starts_with("HTTP/1.1 200 OK"));
    assert_eq!(wharf.stop(), Some(0));
}
