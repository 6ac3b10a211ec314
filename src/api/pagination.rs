//! Lists in parts: `n`, `last` and `Link` (RFC 5988).

use std::fmt::Write as _;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::ApiError;
use crate::http::Query;

/// How many entries an answer has.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageSize {
    /// If the client does not say, or says nothing in `n`.
    pub(super) default: usize,
    /// If the client says more.
    pub(super) max: usize,
}

/// The part of a list that is asked for.
#[derive(Debug)]
pub(super) struct Pagination {
    pub(super) limit: usize,
    /// What the entries come after. It is text to compare with, and need not be an entry, nor a name that one could
    /// have.
    pub(super) last: Option<String>,
    explicit: bool,
}

impl Pagination {
    /// Reads `n` and `last`. More than there may be is cut down to that, and the client sees it at the `Link`. As with
    /// registry:2, the first `n` counts, and an empty one is none.
    ///
    /// # Errors
    /// [`ApiError::Pagination`] for an `n` that is no number, or less than none.
    pub(super) fn parse(query: &Query, size: PageSize) -> Result<Self, ApiError> {
        let n = query.all("n").next().filter(|n| !n.is_empty());
        let limit = match n {
            Some(n) => n.parse::<u32>().ok().map_or_else(|| oversized(n), |n| Ok(n as usize))?.min(size.max),
            None => size.default,
        };
        let last = query.all("last").next().filter(|last| !last.is_empty()).map(str::to_owned);
        Ok(Self { limit, last, explicit: n.is_some() })
    }

    /// Whether the client said how many entries it wants.
    pub(super) fn is_explicit(&self) -> bool {
        self.explicit
    }

    /// The value of `Link` to what comes after `last`, `more` being the other parameters that the list was asked for
    /// with.
    pub(super) fn next(&self, path: &str, last: &str, more: &[(&str, &str)]) -> String {
        let mut link = format!("<{path}?last={}", escaped(last));
        if self.explicit {
            // Writing to a string does not fail.
            let _ = write!(link, "&n={}", self.limit);
        }
        for (name, value) in more {
            let _ = write!(link, "&{name}={}", escaped(value));
        }
        link.push_str(">; rel=\"next\"");
        link
    }
}

/// A number that is too large for our type but not for a client's is still a number; one that is too large for
/// anybody's is a mistake.
fn oversized(n: &str) -> Result<usize, ApiError> {
    let fits = n.parse::<i64>().is_ok_and(|n| n >= 0);
    if fits { Ok(usize::MAX) } else { Err(ApiError::Pagination { parameter: "n" }) }
}

fn escaped(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    const SIZE: PageSize = PageSize { default: 100, max: 1000 };

    fn limit(query: &str) -> Result<usize, u16> {
        let pagination = Pagination::parse(&Query::parse(query), SIZE);
        pagination.map(|pagination| pagination.limit).map_err(|error| error.row().0.as_u16())
    }

    #[test]
    fn g1_a_number_of_entries_is_bounded() {
        let rows = [
            ("", Ok(100)),
            ("n=0", Ok(0)),
            ("n=1", Ok(1)),
            ("n=1000", Ok(1000)),
            ("n=1001", Ok(1000)),
            ("n=2147483648", Ok(1000)),
            ("n=1000000000000", Ok(1000)),
            ("n=9223372036854775808", Err(400)),
            ("n=-1", Err(400)),
            ("n=1e9", Err(400)),
            ("n=abc", Err(400)),
            ("n=", Ok(100)),
            ("n=&n=2", Ok(100)),
            ("n=1&n=2", Ok(1)),
            ("n=1&n=abc", Ok(1)),
            ("n=abc&n=1", Err(400)),
        ];
        for (query, expected) in rows {
            assert_eq!(limit(query), expected, "{query}");
        }
    }

    #[test]
    fn report_p4_a_last_entry_is_text() {
        let rows = [
            ("", None),
            ("last=", None),
            ("last=U", Some("U")),
            ("last=-", Some("-")),
            ("last=..", Some("..")),
            ("last=a%2fb", Some("a/b")),
            ("last=a%00", Some("a\0")),
            ("last=%ff", Some("\u{fffd}")),
            ("last=a&last=b", Some("a")),
        ];
        for (query, expected) in rows {
            let last = Pagination::parse(&Query::parse(query), SIZE).unwrap().last;
            assert_eq!(last.as_deref(), expected, "{query}");
        }
    }

    #[test]
    fn a_link_repeats_what_was_asked_for() {
        let pagination = Pagination::parse(&Query::parse("n=2"), SIZE).unwrap();
        let link = pagination.next("/v2/a/tags/list", "1.0", &[("artifactType", "a/b+c")]);
        assert_eq!(link, "</v2/a/tags/list?last=1%2E0&n=2&artifactType=a%2Fb%2Bc>; rel=\"next\"");
    }
}
