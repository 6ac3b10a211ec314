//! A server in the foreground, from its start to the signal that ends it.

use std::{
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
};

use super::{logging, output, rules::Rules};
use crate::{
    config::{Loaded, Sources},
    server::{self, Server, systemd},
};

/// How often the settings are looked at, whether their rules have changed.
const INTERVAL: Duration = Duration::from_secs(1);

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
        output::complain(&error);
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
            match tokio::time::timeout(INTERVAL, signals.next()).await {
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

/// Says, whole or not at all, where the server is.
fn write_ready_file(server: &Server, path: Option<&Path>) -> io::Result<()> {
    let Some(path) = path else { return Ok(()) };
    let named = |error: io::Error| {
        io::Error::new(error.kind(), format!("can't write --ready-file {}: {error}", path.display()))
    };
    let addr = server.addresses().first().map(ToString::to_string);
    let ready = serde_json::json!({ "addr": addr, "pid": std::process::id() });
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().permissions(readable()).tempfile_in(folder).map_err(named)?;
    writeln!(file, "{ready}").map_err(named)?;
    file.persist(path).map_err(|error| named(error.error))?;
    Ok(())
}

/// Whoever waits for the file may be another user.
fn readable() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o644)
}
