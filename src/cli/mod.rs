//! The commands, one file each.

mod access;
mod any_certificate;
mod config;
mod foreground;
mod fsck;
mod gc;
mod healthcheck;
mod htpasswd;
mod http_get;
mod log_line;
mod log_writer;
mod logging;
mod maintenance;
mod output;
mod progress;
mod reload;
mod serve;
mod token;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::config::Sources;

/// An OCI container registry in one small binary, in the place of registry:2.
///
/// Without a command it serves: `wharf` alone is an open registry on localhost:5000 with its store in ./data.
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
    /// Serve the registry (what wharf does without a command)
    Serve(serve::Serve),
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
    /// Look at tokens, revoke identity tokens, change the signing key
    Token {
        #[command(subcommand)]
        command: token::TokenCommand,
    },
    /// Say who may do what
    Access {
        #[command(subcommand)]
        command: access::AccessCommand,
    },
    /// Ask a running registry whether it is well: exit code 0 if it is, else 1
    Healthcheck(healthcheck::Healthcheck),
    /// Check the whole store, while a server runs on it or not
    Fsck(fsck::Fsck),
    /// Take away what nothing refers to, while a server runs on the store or not
    Gc(gc::Gc),
    /// The same, with the name and the arguments that registry:2 has for it
    GarbageCollect(gc::GarbageCollect),
}

/// Which settings file.
#[derive(Clone, Debug, Args)]
struct FileArguments {
    /// The settings file: TOML, or YAML as registry:2 has it [default: `$REGISTRY_CONFIGURATION_PATH`, else ./registry.toml if
    /// there is one]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The same, as an option
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    config: Option<PathBuf>,
}

impl FileArguments {
    fn sources(&self) -> Sources {
        Sources::of_process(self.config.clone().or_else(|| self.file.clone()))
    }
}

/// The exit code of a command line that can't be understood, as clap has it.
const MISUSED: u8 = 2;

/// The commands, one a line, with what they do.
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
        output::complain(&format_args!("`{word}` is no command, and there is no file of this name\n{}", commands()));
        return ExitCode::from(MISUSED);
    }
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Version => output::answer(concat!("wharf ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Serve(command) => command.run(),
        Command::Config { command } => command.run(),
        Command::User { command } => command.run(),
        Command::Token { command } => command.run(),
        Command::Access { command } => command.run(),
        Command::Healthcheck(command) => command.run(),
        Command::Fsck(command) => command.run(),
        Command::Gc(command) => command.run(),
        Command::GarbageCollect(command) => command.run(),
    }
}
