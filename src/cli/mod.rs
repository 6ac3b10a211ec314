//! The commands, one file each.

mod access;
mod config;
mod events;
mod fetch;
mod foreground;
mod fsck;
mod gc;
mod healthcheck;
mod htpasswd;
mod log_line;
mod log_writer;
mod logging;
mod maintenance;
mod output;
mod progress_bar;
mod reload;
mod retention;
mod run;
mod serve;
mod throwaway;
mod token;
mod upstream;
mod user;

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::config::Sources;

/// An OCI container registry in one small binary, a replacement for registry:2.
///
/// Without a command, wharf serves. Without settings, it is an open registry on localhost:5000 with its store in
/// ./data.
#[derive(Debug, Parser)]
#[command(name = "wharf", version, args_conflicts_with_subcommands = true, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::Serve,
}

const AFTER_HELP: &str = "Settings come from the defaults, then a file, then REGISTRY_* variables, then options; `wharf config \
                          show` prints them all with the source of each.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the version
    Version,
    /// Serve the registry; the default command
    Serve(serve::Serve),
    /// Run a command beside a registry in memory, whose address it finds in `WHARF_REGISTRY`
    Run(run::Run),
    /// Check or show the settings
    Config {
        #[command(subcommand)]
        command: config::ConfigCommand,
    },
    /// Add, change, remove, list or check the users of an htpasswd file
    User {
        #[command(subcommand)]
        command: user::UserCommand,
    },
    /// Inspect tokens, list and revoke identity tokens, replace the signing key
    Token {
        #[command(subcommand)]
        command: token::TokenCommand,
    },
    /// Explain what a user may do
    Access {
        #[command(subcommand)]
        command: access::AccessCommand,
    },
    /// Ask a running registry for its health: exit code 0 if it is healthy, else 1
    Healthcheck(healthcheck::Healthcheck),
    /// Check the whole store, with or without a running server
    Fsck(fsck::Fsck),
    /// Remove content that nothing refers to, with or without a running server
    Gc(gc::Gc),
    /// The same, with the name and the arguments of registry:2
    GarbageCollect(gc::GarbageCollect),
    /// Remove tags by the rules of retention, with or without a running server
    Retention(retention::Retention),
    /// Fetch images from upstreams, with or without a running server
    Fetch(fetch::Fetch),
    /// Ask the upstreams
    Upstream {
        #[command(subcommand)]
        command: upstream::UpstreamCommand,
    },
    /// Show what waits for each endpoint of notifications, give it up, or send it now
    Events(events::Events),
}

/// The choice of the settings file.
#[derive(Clone, Debug, Args)]
struct FileArguments {
    /// The settings file: TOML, or the YAML of registry:2 [default: `$REGISTRY_CONFIGURATION_PATH`, else
    /// ./registry.toml if it exists]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The same, as an option
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    config: Option<PathBuf>,
}

impl FileArguments {
    fn is_given(&self) -> bool {
        self.file.is_some() || self.config.is_some()
    }

    fn sources(&self) -> Sources {
        Sources::of_process(self.config.clone().or_else(|| self.file.clone()))
    }
}

/// The result of a command: its exit code, or the error to print before exit code 1.
type CommandResult = Result<ExitCode, Box<dyn Error>>;

/// The exit code for a wrong command line, the same as clap's.
const MISUSED: u8 = 2;

/// The commands and their descriptions, one per line.
fn commands() -> String {
    let cli = Cli::command();
    let shown = cli.get_subcommands().filter(|command| !command.is_hide_set());
    let line = |command: &clap::Command| {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        format!("  {:<16} {about}", command.get_name())
    };
    let lines: Vec<_> = shown.map(line).collect();
    format!("the commands are:\n{}", lines.join("\n"))
}

/// The definition of the command line, from which man pages and completions are made.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command that the arguments of this process name.
#[must_use]
pub fn run() -> ExitCode {
    if htpasswd::is_meant() {
        return htpasswd::run();
    }
    let cli = Cli::parse();
    let code = run_command(cli);
    logging::flush();
    code
}

fn run_command(cli: Cli) -> ExitCode {
    if let (None, Some(word)) = (&cli.command, cli.serve.word_without_file()) {
        output::complain(&format_args!("`{word}` is not a command, and no file has this name\n{}", commands()));
        return ExitCode::from(MISUSED);
    }
    let outcome = match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Version => Ok(output::answer(concat!("wharf ", env!("CARGO_PKG_VERSION"), "\n"))),
        Command::Serve(command) => command.run(),
        Command::Run(command) => command.run(),
        Command::Config { command } => command.run(),
        Command::User { command } => command.run(),
        Command::Token { command } => command.run(),
        Command::Access { command } => command.run(),
        Command::Healthcheck(command) => command.run(),
        Command::Fsck(command) => Ok(command.run()),
        Command::Gc(command) => command.run(),
        Command::Retention(command) => command.run(),
        Command::Fetch(command) => command.run(),
        Command::Upstream { command } => command.run(),
        Command::Events(command) => command.run(),
        Command::GarbageCollect(command) => command.run(),
    };
    outcome.unwrap_or_else(|error| {
        output::complain(&error);
        ExitCode::FAILURE
    })
}
