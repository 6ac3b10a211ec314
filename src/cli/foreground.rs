//! A server in the foreground, from its start to the signal that ends it.

use std::{io, path::Path, process::ExitCode};

use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
};

use super::{logging, output, reload::Rules};
use crate::{
    config::{Loaded, Sources},
    files::{self, FileError, POLL_INTERVAL},
    server::{self, Server, systemd},
};

/// Serves until SIGTERM or SIGINT, and then lets what is under way end; a second signal ends it at once. SIGHUP, or a change of the settings' file,
/// puts changed rules in force.
pub(super) fn until_told_to_stop(sources: Sources, loaded: Loaded, ready_file: Option<&Path>) -> ExitCode {
    let rules = Rules::new(sources, loaded.file);
    // Signals are listened for before anybody can know that there is something to stop.
    let (runtime, signals) = match listen_for_signals() {
        Ok(both) => both,
        Err(error) => {
            output::complain(&error);
            return ExitCode::FAILURE;
        }
    };
    let server = match server::start(loaded.config) {
        Ok(server) => server,
        Err(error) => {
            output::complain(&error);
            return ExitCode::FAILURE;
        }
    };
    if let Err(error) = write_ready_file(&server, ready_file) {
        output::complain(&format_args!("--ready-file {error}"));
        return ExitCode::FAILURE;
    }
    systemd::notify_ready();
    follow_signals(&runtime, signals, server, rules);
    ExitCode::SUCCESS
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
                Ok(Told::Stop) => break,
                Ok(Told::Reload) => rules.reload(&server),
                Err(_) => rules.reload_if_changed(&server),
            }
        }
        tracing::info!("told to stop: what is under way may end; a second signal ends it at once");
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

/// The signals that are listened for.
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

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.hangup.recv() => Told::Reload,
        }
    }

    async fn stop(&mut self) {
        while self.next().await != Told::Stop {}
    }
}

/// What a signal means.
#[derive(PartialEq, Eq)]
enum Told {
    Stop,
    Reload,
}

/// Says where the server is.
fn write_ready_file(server: &Server, path: Option<&Path>) -> Result<(), FileError> {
    let Some(path) = path else { return Ok(()) };
    let addr = server.addresses().first().map(ToString::to_string);
    let ready = serde_json::json!({ "addr": addr, "pid": std::process::id() });
    // The reader of the file may be another user.
    files::publish(path, format!("{ready}\n").as_bytes())
}
