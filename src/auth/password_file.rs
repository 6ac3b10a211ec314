//! Changes an htpasswd file. Comments, the order and other users stay as they are.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{
    password_hash::{NoRandomness, hash_password},
    secret::Secret,
    users::{InvalidHtpasswd, InvalidUserName, MAX_PASSWORD_LEN, Users, check_user_name, is_checkable},
};
use crate::files::{self, FileError, FileFault};

/// The default cost of new hashes.
const COST: u32 = 12;

/// An htpasswd file that can be changed.
pub struct PasswordFile {
    path: PathBuf,
    text: String,
    users: Users,
    cost: u32,
}

/// Why an htpasswd file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordFileError {
    /// The file can't be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A line of the file is bad.
    #[error("{}, {error}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, and what is wrong.
        error: InvalidHtpasswd,
    },
    /// The name is no user name.
    #[error(transparent)]
    Name(#[from] InvalidUserName),
    /// The password is too short or too long, or has a NUL.
    #[error(
        "a password has 1 to {MAX_PASSWORD_LEN} bytes and no NUL: bcrypt looks at no more than {MAX_PASSWORD_LEN}, and \
         this one has {0}"
    )]
    Password(usize),
    /// The user exists.
    #[error("there is a user '{0}' already: change the password with 'wharf user passwd'")]
    Exists(String),
    /// The user does not exist.
    #[error("there is no user '{0}'")]
    Missing(String),
    /// There is no salt.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl PasswordFile {
    /// Reads a file.
    ///
    /// # Errors
    /// [`PasswordFileError::File`], [`PasswordFileError::Line`]
    pub fn open(path: &Path) -> Result<Self, PasswordFileError> {
        let missing = || FileError { path: path.to_owned(), fault: FileFault::Unreadable(io::ErrorKind::NotFound) };
        Self::parse(path, &files::read_if_there(path)?.ok_or_else(missing)?)
    }

    /// Reads a file, or begins one if there is none.
    ///
    /// # Errors
    /// [`PasswordFileError::File`], [`PasswordFileError::Line`]
    pub fn open_or_begin(path: &Path) -> Result<Self, PasswordFileError> {
        Self::parse(path, &files::read_if_there(path)?.unwrap_or_default())
    }

    /// A file without users. The first change replaces a file that exists.
    #[must_use]
    pub fn begin(path: &Path) -> Self {
        Self { path: path.to_owned(), text: String::new(), users: Users::default(), cost: COST }
    }

    /// The same file, with this bcrypt cost for new hashes.
    #[must_use]
    pub fn with_cost(self, cost: u32) -> Self {
        Self { cost, ..self }
    }

    /// Adds a user.
    ///
    /// # Errors [`PasswordFileError::Exists`], [`PasswordFileError::Name`], [`PasswordFileError::Password`], and errors
    /// of writing the file.
    pub fn add(&mut self, user: &str, password: &Secret) -> Result<(), PasswordFileError> {
        if self.has(user) {
            return Err(PasswordFileError::Exists(user.to_owned()));
        }
        let line = password_line(user, password, self.cost)?;
        let gap = if self.text.is_empty() || self.text.ends_with('\n') { "" } else { "\n" };
        self.write(&format!("{}{gap}{line}\n", self.text))
    }

    /// Changes the password of a user.
    ///
    /// # Errors
    /// [`PasswordFileError::Missing`], [`PasswordFileError::Password`], and errors of writing the file.
    pub fn change(&mut self, user: &str, password: &Secret) -> Result<(), PasswordFileError> {
        self.must_have(user)?;
        let line = password_line(user, password, self.cost)?;
        self.write(&self.with_line(user, Some(&line)))
    }

    /// Removes a user.
    ///
    /// # Errors
    /// [`PasswordFileError::Missing`], and errors of writing the file.
    pub fn remove(&mut self, user: &str) -> Result<(), PasswordFileError> {
        self.must_have(user)?;
        self.write(&self.with_line(user, None))
    }

    /// The names of the users, sorted.
    #[must_use]
    pub fn users(&self) -> Vec<String> {
        let mut names: Vec<String> = self.users.names().map(ToOwned::to_owned).collect();
        names.sort_unstable();
        names
    }

    /// Whether the password of a user is right. Takes up to seconds.
    #[must_use]
    pub fn check(&self, user: &str, password: &Secret) -> bool {
        self.users.check(user, password)
    }

    /// One line for each weak hash, without the hash.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        self.users.warnings()
    }

    fn parse(path: &Path, content: &[u8]) -> Result<Self, PasswordFileError> {
        let users = Users::parse(content).map_err(|error| PasswordFileError::Line { path: path.to_owned(), error })?;
        // Text that was parsed is UTF-8.
        let text = String::from_utf8_lossy(content).into_owned();
        Ok(Self { path: path.to_owned(), text, users, cost: COST })
    }

    fn write(&mut self, text: &str) -> Result<(), PasswordFileError> {
        let changed = Self::parse(&self.path, text.as_bytes())?;
        files::replace(&self.path, text.as_bytes())?;
        *self = changed.with_cost(self.cost);
        Ok(())
    }

    /// The text with another line for a user, or without the user's line.
    fn with_line(&self, user: &str, line: Option<&str>) -> String {
        let is_users =
            |old: &str| old.trim_start_matches('\u{feff}').split_once(':').is_some_and(|(name, _)| name == user);
        let replaced = |old| {
            if is_users(old) { line.map_or(String::new(), |line| format!("{line}\n")) } else { String::from(old) }
        };
        self.text.split_inclusive('\n').map(replaced).collect()
    }

    /// Whether the user exists.
    #[must_use]
    pub fn has(&self, user: &str) -> bool {
        self.users.hash_of(user).is_some()
    }

    fn must_have(&self, user: &str) -> Result<(), PasswordFileError> {
        if self.has(user) { Ok(()) } else { Err(PasswordFileError::Missing(user.to_owned())) }
    }
}

/// The line of a user without its newline, as `htpasswd -nbB -C cost` prints it.
///
/// # Errors
/// [`PasswordFileError::Name`], [`PasswordFileError::Password`], [`PasswordFileError::NoRandomness`]
pub fn password_line(user: &str, password: &Secret, cost: u32) -> Result<String, PasswordFileError> {
    check_user_name(user)?;
    if password.reveal().is_empty() || !is_checkable(password) {
        return Err(PasswordFileError::Password(password.reveal().len()));
    }
    Ok(format!("{user}:{}", hash_password(password, cost)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn users_come_change_and_go_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("htpasswd");
        let other = "# people\r\nbob:{SHA}i7YRj4/Wk1rQh2o740pxfTJwj/0=\r\n\n";
        fs::write(&path, other).unwrap();
        let mut file = PasswordFile::open(&path).unwrap();
        file.add("alice", &Secret::new("one")).unwrap();
        file.change("alice", &Secret::new("two")).unwrap();
        let file = PasswordFile::open(&path).unwrap();
        assert_eq!(file.users(), ["alice", "bob"]);
        assert!(file.check("alice", &Secret::new("two")) && !file.check("alice", &Secret::new("one")));
        assert!(file.check("bob", &Secret::new("testpassword")));
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(other) && text.contains("alice:$2y$12$"), "{text}");
        let mut file = file;
        file.remove("alice").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), other);
    }

    #[test]
    fn a_new_file_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("htpasswd");
        let mut file = PasswordFile::open_or_begin(&path).unwrap();
        file.add("alice", &Secret::new("pw")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, fs::read_to_string(&path).unwrap().trim_end()).unwrap();
        let mut file = PasswordFile::open(&path).unwrap();
        file.add("bob", &Secret::new("pw")).unwrap();
        assert_eq!(file.users(), ["alice", "bob"]);
    }

    #[test]
    fn what_is_refused_leaves_the_file_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("htpasswd");
        assert!(PasswordFile::open(&path).err().unwrap().to_string().contains("no such file"));
        fs::write(&path, "bob:{SHA}i7YRj4/Wk1rQh2o740pxfTJwj/0=\n").unwrap();
        let mut file = PasswordFile::open(&path).unwrap();
        let good = Secret::new("pw");
        let refusals = [
            (file.add("bob", &good), "already"),
            (file.add("anonymous", &good), "anonymous"),
            (file.add("a:b", &good), "':'"),
            (file.change("carol", &good), "no user 'carol'"),
            (file.remove("carol"), "no user 'carol'"),
            (file.change("bob", &Secret::new("a".repeat(73))), "this one has 73"),
            (file.change("bob", &Secret::new("a\0b")), "no NUL"),
            (file.change("bob", &Secret::new("")), "1 to 72"),
        ];
        for (result, word) in refusals {
            let text = result.unwrap_err().to_string();
            assert!(text.contains(word), "{text}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "bob:{SHA}i7YRj4/Wk1rQh2o740pxfTJwj/0=\n");
        fs::write(&path, "bob\n").unwrap();
        let text = PasswordFile::open(&path).err().unwrap().to_string();
        assert!(text.contains("htpasswd, line 1: "), "{text}");
    }
}
