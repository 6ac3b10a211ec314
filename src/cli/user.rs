//! `wharf user`: the users of an htpasswd file.

use std::{
    io::{self, BufRead},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Subcommand};

use super::{CommandResult, output};
use crate::auth::{PasswordFile, PasswordFileError, Secret};

/// Add, change, remove, list or check the users of an htpasswd file.
#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Add a user; the file is created if it does not exist
    Add(OneUser),
    /// Change the password of a user
    Passwd(OneUser),
    /// Remove a user
    Remove {
        #[command(flatten)]
        file: UserFile,
        /// The name of the user
        user: String,
    },
    /// Print the names of all users, one per line
    List(UserFile),
    /// Check a password: exit code 0 if it is right, else 1
    Check(OneUser),
}

/// The choice of the htpasswd file.
#[derive(Debug, Args)]
pub(super) struct UserFile {
    /// The htpasswd file
    #[arg(long, short, value_name = "FILE")]
    file: PathBuf,
}

/// A user, the file, and the source of the password.
#[derive(Debug, Args)]
pub(super) struct OneUser {
    #[command(flatten)]
    file: UserFile,
    /// The name of the user
    user: String,
    /// Read the password from standard input instead of asking for it
    #[arg(long)]
    password_stdin: bool,
}

impl UserCommand {
    pub(super) fn run(self) -> CommandResult {
        match self {
            Self::Add(one) => {
                let mut file = PasswordFile::open_or_begin(&one.file.file)?;
                file.add(&one.user, &one.new_password()?)?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Passwd(one) => {
                let mut file = PasswordFile::open(&one.file.file)?;
                file.change(&one.user, &one.new_password()?)?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Remove { file, user } => {
                PasswordFile::open(&file.file)?.remove(&user)?;
                Ok(ExitCode::SUCCESS)
            }
            Self::List(file) => Ok(list(&PasswordFile::open(&file.file)?)),
            Self::Check(one) => Ok(one.check()?),
        }
    }
}

/// Errors of the commands that read or write an htpasswd file.
#[derive(Debug, thiserror::Error)]
pub(super) enum UserError {
    #[error(transparent)]
    File(#[from] PasswordFileError),
    #[error("the password can't be read: {0}; without a terminal, use --password-stdin")]
    Input(#[from] io::Error),
    #[error("the two passwords differ")]
    Mismatch,
}

impl OneUser {
    fn new_password(&self) -> Result<Secret, UserError> {
        new_password(self.password_stdin)
    }

    fn check(&self) -> Result<ExitCode, UserError> {
        let file = PasswordFile::open(&self.file.file)?;
        let password = password(self.password_stdin, "Password: ")?;
        for warning in file.warnings() {
            output::complain(&format_args!("warning: {warning}"));
        }
        if file.check(&self.user, &password) {
            return Ok(output::answer("the password is right\n"));
        }
        output::complain(&"the user does not exist, or the password is wrong");
        Ok(ExitCode::FAILURE)
    }
}

/// A new password. On a terminal it is typed twice.
pub(super) fn new_password(from_stdin: bool) -> Result<Secret, UserError> {
    let first = password(from_stdin, "New password: ")?;
    if !from_stdin && !first.same_as(password(from_stdin, "Once more: ")?.reveal()) {
        return Err(UserError::Mismatch);
    }
    Ok(first)
}

fn password(from_stdin: bool, prompt: &str) -> Result<Secret, UserError> {
    let typed = if from_stdin { first_line(&mut io::stdin().lock())? } else { rpassword::prompt_password(prompt)? };
    Ok(Secret::new(typed))
}

fn list(file: &PasswordFile) -> ExitCode {
    output::answer(&file.users().into_iter().map(|user| user + "\n").collect::<String>())
}

/// The first line without its line break, which most pipes add and which is not part of the password.
fn first_line(input: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    let line = line.strip_suffix('\n').unwrap_or(&line);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

    use super::*;

    #[test]
    fn the_end_of_a_line_is_no_part_of_a_password() {
        for (input, expected) in [
            ("pw\n", "pw"),
            ("pw\r\n", "pw"),
            ("pw", "pw"),
            ("pw \n", "pw "),
            ("pw\nmore\n", "pw"),
            ("\n", ""),
            ("", ""),
        ] {
            assert_eq!(first_line(&mut input.as_bytes()).unwrap(), expected, "{input:?}");
        }
    }
}
