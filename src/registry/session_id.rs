//! The name of an upload session.

use std::{fmt, str::FromStr};

use uuid::Uuid;

/// The name of an upload session: a random UUID, which is all a client needs to go on with it, and all it can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(Uuid);

/// A text is not the name of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an upload session is named by a UUID")]
pub struct InvalidSessionId;

impl SessionId {
    /// A new name.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl FromStr for SessionId {
    type Err = InvalidSessionId;

    fn from_str(text: &str) -> Result<Self, InvalidSessionId> {
        let id = Uuid::try_parse(text).map(Self).map_err(|_| InvalidSessionId)?;
        // The parser also takes braces, upper case and no dashes: one session has one name.
        if id.to_string() == text { Ok(id) } else { Err(InvalidSessionId) }
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e3_only_the_one_spelling_of_a_uuid_is_a_session() {
        let good = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        assert_eq!(good.parse::<SessionId>().map(|id| id.to_string()), Ok(good.to_owned()));
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "%2e%2e",
            "67E55044-10B1-426F-9247-BB680E5FE0C8",
            "{67e55044-10b1-426f-9247-bb680e5fe0c8}",
            "67e5504410b1426f9247bb680e5fe0c8",
            "67e55044-10b1-426f-9247-bb680e5fe0c80",
            "urn:uuid:67e55044-10b1-426f-9247-bb680e5fe0c8",
        ] {
            assert_eq!(bad.parse::<SessionId>(), Err(InvalidSessionId), "{bad}");
        }
    }
}
