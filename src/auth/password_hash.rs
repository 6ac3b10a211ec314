//! The formats of password hashes in an htpasswd file. Each tells how much work a check is, so that all checks can take
//! the same time.

mod apr1;
mod bcrypt;
mod sha1;
mod sha_crypt;

use self::{apr1::Apr1, bcrypt::Bcrypt, sha_crypt::ShaCrypt, sha1::Sha1};
use super::secret::Secret;

/// A password hash.
#[derive(Clone)]
pub(super) enum PasswordHash {
    /// `$2a$`, `$2b$`, `$2y$`
    Bcrypt(Bcrypt),
    /// `$apr1$`
    Apr1(Apr1),
    /// `{SHA}`
    Sha1(Sha1),
    /// `$5$`, `$6$`
    ShaCrypt(ShaCrypt),
}

/// Why a text is no usable password hash. The error never has the text in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHash {
    /// The format is not supported.
    #[error(
        "the password is in no known format (DES crypt and plain text are refused): make it anew with 'wharf user \
         passwd' or 'htpasswd -B'"
    )]
    UnknownFormat,
    /// The hash is cut off or garbled.
    #[error("the {0} hash is damaged: make it anew with 'wharf user passwd' or 'htpasswd -B'")]
    Damaged(&'static str),
    /// A check of a bcrypt hash would take seconds.
    #[error(
        "bcrypt cost {0} is above {max}, a check would take too long: make it anew with a cost of 10 to {max}",
        max = bcrypt::MAX_COST
    )]
    TooCostly(u32),
    /// The number of rounds of SHA-crypt is out of its range.
    #[error(
        "{0} rounds are not between {min} and {max}: make it anew with a number in between",
        min = sha_crypt::MIN_ROUNDS,
        max = sha_crypt::MAX_ROUNDS
    )]
    Rounds(u32),
}

impl PasswordHash {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidHash> {
        let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| text.starts_with(prefix));
        match text {
            _ if starts(&["$2a$", "$2b$", "$2y$"]) => Bcrypt::parse(text).map(Self::Bcrypt),
            _ if starts(&["$apr1$"]) => Apr1::parse(text).map(Self::Apr1),
            _ if starts(&["{SHA}"]) => Sha1::parse(text).map(Self::Sha1),
            _ if starts(&["$5$", "$6$"]) => ShaCrypt::parse(text).map(Self::ShaCrypt),
            _ => Err(InvalidHash::UnknownFormat),
        }
    }

    /// Whether the password is right. Takes up to seconds: not for an async thread.
    pub(super) fn verify(&self, password: &Secret) -> bool {
        #[cfg(test)]
        WORK_DONE.set(WORK_DONE.get() + self.work());
        match self {
            Self::Bcrypt(hash) => hash.verify(password),
            Self::Apr1(hash) => hash.verify(password),
            Self::Sha1(hash) => hash.verify(password),
            Self::ShaCrypt(hash) => hash.verify(password),
        }
    }

    /// The work of a check, roughly, in rounds of bcrypt (2 to the power of its cost).
    pub(super) fn work(&self) -> u64 {
        match self {
            Self::Bcrypt(hash) => 1 << hash.cost(),
            Self::Apr1(_) => apr1::WORK,
            Self::Sha1(_) => 0,
            Self::ShaCrypt(hash) => hash.work(),
        }
    }

    /// Why the hash is weak, if it is.
    pub(super) fn weakness(&self) -> Option<String> {
        match self {
            Self::Bcrypt(hash) if hash.cost() < bcrypt::GOOD_COST => {
                Some(format!("bcrypt cost {} is quick to guess, {} or more is advised", hash.cost(), bcrypt::GOOD_COST))
            }
            Self::Apr1(_) => Some("the $apr1$ format is quick to guess, bcrypt is advised".to_owned()),
            Self::Sha1(_) => Some("the {SHA} format has no salt and is quick to guess, bcrypt is advised".to_owned()),
            Self::Bcrypt(_) | Self::ShaCrypt(_) => None,
        }
    }
}

#[cfg(test)]
std::thread_local! {
    /// The work of this thread. Tests compare it instead of measuring time.
    pub(super) static WORK_DONE: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Does `work` rounds of bcrypt, less a rest under 16, without a result.
pub(super) fn waste(work: u64, password: &Secret) {
    for cost in bcrypt::MIN_COST..=bcrypt::MAX_COST {
        if work >> cost & 1 == 1 {
            #[cfg(test)]
            WORK_DONE.set(WORK_DONE.get() + (1 << cost));
            bcrypt::waste(cost, password);
        }
    }
}

/// Makes a bcrypt hash, as `htpasswd -B -C cost` does.
///
/// # Errors
/// [`NoRandomness`]
pub fn hash_password(password: &Secret, cost: u32) -> Result<String, NoRandomness> {
    bcrypt::hash(password, cost)
}

/// The system gave no random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no random numbers for a salt")]
pub struct NoRandomness;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

    use htpasswd_verify::Htpasswd as Oracle;
    use proptest::prelude::*;

    use super::*;

    /// Made with `htpasswd -n` and `openssl passwd`, in the order bcrypt (`-B -C 5`), `$apr1$`, `{SHA}`, `$5$`, `$6$`,
    /// `$5$rounds=`, `$6$rounds=`.
    const MADE_ELSEWHERE: &str = include_str!("../../fixtures/htpasswd/formats");

    fn lines() -> impl Iterator<Item = (&'static str, &'static str)> {
        MADE_ELSEWHERE.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_once(':').unwrap())
    }

    #[test]
    fn c11_each_format_is_checked_as_other_programs_make_it() {
        assert!(lines().count() >= 9);
        for (user, hash) in lines() {
            let hash = PasswordHash::parse(hash).unwrap();
            assert!(hash.verify(&Secret::new("testpassword")), "{user}");
            for wrong in ["testpasswor", "testpassword ", "Testpassword", "", "testpassword\0"] {
                assert!(!hash.verify(&Secret::new(wrong)), "{user} {wrong:?}");
            }
        }
    }

    #[test]
    fn the_oracle_agrees_where_it_knows_the_format() {
        let known = |hash: &str| ["$apr1$", "{SHA}", "$2y$"].iter().any(|prefix| hash.starts_with(prefix));
        let known: Vec<_> = lines().filter(|(_, hash)| known(hash)).collect();
        assert!(known.len() >= 3);
        for (user, hash) in known {
            let line = format!("{user}:{hash}");
            for password in ["testpassword", "wrong", "", "testpassword1"] {
                let ours = PasswordHash::parse(hash).unwrap().verify(&Secret::new(password));
                assert_eq!(ours, Oracle::from(line.as_str()).check(user, password), "{user} {password}");
            }
        }
    }

    #[test]
    fn c11_what_is_refused() {
        use InvalidHash::{Damaged, Rounds, TooCostly, UnknownFormat};
        let table = [
            ("", UnknownFormat),
            ("testpassword", UnknownFormat),
            ("rl.3StKT.4T8M", UnknownFormat),
            ("$1$abcdefgh$G//4keteveJp0qb8z2DxG/", UnknownFormat),
            ("$2x$05$abcdefghijklmnopqrstuuKkXHlhpqyLVw7Rc8fQSlUNgLYTWTtmO", UnknownFormat),
            ("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA", UnknownFormat),
            ("{SSHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=", UnknownFormat),
            ("$2y$05$short", Damaged("bcrypt")),
            ("$2y$xx$abcdefghijklmnopqrstuuKkXHlhpqyLVw7Rc8fQSlUNgLYTWTtmO", Damaged("bcrypt")),
            ("$2y$03$abcdefghijklmnopqrstuuKkXHlhpqyLVw7Rc8fQSlUNgLYTWTtmO", Damaged("bcrypt")),
            ("$2y$31$abcdefghijklmnopqrstuuKkXHlhpqyLVw7Rc8fQSlUNgLYTWTtmO", TooCostly(31)),
            ("$2y$15$abcdefghijklmnopqrstuuKkXHlhpqyLVw7Rc8fQSlUNgLYTWTtmO", TooCostly(15)),
            ("$apr1$", Damaged("$apr1$")),
            ("$apr1$salt$", Damaged("$apr1$")),
            ("$apr1$saltsaltsalt$G//4keteveJp0qb8z2DxG/", Damaged("$apr1$")),
            ("$apr1$salt$G//4keteveJp0qb8z2DxG!", Damaged("$apr1$")),
            ("{SHA}", Damaged("{SHA}")),
            ("{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9", Damaged("{SHA}")),
            ("$5$salt$short", Damaged("sha-crypt")),
            ("$6$salt", Damaged("sha-crypt")),
            ("$6$rounds=999999999$salt$x", Rounds(999_999_999)),
            ("$6$rounds=10$salt$x", Rounds(10)),
            ("$6$rounds=-1$salt$x", Damaged("sha-crypt")),
        ];
        for (text, expected) in table {
            assert_eq!(PasswordHash::parse(text).err(), Some(expected), "{text}");
        }
    }

    #[test]
    fn c1_multibyte_characters_anywhere_are_an_error_and_no_panic() {
        for (user, hash) in lines() {
            for at in 0..hash.len() {
                let mut bytes = hash.as_bytes().to_vec();
                bytes.splice(at..(at + 2).min(hash.len()), "é".bytes());
                let text = String::from_utf8(bytes).unwrap();
                assert!(PasswordHash::parse(&text).is_err(), "{user} {text}");
            }
        }
    }

    #[test]
    fn c9_waste_does_as_much_work_as_a_real_check() {
        assert_eq!(PasswordHash::parse(&hash_password(&Secret::new("a"), 4).unwrap()).unwrap().work(), 16);
        waste(16 + 32 + 3, &Secret::new("a"));
    }

    proptest! {
        #[test]
        fn never_panics(
            prefix in "(\\$2y\\$05\\$|\\$apr1\\$|\\{SHA\\}|\\$[56]\\$|)",
            rest in ".{0,90}",
            password in ".{0,80}",
        ) {
            if let Ok(hash) = PasswordHash::parse(&format!("{prefix}{rest}")) {
                hash.verify(&Secret::new(password));
            }
        }

        #[test]
        fn c11_apr1_and_sha_agree_with_the_oracle(password in "[ -~]{0,40}", salt in "[./0-9A-Za-z]{8}") {
            let hash = apr1::hash(&Secret::new(password.as_str()), &salt);
            let line = format!("user:{hash}");
            prop_assert!(Oracle::from(line.as_str()).check("user", password.as_str()));
            prop_assert!(PasswordHash::parse(&hash).unwrap().verify(&Secret::new(password)));
        }
    }
}
