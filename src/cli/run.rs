//! `wharf run`.

use std::{
    io::{self, IsTerminal as _},
    os::unix::process::ExitStatusExt as _,
    path::PathBuf,
    process::{Child, Command, ExitCode, ExitStatus},
};

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use super::{CommandResult, logging, output, throwaway::Throwaway};
use crate::{config::Sources, server};

/// The variable of the command with the address of the registry, `127.0.0.1:PORT`.
const ADDRESS: &str = "WHARF_REGISTRY";

/// The exit codes of a shell for a command that can't be run, and for one that does not exist.
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// Run a command beside a registry.
#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    throwaway: Throwaway,
    /// The settings file [default: `$REGISTRY_CONFIGURATION_PATH`; ./registry.toml is not read]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl Run {
    /// Serves a store in memory on a free port, runs the command, and returns its exit code.
    pub(super) fn run(self) -> CommandResult {
        // The command's output is not mixed with a log that nobody asked for.
        let level = std::env::var_os("REGISTRY_LOG_LEVEL").is_none().then(|| ("run", "log.level", "warn".to_owned()));
        // The file in this directory is that of a registry that lasts: with its certificates, ports and notifications.
        let mut sources = Sources { named_file_only: true, ..Sources::of_process(self.config) };
        sources.flags.extend(level);
        sources.flags.push(("run", "http.addr", "127.0.0.1:0".to_owned()));
        sources.flags.push(("run", "storage", "inmemory".to_owned()));
        let _users = self.throwaway.users(&mut sources)?;
        let loaded = sources.load()?;
        logging::start(&loaded.config.log);
        let archives = self.throwaway.archives()?;
        let server = server::start_with(loaded.config, archives)?;
        let address = format!("127.0.0.1:{}", server.port());
        let code = run(&self.command, &address);
        server.stop();
        Ok(code?)
    }
}

fn run(command: &[String], address: &str) -> io::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let Some((program, arguments)) = command.split_first() else { return Ok(ExitCode::SUCCESS) };
    let status = runtime.block_on(async {
        let signals = Signals::new()?;
        let child = Command::new(program).args(arguments).env(ADDRESS, address).spawn();
        match child {
            Ok(child) => signals.pass_to(child).await.map(Ok),
            Err(error) => Ok(Err(error)),
        }
    })?;
    Ok(ExitCode::from(match status {
        Ok(status) => exit_code(status),
        Err(error) => {
            output::complain(&format_args!("can't run `{program}`: {error}"));
            if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE }
        }
    }))
}

/// The exit code, or that of a shell for a command that a signal ended.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// The signals that are passed to the command, and the one that tells of its end.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
    child: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            child: signal(SignalKind::child())?,
        })
    }

    /// Passes signals to the command until it ends.
    async fn pass_to(mut self, mut child: Child) -> io::Result<ExitStatus> {
        // A terminal sends its Ctrl-C to the command as well.
        let has_terminal = io::stdin().is_terminal();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            let signal = tokio::select! {
                _ = self.child.recv() => None,
                _ = self.terminate.recv() => Some(Signal::TERM),
                _ = self.interrupt.recv() => Some(Signal::INT).filter(|_| !has_terminal),
                _ = self.hangup.recv() => Some(Signal::HUP),
            };
            let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            if let (Some(signal), Some(pid)) = (signal, pid) {
                // The command has not been waited for, so the number is still its own.
                kill_process(pid, signal)?;
            }
        }
    }
}
