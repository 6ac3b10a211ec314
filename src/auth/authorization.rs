//! Parses the `Authorization` header.

use std::{fmt, net::IpAddr};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::secret::Secret;

/// The longest value that is read, in bytes. It is as long as the longest head of a request that settings allow
/// (`limits.head_bytes`).
pub const MAX_AUTHORIZATION_LEN: usize = 120 * 1024;

/// The credentials of a request.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The value of the one `Authorization` header.
    pub authorization: Option<&'a [u8]>,
    /// The address the request came from.
    pub address: IpAddr,
}
impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authorization = self.authorization.map(|_| "…");
        f.debug_struct("Credentials").field("authorization", &authorization).field("address", &self.address).finish()
    }
}

/// The content of the header.
#[derive(Debug)]
pub(super) enum Authorization<'a> {
    /// There is no header, or it is `Basic` with neither user nor password, as some clients send it without a login.
    Nothing,
    /// [RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)
    Basic { user: String, password: Secret },
    /// [RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)
    Bearer(&'a str),
}

/// A header without credentials that could be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the Authorization header can't be read")]
pub(super) struct Unreadable;

/// Some clients leave out the padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl<'a> Authorization<'a> {
    pub(super) fn parse(header: Option<&'a [u8]>) -> Result<Self, Unreadable> {
        let Some(header) = header else { return Ok(Self::Nothing) };
        if header.len() > MAX_AUTHORIZATION_LEN {
            return Err(Unreadable);
        }
        let header = std::str::from_utf8(header).map_err(|_| Unreadable)?;
        let (scheme, value) = header.trim().split_once(' ').ok_or(Unreadable)?;
        let value = value.trim_start();
        match scheme {
            _ if scheme.eq_ignore_ascii_case("basic") => Self::parse_basic(value),
            _ if scheme.eq_ignore_ascii_case("bearer") => Ok(Self::Bearer(value)),
            _ => Err(Unreadable),
        }
    }

    fn parse_basic(value: &str) -> Result<Self, Unreadable> {
        let decoded = BASE64.decode(value).map_err(|_| Unreadable)?;
        let text = String::from_utf8(decoded).map_err(|_| Unreadable)?;
        match text.split_once(':').ok_or(Unreadable)? {
            ("", "") => Ok(Self::Nothing),
            (user, password) => Ok(Self::Basic { user: user.to_owned(), password: Secret::new(password) }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    /// The parts, for a table.
    fn read(header: &str) -> Option<(String, String)> {
        match Authorization::parse(Some(header.as_bytes())) {
            Err(Unreadable) => None,
            Ok(Authorization::Nothing) => Some(("nothing".to_owned(), String::new())),
            Ok(Authorization::Bearer(token)) => Some(("bearer".to_owned(), token.to_owned())),
            Ok(Authorization::Basic { user, password }) => {
                Some((user, String::from_utf8(password.reveal().to_vec()).unwrap()))
            }
        }
    }

    #[test]
    fn c12_headers() {
        let basic = |pair: &[u8]| format!("Basic {}", STANDARD.encode(pair));
        let table = [
            (basic(b"alice:pw"), Some(("alice", "pw"))),
            (basic(b"alice:pw").replacen("Basic", "basic", 1), Some(("alice", "pw"))),
            (basic(b"alice:pw").replacen("Basic", "BASIC  ", 1), Some(("alice", "pw"))),
            (basic(b"alice:a:b:").clone(), Some(("alice", "a:b:"))),
            (basic("josé:naïve".as_bytes()), Some(("josé", "naïve"))),
            (basic(b"alice:"), Some(("alice", ""))),
            (basic(b":pw"), Some(("", "pw"))),
            ("Basic Og==".to_owned(), Some(("nothing", ""))),
            ("Basic Og".to_owned(), Some(("nothing", ""))),
            ("Bearer a.b.c".to_owned(), Some(("bearer", "a.b.c"))),
            ("bearer a.b.c ".to_owned(), Some(("bearer", "a.b.c"))),
            (basic(b"alice"), None),
            (basic(b"\xff\xfe:pw"), None),
            ("Basic".to_owned(), None),
            ("Basic !!!".to_owned(), None),
            ("Digest username=\"alice\"".to_owned(), None),
            (String::new(), None),
            (basic(&vec![b'a'; 120 * 1024]), None),
        ];
        for (header, expected) in table {
            let expected = expected.map(|(user, password)| (user.to_owned(), password.to_owned()));
            assert_eq!(read(&header), expected, "{header:.60}");
        }
    }

    #[test]
    fn limit_of_the_value() {
        let header = |len: usize| format!("Bearer {}", "a".repeat(len - "Bearer ".len()));
        assert!(Authorization::parse(Some(header(MAX_AUTHORIZATION_LEN).as_bytes())).is_ok());
        assert!(Authorization::parse(Some(header(MAX_AUTHORIZATION_LEN + 1).as_bytes())).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(header in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Authorization::parse(Some(&header));
        }

        #[test]
        fn every_pair_comes_through(user in "[^:]{1,30}", password in ".{0,30}") {
            let header = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
            prop_assert_eq!(read(&header), Some((user, password)));
        }
    }
}
