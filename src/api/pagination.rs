//! Lists in parts: `n`, `last` and `Link` (RFC 5988).

use std::{fmt::Write as _, str::FromStr};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{error::ApiError, query::Query};

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
pub(super) struct Pagination<T> {
    pub(super) limit: usize,
    pub(super) last: Option<T>,
    explicit: bool,
}

impl<T: FromStr> Pagination<T>
where
    ApiError: From<T::Err>,
{
    /// Reads `n` and `last`. More than there may be is cut down to that, and the client sees it at the `Link`. As with registry:2, the first
    /// `n` counts, and an empty one is none.
    ///
    /// # Errors
    /// [`ApiError::Pagination`] for an `n` that is no number, or less than none; a `last` that could not be in the list.
    pub(super) fn parse(query: &Query, size: PageSize) -> Result<Self, ApiError> {
        let n = query.all("n").next().filter(|n| !n.is_empty());
        let limit = match n {
            Some(n) => n.parse::<u32>().ok().map_or_else(|| oversized(n), |n| Ok(n as usize))?.min(size.max),
            None => size.default,
        };
        let last = query.one("last")?.filter(|last| !last.is_empty()).map(str::parse).transpose()?;
        Ok(Self { limit, last, explicit: n.is_some() })
    }
}

impl<T> Pagination<T> {
    /// Whether the client said how many entries it wants.
    pub(super) fn is_explicit(&self) -> bool {
        self.explicit
    }

    /// The value of `Link` to what comes after `last`, `more` being the other parameters that the list was asked for with.
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

/// A number that is too large for our type but not for a client's is still a number; one that is too large for anybody's is a mistake.
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
    use crate::oci::Tag;

    const SIZE: PageSize = PageSize { default: 100, max: 1000 };

    fn limit(query: &str) -> Result<usize, u16> {
        let pagination = Pagination::<Tag>::parse(&Query::parse(query), SIZE);
        pagination.map(|pagination| pagination.limit).map_err(|error| error.status().as_u16())
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
    fn e1_a_last_entry_could_be_in_the_list() {
        for bad in ["..", "a%2fb", "a%00", "a/b"] {
            assert_eq!(limit(&format!("last={bad}")), Err(400), "{bad}");
        }
    }

    #[test]
    fn a_link_repeats_what_was_asked_for() {
        let pagination = Pagination::<Tag>::parse(&Query::parse("n=2"), SIZE).unwrap();
        let link = pagination.next("/v2/a/tags/list", "1.0", &[("artifactType", "a/b+c")]);
        assert_eq!(link, "</v2/a/tags/list?last=1%2E0&n=2&artifactType=a%2Fb%2Bc>; rel=\"next\"");
    }
}
