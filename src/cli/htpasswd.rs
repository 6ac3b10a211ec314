//! `htpasswd`: the image has this binary under that name too. It has the options of Apache's program that make bcrypt
//! hashes.

use std::{env, path::Path, process::ExitCode};

use clap::{CommandFactory, Parser, error::ErrorKind};

use super::output;
use super::user::{UserError, new_password};
use crate::auth::{PasswordFile, PasswordFileError, Secret, password_line};

const NAME: &str = "htpasswd";
const USAGE: &str = "htpasswd [-Bci] [-C COST] FILE USER
       htpasswd -b[Bc] [-C COST] FILE USER PASSWORD
       htpasswd -n[Bi] [-C COST] USER
       htpasswd -nb[B] [-C COST] USER PASSWORD";

/// Write the file of users that a registry reads, or print one line of it. All hashes are bcrypt.
#[derive(Debug, Parser)]
#[command(name = NAME, override_usage = USAGE)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option without a value")]
struct Htpasswd {
    /// Make a bcrypt hash; this is the default
    #[arg(short = 'B')]
    _bcrypt: bool,
    /// Take the password from the command line; it is visible in the list of processes
    #[arg(short, conflicts_with = "stdin")]
    batch: bool,
    /// Print the line instead of writing a file
    #[arg(short = 'n', conflicts_with = "create")]
    print: bool,
    /// Read the password from standard input
    #[arg(short = 'i')]
    stdin: bool,
    /// Create the file, and replace it if it exists
    #[arg(short)]
    create: bool,
    /// The cost of the hash; each step doubles the work
    #[arg(short = 'C', default_value_t = 10, value_parser = clap::value_parser!(u32).range(4..=14))]
    cost: u32,
    #[arg(short = 'm', short_aliases = ['2', '5', 'd', 's', 'p'], hide = true)]
    other_hash: bool,
    #[arg(short = 'D', short_alias = 'v', hide = true)]
    other_work: bool,
    /// File, user and password, depending on the options
    #[arg(value_name = "ARGUMENT", trailing_var_arg = true)]
    words: Vec<String>,
}

/// The line of the file to write.
#[derive(Debug, PartialEq)]
struct Line<'a> {
    /// `None`: print the line.
    file: Option<&'a Path>,
    user: &'a str,
    /// `None`: ask for it.
    password: Option<&'a str>,
}

/// Whether this process was started under that name.
pub(super) fn is_meant() -> bool {
    env::args_os().next().is_some_and(|program| Path::new(&program).file_name().is_some_and(|name| name == NAME))
}

/// Exit code 0 on success, 2 for wrong arguments, else 1.
pub(super) fn run() -> ExitCode {
    let arguments = Htpasswd::parse();
    let line = match arguments.line() {
        Ok(line) => line,
        Err(problem) => Htpasswd::command().error(ErrorKind::InvalidValue, problem).exit(),
    };
    arguments.make(&line).unwrap_or_else(|error| {
        output::complain(&error);
        ExitCode::FAILURE
    })
}

impl Htpasswd {
    /// The meaning of the positional arguments, which depends on the options.
    fn line(&self) -> Result<Line<'_>, String> {
        if self.other_hash {
            return Err("bcrypt is the only supported hash: use -B".to_owned());
        }
        if self.other_work {
            return Err("`wharf user` removes users and checks passwords".to_owned());
        }
        let (file, words) = match (self.print, &*self.words) {
            (false, [file, words @ ..]) => (Some(Path::new(file)), words),
            (_, words) => (None, words),
        };
        match (self.batch, words) {
            (true, [user, password]) => Ok(Line { file, user, password: Some(password) }),
            (false, [user]) => Ok(Line { file, user, password: None }),
            (true, [_]) => Err("-b needs the password after the user".to_owned()),
            (false, [_, _]) => Err("a password is taken from the command line only with -b".to_owned()),
            (_, []) if self.print => Err("the user is missing".to_owned()),
            (_, []) => Err("the file and the user are missing, or the user: -n prints without a file".to_owned()),
            (_, _) => Err("there are too many arguments".to_owned()),
        }
    }

    fn make(&self, line: &Line) -> Result<ExitCode, UserError> {
        let password = match line.password {
            Some(password) => Secret::new(password),
            None => new_password(self.stdin)?,
        };
        match line.file {
            // Apache's program ends with an empty line too.
            None => Ok(output::answer(&(password_line(line.user, &password, self.cost)? + "\n\n"))),
            Some(path) => self.write(path, line.user, &password).map_err(UserError::from),
        }
    }

    fn write(&self, path: &Path, user: &str, password: &Secret) -> Result<ExitCode, PasswordFileError> {
        let file = if self.create { PasswordFile::begin(path) } else { PasswordFile::open(path)? };
        let mut file = file.with_cost(self.cost);
        let done = if file.has(user) { "Updating" } else { "Adding" };
        if file.has(user) {
            file.change(user, password)?;
        } else {
            file.add(user, password)?;
        }
        output::complain(&format_args!("{done} password for user {user}"));
        Ok(ExitCode::SUCCESS)
    }
}
