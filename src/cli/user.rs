//! `wharf user`: the people in an htpasswd file.

use std::{
    io::{self, BufRead},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Subcommand};

use super::output;
use crate::auth::{PasswordFile, PasswordFileError, Secret};

/// Add, change, remove, list or check the users of an htpasswd file.
#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Add a user; begins the file if there is none
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
    /// Print the names of all users, one a line
    List(UserFile),
    /// Try a password: exit code 0 if it is right, else 1
    Check(OneUser),
}

/// Which file.
#[derive(Debug, Args)]
pub(super) struct UserFile {
    /// The htpasswd file
    #[arg(long, short, value_name = "FILE")]
    file: PathBuf,
}

/// Which user of which file, and where the password comes from.
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
    pub(super) fn run(self) -> ExitCode {
        match self.execute() {
            Ok(code) => code,
            Err(error) => {
                output::complain(&error);
                ExitCode::FAILURE
            }
        }
    }

    fn execute(self) -> Result<ExitCode, UserError> {
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
            Self::Check(one) => one.check(),
        }
    }
}

/// Why a command did nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum UserError {
    #[error(transparent)]
    File(#[from] PasswordFileError),
    #[error("the password can't be read: {0}; without a terminal, use --password-stdin")]
    Input(#[from] io::Error),
    #[error("the two passwords are not the same")]
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
        output::complain(&"there is no such user, or the password is wrong");
        Ok(ExitCode::FAILURE)
    }
}

/// A password that is typed twice where it is typed.
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

/// The first line without its end: what a shell pipes mostly ends in one that is no part of the password.
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
