//! A server in the foreground, from its start to the signal that stops it.

use std::{io, path::Path, process::ExitCode};

use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
};

use super::{CommandResult, logging, reload::Rules};
use crate::{
    archive::Archive,
    config::{Loaded, Sources},
    files::{self, FileError, POLL_INTERVAL},
    server::{self, Server, systemd},
};

/// Serves until SIGTERM or SIGINT, then waits for requests in progress; a second signal ends the process at once.
/// SIGHUP, or a change of the settings file, puts changed rules in force.
pub(super) fn serve(
    sources: Sources,
    loaded: Loaded,
    archives: Vec<Archive>,
    ready_file: Option<&Path>,
) -> CommandResult {
    let rules = Rules::new(sources, loaded.file);
    // Signals are handled before the server starts, so that none is missed.
    let (runtime, signals) = listen_for_signals()?;
    let server = server::start_with(loaded.config, archives)?;
    write_ready_file(&server, ready_file).map_err(|error| format!("--ready-file {error}"))?;
    systemd::notify_ready();
    follow_signals(&runtime, signals, server, rules);
    Ok(ExitCode::SUCCESS)
}

fn listen_for_signals() -> io::Result<(Runtime, Signals)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let signals = {
        let _inside = runtime.enter();
        Signals::new()?
    };
    Ok((runtime, signals))
}

fn follow_signals(runtime: &Runtime, mut signals: Signals, server: Server, mut rules: Rules) {
    runtime.block_on(async {
        loop {
            match tokio::time::timeout(POLL_INTERVAL, signals.next()).await {
                Ok(Request::Stop) => break,
                Ok(Request::Reload) => rules.reload(&server),
                Err(_) => rules.reload_if_changed(&server),
            }
        }
        tracing::info!("stopping: requests in progress may end; a second signal stops at once");
        let stopping = tokio::task::spawn_blocking(move || server.stop());
        tokio::select! {
            _ = stopping => tracing::info!("stopped"),
            () = signals.stop() => {
                tracing::warn!("stopped at once");
                logging::flush();
                std::process::exit(1);
            }
        }
    });
}

/// The signals that are handled.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Request {
        tokio::select! {
            _ = self.terminate.recv() => Request::Stop,
            _ = self.interrupt.recv() => Request::Stop,
            _ = self.hangup.recv() => Request::Reload,
        }
    }

    async fn stop(&mut self) {
        while self.next().await != Request::Stop {}
    }
}

/// The meaning of a signal.
#[derive(PartialEq, Eq)]
enum Request {
    Stop,
    Reload,
}

/// Writes the address and the process ID of the server.
fn write_ready_file(server: &Server, path: Option<&Path>) -> Result<(), FileError> {
    let Some(path) = path else { return Ok(()) };
    let addr = server.addresses().first().map(ToString::to_string);
    let ready = serde_json::json!({ "addr": addr, "pid": std::process::id() });
    // The reader of the file may be another user.
    files::publish(path, format!("{ready}\n").as_bytes())
}
