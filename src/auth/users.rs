//! The users of an htpasswd file, which has a line `name:hash` for each.

use std::collections::HashMap;

use super::{
    access_rules::{ANONYMOUS, ANY_USER},
    password_hash::{InvalidHash, PasswordHash, waste},
    secret::Secret,
};

/// The longest user name, in bytes.
pub const MAX_USER_LEN: usize = 255;
/// The longest password, in bytes. bcrypt ignores all further bytes, so the beginning of a longer password would be
/// accepted.
pub const MAX_PASSWORD_LEN: usize = 72;

/// The users of one version of the file.
#[derive(Default)]
pub(super) struct Users {
    by_name: HashMap<Box<str>, User>,
    /// The hash whose check takes longest. Passwords of unknown users are checked against it, without effect.
    strongest: Option<PasswordHash>,
    warnings: Vec<String>,
}

struct User {
    /// The line, counted from 1.
    line: usize,
    hash: PasswordHash,
    text: Box<str>,
}

/// A bad line. The error names the line, and never has the password or its hash in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct InvalidHtpasswd {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub fault: LineFault,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// It is no UTF-8.
    #[error("it is not UTF-8 text")]
    NotText,
    /// It has no colon.
    #[error("it is not of the form 'name:hash'")]
    NoColon,
    /// The name is no user name.
    #[error(transparent)]
    Name(#[from] InvalidUserName),
    /// The user has an earlier line.
    #[error("the user is there already, in line {0}: remove one of them")]
    Duplicate(usize),
    /// The hash can't be used.
    #[error(transparent)]
    Hash(#[from] InvalidHash),
}

/// Why a text is no user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUserName {
    /// It is empty, or longer than 255 bytes.
    #[error("a user's name has 1 to {MAX_USER_LEN} bytes")]
    Length,
    /// It has characters that HTTP or the file can't carry.
    #[error(
        "a user's name has no ':', no control characters, does not begin with '#' and neither begins nor ends with a \
         space"
    )]
    Characters,
    /// Access rules give it another meaning.
    #[error("no user may be named '{ANONYMOUS}' or '{ANY_USER}', which mean something else in access rules")]
    Reserved,
}

impl Users {
    pub(super) fn parse(file: &[u8]) -> Result<Self, InvalidHtpasswd> {
        let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
        let mut users = Self::default();
        for (line, text) in (1..).zip(file.split(|byte| *byte == b'\n')) {
            users.add_line(line, text).map_err(|fault| InvalidHtpasswd { line, fault })?;
        }
        Ok(users)
    }

    fn add_line(&mut self, line: usize, text: &[u8]) -> Result<(), LineFault> {
        let text = std::str::from_utf8(text).map_err(|_| LineFault::NotText)?.trim_end();
        if text.is_empty() || text.starts_with('#') {
            return Ok(());
        }
        let (name, text) = text.split_once(':').ok_or(LineFault::NoColon)?;
        check_user_name(name)?;
        if let Some(first) = self.by_name.get(name) {
            return Err(LineFault::Duplicate(first.line));
        }
        let hash = PasswordHash::parse(text)?;
        if let Some(weakness) = hash.weakness() {
            self.warnings.push(format!("line {line}: {weakness}"));
        }
        if self.strongest.as_ref().is_none_or(|strongest| strongest.work() < hash.work()) {
            self.strongest = Some(hash.clone());
        }
        self.by_name.insert(name.into(), User { line, hash, text: text.into() });
        Ok(())
    }

    /// Whether the password of a user is right. A refusal takes as long for each user, known or not: as the strongest
    /// hash does. Takes up to seconds: not for an async thread.
    pub(super) fn check(&self, user: &str, password: &Secret) -> bool {
        let Some(strongest) = &self.strongest else { return false };
        if user.len() > MAX_USER_LEN || !is_checkable(password) {
            return false;
        }
        let Some(known) = self.by_name.get(user) else {
            strongest.verify(password);
            return false;
        };
        let right = known.hash.verify(password);
        if !right {
            waste(strongest.work() - known.hash.work(), password);
        }
        right
    }

    /// The hash of a user's password, as it is in the file.
    pub(super) fn hash_of(&self, user: &str) -> Option<&str> {
        self.by_name.get(user).map(|user| &*user.text)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(AsRef::as_ref)
    }

    /// One line for each weak hash.
    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// Whether a hash can tell the password from every other: it has at most 72 bytes and no NUL.
pub(super) fn is_checkable(password: &Secret) -> bool {
    password.reveal().len() <= MAX_PASSWORD_LEN && !password.reveal().contains(&0)
}

/// Checks a user name.
///
/// # Errors
/// [`InvalidUserName`]
pub(super) fn check_user_name(name: &str) -> Result<(), InvalidUserName> {
    match name {
        ANONYMOUS | ANY_USER => Err(InvalidUserName::Reserved),
        _ if name.is_empty() || name.len() > MAX_USER_LEN => Err(InvalidUserName::Length),
        _ if name.contains(':') || name.starts_with('#') || name.trim() != name || name.contains(char::is_control) => {
            Err(InvalidUserName::Characters)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

    use proptest::prelude::*;

    use super::*;
    use crate::auth::password_hash::WORK_DONE;

    const HASH: &str = "$2y$05$BJklpwG0uf8GbVgQv8npROWB1NwGYxi8DriXN6E8QOlMWhXIR1oAm";

    fn parse(text: &str) -> Result<Users, InvalidHtpasswd> {
        Users::parse(text.as_bytes())
    }

    #[test]
    fn what_a_file_may_look_like() {
        let table = [
            ("", 0),
            ("\n\n  \n# users\n", 0),
            ("alice:HASH", 1),
            ("alice:HASH\n\nbob:HASH\n", 2),
            ("# users\r\nalice:HASH\r\n\r\nbob:HASH\r\n", 2),
            ("\u{feff}alice:HASH  \n", 1),
            ("josé:HASH\nbuild bot:HASH\n", 2),
        ];
        for (file, count) in table {
            let users = parse(&file.replace("HASH", HASH)).unwrap();
            assert_eq!(users.names().count(), count, "{file:?}");
        }
    }

    #[test]
    fn a_bad_line_is_named_by_its_number_and_never_quoted() {
        let long = format!("{}:HASH", "u".repeat(256));
        let table = [
            ("alice:HASH\nbob\n", 2, "name:hash"),
            ("alice:HASH\n\n# c\nalice:HASH", 4, "already, in line 1"),
            (":HASH", 1, "1 to 255"),
            (long.as_str(), 1, "1 to 255"),
            ("anonymous:HASH", 1, "'anonymous'"),
            ("*:HASH", 1, "'*'"),
            (" bob:HASH", 1, "space"),
            ("bob :HASH", 1, "space"),
            ("b\tob:HASH", 1, "control"),
            ("alice:hunter2", 1, "plain text"),
            ("alice:HASH:comment", 1, "damaged"),
            ("alice:$2y$31$BJklpwG0uf8GbVgQv8npROWB1NwGYxi8DriXN6E8QOlMWhXIR1oAm", 1, "above 14"),
            ("alice:$2y$05$é9klpwG0uf8GbVgQv8npROWB1NwGYxi8DriXN6E8QOlMWhXIR1oA", 1, "damaged"),
        ];
        for (file, line, word) in table {
            let error = parse(&file.replace("HASH", HASH)).err().unwrap();
            let text = error.to_string();
            assert_eq!(error.line, line, "{file}");
            assert!(text.contains(word), "{file}: {text}");
            assert!(!text.contains("hunter2") && !text.contains("pwG0uf8"), "{text}");
        }
        let error = Users::parse(b"alice:\xff\xfe").err().unwrap();
        assert_eq!(error, InvalidHtpasswd { line: 1, fault: LineFault::NotText });
    }

    #[test]
    fn weak_entries_are_warned_of_once_each() {
        let users = parse(include_str!("../../fixtures/htpasswd/formats")).unwrap();
        let warned: Vec<_> = users.warnings().iter().map(|warning| warning.split(':').next().unwrap()).collect();
        assert_eq!(warned, ["line 2", "line 4", "line 5", "line 6", "line 7"]);
        assert!(users.warnings().iter().all(|warning| !warning.contains('/')));
    }

    #[test]
    fn c2_c3_c4_passwords_that_bcrypt_would_cut_off_are_refused() {
        let long = format!("{}X", "a".repeat(72));
        // Other programs store, for a password of 73 bytes, the hash of its first 72.
        let stored = crate::auth::hash_password(&Secret::new(long.as_str()), 4).unwrap();
        let users =
            parse(&format!("alice:{stored}\nbob:{}", crate::auth::hash_password(&Secret::new("good"), 4).unwrap()))
                .unwrap();
        let table = [
            ("alice", "a".repeat(72), true),
            ("alice", long, false),
            ("alice", format!("{}Y", "a".repeat(72)), false),
            ("alice", "a".repeat(255), false),
            ("alice", "a".repeat(256), false),
            ("alice", "a".repeat(257), false),
            ("bob", "good".to_owned(), true),
            ("bob", "good\0junk".to_owned(), false),
            ("bob", "good\0".to_owned(), false),
            ("bob", String::new(), false),
        ];
        for (user, password, expected) in table {
            assert_eq!(users.check(user, &Secret::new(password.as_str())), expected, "{user} {password:?}");
        }
    }

    #[test]
    fn c7_names_are_compared_to_the_byte() {
        let hash = crate::auth::hash_password(&Secret::new("pw"), 4).unwrap();
        let users = parse(&format!("alice:{hash}\njos\u{e9}:{hash}")).unwrap();
        for (user, expected) in [
            ("alice", true),
            ("Alice", false),
            ("alice ", false),
            ("alice\t", false),
            ("alice\0", false),
            ("jos\u{e9}", true),
            ("jose\u{301}", false),
        ] {
            assert_eq!(users.check(user, &Secret::new("pw")), expected, "{user:?}");
        }
    }

    #[test]
    fn c6_a_refusal_costs_the_same_whoever_is_asked_for() {
        let users = parse(include_str!("../../fixtures/htpasswd/formats")).unwrap();
        let wrong = Secret::new("wrong");
        let costs = [
            "nobody",
            "x",
            "bcrypt5",
            "bcrypt10",
            "bcrypt2a",
            "apr1",
            "sha",
            "sha256crypt",
            "sha512crypt",
            "sha512rounds",
        ]
        .map(|user| {
            WORK_DONE.set(0);
            assert!(!users.check(user, &wrong));
            (user, WORK_DONE.get())
        });
        for (user, work) in costs {
            // Less than the smallest piece that can be wasted, which is a sixtieth of the whole.
            assert!((1 << 10) - work < 16, "{user}: {work}");
        }
    }

    #[test]
    fn c6_unknown_users_are_checked_against_the_strongest_entry() {
        let users = parse(include_str!("../../fixtures/htpasswd/formats")).unwrap();
        assert_eq!(users.strongest.as_ref().unwrap().work(), 1 << 10);
        assert!(!users.check("nobody", &Secret::new("testpassword")));
        assert!(parse("").unwrap().strongest.is_none());
    }

    proptest! {
        #[test]
        fn never_panics(file in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Users::parse(&file);
        }

        #[test]
        fn c1_never_panics_on_lines(
            name in "[a-z]{0,5}",
            hash in "(\\$2[aby]\\$05\\$|\\$apr1\\$|\\{SHA\\}|\\$[56]\\$).{0,70}",
        ) {
            let _ = parse(&format!("{name}:{hash}"));
        }
    }
}
