//! A server in the foreground, from its start to the signal that ends it.

use std::{
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::output;
use crate::{
    config::Config,
    server::{self, Server},
};

/// Serves until SIGTERM or SIGINT, and then lets what is under way end; a second signal ends it at once.
pub(super) fn until_told_to_stop(config: Config, ready_file: Option<&Path>) -> ExitCode {
    let server = match server::start(config) {
        Ok(server) => server,
        Err(error) => {
            output::complain(&error);
            return ExitCode::FAILURE;
        }
    };
    let served = write_ready_file(&server, ready_file).and_then(|()| wait_for_signals(server));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn wait_for_signals(server: Server) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = {
        let _inside = runtime.enter();
        Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? }
    };
    runtime.block_on(async {
        signals.next().await;
        tracing::info!("told to stop: what is under way may end; a second signal ends it at once");
        let stopping = tokio::task::spawn_blocking(move || server.stop());
        tokio::select! {
            _ = stopping => tracing::info!("stopped"),
            () = signals.next() => {
                tracing::warn!("stopped at once");
                std::process::exit(1);
            }
        }
    });
    Ok(())
}

/// The signals that mean the end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => (),
            _ = self.interrupt.recv() => (),
        }
    }
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
