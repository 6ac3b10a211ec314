//! The socket through which a command asks the server that has the store.
//!
//! The socket is in the store, so that a command finds the server by the path of the store. A command sends one line of
//! JSON ([`Request`]). The server answers with lines of JSON ([`Answer`]); the last one is a report or a refusal. If
//! the command disconnects, the server ends the work.

use std::{
    fs::File,
    io,
    os::{fd::AsRawFd as _, unix::net::UnixStream as Connection},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream, unix::OwnedWriteHalf},
    sync::mpsc::{self, Receiver},
};

use crate::{
    config::{Config, Store},
    files,
    notify::{EventsReport, EventsRequest, Notifier},
    registry::{Collection, ImageName, Inspection, Registry, RetentionRun},
    storage::OWN_PREFIX,
};

/// The longest request, in bytes.
const REQUEST: u64 = 4096;

/// How long a command may read nothing before it counts as disconnected.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many events may wait for a command that reads slowly.
const EVENTS: usize = 64;

/// The request of a command.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase")]
pub(crate) enum Request {
    /// A garbage collection.
    Collect(Collection),
    /// A check of the whole store.
    Fsck(Inspection),
    /// A run of retention.
    Retain(RetentionRun),
    /// An image that is to be fetched from an upstream.
    Fetch {
        /// Its name.
        image: ImageName,
    },
    /// What waits to be reported.
    Events(EventsRequest),
}

/// A line of what a server answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer<E, R> {
    /// Something happened.
    Event(E),
    /// All is done.
    Report(R),
    /// It can't be done, in words for the operator.
    Refused(String),
}

/// The socket of a server. It is taken away when this is dropped.
#[derive(Debug)]
pub(super) struct ControlSocket {
    listener: UnixListener,
    directory: Directory,
}

/// The longest path of a directory that a socket can be in, less its name: the system takes 107 bytes.
const SOCKET_PATH: usize = 98;

/// The directory of the socket, open: where its own path is too long, there is a shorter one to what is open.
#[derive(Debug)]
struct Directory {
    path: PathBuf,
    file: File,
}

impl Directory {
    fn open(root: &Path) -> io::Result<Self> {
        let path = root.join(OWN_PREFIX);
        Ok(Self { file: File::open(&path)?, path })
    }

    fn socket(&self) -> PathBuf {
        let is_short = self.path.as_os_str().len() < SOCKET_PATH;
        let directory =
            if is_short { self.path.clone() } else { format!("/proc/self/fd/{}", self.file.as_raw_fd()).into() };
        directory.join("control")
    }
}

/// The socket of the server that has the store at `root`; `None` if there is no such server.
///
/// # Errors
/// The error of the connection.
pub(crate) fn connect(root: &Path) -> io::Result<Option<Connection>> {
    let connected = Directory::open(root).and_then(|directory| Connection::connect(directory.socket()));
    match connected {
        Ok(connection) => Ok(Some(connection)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the socket, if there is a place for one: a store that is written to.
pub(super) fn open(config: &Config, registry: &Registry) -> Option<ControlSocket> {
    let Store::Filesystem { root } = &config.storage.store else { return None };
    if registry.is_read_only() {
        return None;
    }
    let opened = Directory::open(root).and_then(|directory| {
        // The store is locked, so a socket that exists was left by a killed process.
        Ok(ControlSocket { listener: files::bind(&directory.socket())?, directory })
    });
    opened.inspect_err(|error| tracing::warn!(%error, "commands such as `wharf gc` can't ask this server: its socket in the store can't be made")).ok()
}

impl ControlSocket {
    /// Answers commands for as long as the server runs.
    pub(super) async fn follow(self, registry: Registry, notifier: Option<Arc<Notifier>>) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) if is_trusted(&stream) => {
                    let (registry, notifier) = (registry.clone(), notifier.clone());
                    tokio::spawn(Box::pin(answer(stream, registry, notifier)));
                }
                Ok(_) => tracing::warn!("a command of another user was turned away from the store's socket"),
                // Out of descriptors, as a rule: they come back.
                Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // A command that still finds the file is refused, and so learns that no server listens.
        let _ = files::remove(&self.directory.socket());
    }
}

/// Whether the command is run by this server's user, or by root.
fn is_trusted(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
}

async fn answer(stream: UnixStream, registry: Registry, notifier: Option<Arc<Notifier>>) {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = BufReader::new(read.take(REQUEST));
    if read.read_line(&mut line).await.is_err() {
        return;
    }
    match serde_json::from_str(&line) {
        Ok(Request::Collect(collection)) => {
            let (sender, events) = mpsc::channel(EVENTS);
            let work = async { registry.collect(collection, sender).await };
            relay(&mut write, events, work).await;
        }
        Ok(Request::Fsck(inspection)) => {
            let (sender, events) = mpsc::channel(EVENTS);
            let work = async { registry.fsck(inspection, sender).await };
            relay(&mut write, events, work).await;
        }
        Ok(Request::Retain(run)) => {
            let (sender, events) = mpsc::channel(EVENTS);
            relay(&mut write, events, async { registry.retain(run, sender).await }).await;
        }
        Ok(Request::Fetch { image }) => {
            let (_, events) = mpsc::channel::<()>(1);
            relay(&mut write, events, registry.fetch(&image)).await;
        }
        Ok(Request::Events(request)) => {
            let answered = match notifier {
                Some(notifier) => notifier.answer(&request),
                None => Ok(EventsReport::default()),
            };
            let (_, events) = mpsc::channel::<()>(1);
            relay(&mut write, events, async { answered }).await;
        }
        Err(_) => {
            let refused =
                "this server does not know that command: it is of another version than the command".to_owned();
            let _ = say(&mut write, &Answer::<(), ()>::Refused(refused)).await;
        }
    }
}

/// Passes on what happens, and how it ends. If nobody reads that any more, `events` are dropped, and the work notices.
async fn relay<E: Serialize, R: Serialize, X: std::fmt::Display>(
    write: &mut OwnedWriteHalf,
    events: Receiver<E>,
    work: impl Future<Output = Result<R, X>>,
) {
    let passing_on = async {
        let mut events = events;
        while let Some(event) = events.recv().await {
            if say(write, &Answer::<E, ()>::Event(event)).await.is_err() {
                return;
            }
        }
    };
    let (done, ()) = tokio::join!(work, passing_on);
    let end = match done {
        Ok(report) => Answer::<(), R>::Report(report),
        Err(error) => Answer::Refused(error.to_string()),
    };
    let _ = say(write, &end).await;
}

async fn say(write: &mut OwnedWriteHalf, answer: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    // One who reads nothing any more must not hold up what it asked for, nor what others ask.
    tokio::time::timeout(PATIENCE, write.write_all(&line)).await?
}

/// Asks the server at the other end of `connection`, and hands each event to `tell`; its report, or in words why there
/// is none.
///
/// # Errors
/// The refusal of the server, or that it disconnected.
pub(crate) fn ask<E: DeserializeOwned, R: DeserializeOwned>(
    mut connection: Connection,
    request: &Request,
    mut tell: impl FnMut(E),
) -> Result<R, String> {
    use io::{BufRead as _, Write as _};
    let lost = |error: io::Error| format!("the server that has the store can't be asked: {error}");
    let line = serde_json::to_string(request).map_err(|error| lost(error.into()))?;
    writeln!(connection, "{line}").map_err(lost)?;
    for line in io::BufReader::new(connection).lines() {
        match serde_json::from_str(&line.map_err(lost)?).map_err(|error| lost(error.into()))? {
            Answer::Event(event) => tell(event),
            Answer::Report(report) => return Ok(report),
            Answer::Refused(why) => return Err(why),
        }
    }
    Err("the server that has the store went away before it was done".to_owned())
}
