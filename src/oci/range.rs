//! Ranges of bytes.

use std::str::FromStr;

/// What a `Range` header asks of content of a known length (RFC 9110, section 14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// All of it: no header, or one that may be ignored.
    Whole,
    /// These bytes, `first` to `last`, both included: 206.
    Part {
        /// The first byte.
        first: u64,
        /// The last byte, less than the length.
        last: u64,
    },
    /// Nothing that there is: 416.
    Unsatisfiable,
}

impl ByteRange {
    /// What `header` asks of content that has `len` bytes.
    ///
    /// A unit other than `bytes`, several ranges, and what is no range at all are answered with the whole, as the RFC allows;
    /// a range that ends before it starts is taken for one that can't be satisfied.
    ///
    /// ```
    /// use wharf::oci::ByteRange;
    /// assert_eq!(ByteRange::parse(Some("bytes=90-"), 100), ByteRange::Part { first: 90, last: 99 });
    /// assert_eq!(ByteRange::parse(Some("bytes=100-"), 100), ByteRange::Unsatisfiable);
    /// assert_eq!(ByteRange::parse(Some("lines=1-2"), 100), ByteRange::Whole);
    /// ```
    #[must_use]
    pub fn parse(header: Option<&str>, len: u64) -> Self {
        header.and_then(single_range).map_or(Self::Whole, |bounds| Self::within(bounds, len))
    }

    fn within(bounds: (Option<u64>, Option<u64>), len: u64) -> Self {
        let Some(end) = len.checked_sub(1) else { return Self::Unsatisfiable };
        match bounds {
            (None, None) => Self::Whole,
            (None, Some(0)) => Self::Unsatisfiable,
            (None, Some(suffix)) => Self::Part { first: len.saturating_sub(suffix), last: end },
            (Some(first), last) if first > end || last.is_some_and(|last| last < first) => Self::Unsatisfiable,
            (Some(first), last) => Self::Part { first, last: last.map_or(end, |last| last.min(end)) },
        }
    }
}

/// The two numbers around the dash of the only range in `header`, at least one of which is there.
fn single_range(header: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, ranges) = header.trim_matches(WHITE).split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut ranges = ranges.split(',').map(|range| range.trim_matches(WHITE)).filter(|range| !range.is_empty());
    let (range, None) = (ranges.next()?, ranges.next()) else { return None };
    let (first, last) = range.split_once('-')?;
    match (first, last) {
        ("", last) => Some((None, Some(saturating_number(last)?))),
        (first, "") => Some((Some(saturating_number(first)?), None)),
        (first, last) => Some((Some(saturating_number(first)?), Some(saturating_number(last)?))),
    }
}

const WHITE: [char; 2] = [' ', '\t'];

/// A decimal number of any length. More than `u64` holds is more than any content has, so the largest `u64` serves as well.
fn saturating_number(text: &str) -> Option<u64> {
    is_number(text).then(|| text.parse().unwrap_or(u64::MAX))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The `Content-Range` of a chunk ([distribution-spec, pushing a blob in chunks]): `<first>-<last>`.
///
/// The forms that RFC 9110 has for answers, `bytes 0-99/*` and the like, are read too, because some clients send them.
///
/// [distribution-spec, pushing a blob in chunks]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-a-blob-in-chunks
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// The offset of the chunk's first byte.
    pub first: u64,
    /// How many bytes the chunk has.
    pub len: u64,
}

/// A text is no `Content-Range` of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the Content-Range of a chunk is <first>-<last>")]
pub struct InvalidContentRange;

impl FromStr for ContentRange {
    type Err = InvalidContentRange;

    fn from_str(text: &str) -> Result<Self, InvalidContentRange> {
        let (first, last) =
            without_unit_and_total(text).and_then(|text| text.split_once('-')).ok_or(InvalidContentRange)?;
        let first = number(first)?;
        let len = number(last)?.checked_sub(first).and_then(|rest| rest.checked_add(1));
        Ok(Self { first, len: len.ok_or(InvalidContentRange)? })
    }
}

/// `0-99` of `0-99`, `bytes=0-99`, `bytes 0-99`, `bytes 0-99/*` and `bytes 0-99/100`.
fn without_unit_and_total(text: &str) -> Option<&str> {
    let (unit, range) = match text.split_once([' ', '=']) {
        Some((unit, range)) => (Some(unit), range),
        None => (None, text),
    };
    let (range, total) = match range.split_once('/') {
        Some((range, total)) => (range, Some(total)),
        None => (range, None),
    };
    let unit_is_right = unit.is_none_or(|unit| unit.eq_ignore_ascii_case("bytes"));
    let total_is_right = total.is_none_or(|total| total == "*" || is_number(total));
    (unit_is_right && total_is_right).then_some(range)
}

fn number(text: &str) -> Result<u64, InvalidContentRange> {
    if is_number(text) { text.parse().map_err(|_overflow| InvalidContentRange) } else { Err(InvalidContentRange) }
}
