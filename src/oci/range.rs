//! Ranges of bytes.

use std::{ops::Range, str::FromStr};

/// The part of content of a known length that a `Range` header asks for (RFC 9110, section 14).
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Several ranges, two at least, in the order of the header: 206 with a `multipart/byteranges` body (section
    /// 15.3.7.2). None of them is empty, and together they are not longer than the content.
    Parts(Vec<Range<u64>>),
    /// Nothing that there is: 416.
    Unsatisfiable,
    /// More ranges than [`ByteRange::MAX_RANGES`], or ranges that together are longer than the content (section 14.2):
    /// 400.
    Excessive,
}

impl ByteRange {
    /// How many ranges a header may have. The container tools ask for this many at most, and for fewer after a 400.
    pub const MAX_RANGES: usize = 1024;

    /// What `header` asks of content that has `len` bytes.
    ///
    /// A unit other than `bytes`, and what is no range at all are answered with the whole, as the RFC allows; a range
    /// that ends before it starts is taken for one that can't be satisfied. Of several ranges, those that can be
    /// satisfied are answered.
    ///
    /// ```
    /// use wharf::oci::ByteRange;
    /// assert_eq!(ByteRange::parse(Some("bytes=90-"), 100), ByteRange::Part { first: 90, last: 99 });
    /// assert_eq!(ByteRange::parse(Some("bytes=0-9,90-"), 100), ByteRange::Parts(vec![0..10, 90..100]));
    /// assert_eq!(ByteRange::parse(Some("bytes=100-"), 100), ByteRange::Unsatisfiable);
    /// assert_eq!(ByteRange::parse(Some("lines=1-2"), 100), ByteRange::Whole);
    /// ```
    #[must_use]
    pub fn parse(header: Option<&str>, len: u64) -> Self {
        let Some(ranges) = header.and_then(ranges_in_bytes) else { return Self::Whole };
        let (mut count, mut total, mut parts) = (0, 0_u128, Vec::new());
        for range in ranges {
            let Some(bounds) = bounds(range) else { return Self::Whole };
            count += 1;
            // The rest is still looked at: if one of the ranges is none, the header means nothing.
            if let Some(part) = within(bounds, len)
                && count <= Self::MAX_RANGES
            {
                total += u128::from(part.end - part.start);
                parts.push(part);
            }
        }
        match parts.as_slice() {
            _ if count == 0 => Self::Whole,
            _ if count > Self::MAX_RANGES || total > u128::from(len) => Self::Excessive,
            [] => Self::Unsatisfiable,
            [part] => Self::Part { first: part.start, last: part.end - 1 },
            _ => Self::Parts(parts),
        }
    }
}

/// The ranges that `header` names, if their unit is bytes. Elements of a list may be empty (RFC 9110, section 5.6.1.2).
fn ranges_in_bytes(header: &str) -> Option<impl Iterator<Item = &str>> {
    let (unit, ranges) = header.trim_matches(WHITE).split_once('=')?;
    let ranges = ranges.split(',').map(|range| range.trim_matches(WHITE)).filter(|range| !range.is_empty());
    unit.eq_ignore_ascii_case("bytes").then_some(ranges)
}

/// The two numbers around a range's dash.
#[derive(Clone, Copy)]
enum Bounds {
    /// From the first byte to the last, or to the end.
    From(u64, Option<u64>),
    /// So many bytes at the end.
    Suffix(u64),
}

fn bounds(range: &str) -> Option<Bounds> {
    let (first, last) = range.split_once('-')?;
    match (first, last) {
        ("", last) => Some(Bounds::Suffix(saturating_number(last)?)),
        (first, "") => Some(Bounds::From(saturating_number(first)?, None)),
        (first, last) => Some(Bounds::From(saturating_number(first)?, Some(saturating_number(last)?))),
    }
}

/// The bytes of a range that content of `len` bytes has, if it has any.
fn within(bounds: Bounds, len: u64) -> Option<Range<u64>> {
    let part = match bounds {
        Bounds::Suffix(suffix) => len.saturating_sub(suffix)..len,
        Bounds::From(first, last) => first..last.map_or(len, |last| last.saturating_add(1).min(len)),
    };
    (!part.is_empty()).then_some(part)
}

const WHITE: [char; 2] = [' ', '\t'];

/// A decimal number of any length. More than `u64` holds is more than any content has, so the largest `u64` serves as
/// well.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn g4_ranges_never_reach_past_the_content() {
        use ByteRange::{Part, Unsatisfiable, Whole};
        let part = |first, last| Part { first, last };
        let table: [(&str, u64, ByteRange); 45] = [
            ("bytes=0-0", 100, part(0, 0)),
            ("bytes=0-99", 100, part(0, 99)),
            ("bytes=0-100", 100, part(0, 99)),
            ("bytes=50-", 100, part(50, 99)),
            ("bytes=99-", 100, part(99, 99)),
            ("bytes=99-99", 100, part(99, 99)),
            ("bytes=-1", 100, part(99, 99)),
            ("bytes=-100", 100, part(0, 99)),
            ("bytes=-101", 100, part(0, 99)),
            ("BYTES=1-2", 100, part(1, 2)),
            (" bytes=1-2\t", 100, part(1, 2)),
            ("bytes= 1-2 ", 100, part(1, 2)),
            ("bytes=1-2,", 100, part(1, 2)),
            ("bytes=, ,1-2", 100, part(1, 2)),
            ("bytes=007-0008", 100, part(7, 8)),
            ("bytes=0-18446744073709551615", 100, part(0, 99)),
            ("bytes=0-18446744073709551616", 100, part(0, 99)),
            ("bytes=0-99999999999999999999999999999999", 100, part(0, 99)),
            ("bytes=-18446744073709551616", 100, part(0, 99)),
            ("bytes=0-18446744073709551615", u64::MAX, part(0, u64::MAX - 1)),
            ("bytes=100-", 100, Unsatisfiable),
            ("bytes=100-200", 100, Unsatisfiable),
            ("bytes=5-2", 100, Unsatisfiable),
            ("bytes=500-0", 1000, Unsatisfiable),
            ("bytes=-0", 100, Unsatisfiable),
            ("bytes=18446744073709551616-", 100, Unsatisfiable),
            ("bytes=18446744073709551615-", u64::MAX, Unsatisfiable),
            ("bytes=99999999999999999999-5", 100, Unsatisfiable),
            ("bytes=0-", 0, Unsatisfiable),
            ("bytes=0-0", 0, Unsatisfiable),
            ("bytes=-5", 0, Unsatisfiable),
            ("", 100, Whole),
            ("bytes", 100, Whole),
            ("bytes=", 100, Whole),
            ("bytes=-", 100, Whole),
            ("bytes=--1", 100, Whole),
            ("bytes=1", 100, Whole),
            ("bytes=1-2-3", 100, Whole),
            ("bytes=a-b", 100, Whole),
            ("bytes=+1-2", 100, Whole),
            ("bytes=1 - 2", 100, Whole),
            ("bytes=0x1-2", 100, Whole),
            ("bytes=٣-٤", 100, Whole),
            ("bytes =1-2", 100, Whole),
            ("items=0-5", 100, Whole),
        ];
        for (header, len, expected) in table {
            assert_eq!(ByteRange::parse(Some(header), len), expected, "{header:?} of {len}");
        }
        assert_eq!(ByteRange::parse(None, 100), Whole);
        assert_eq!(ByteRange::parse(None, 0), Whole);
    }

    #[test]
    fn report_p1_several_ranges_are_parts_in_their_order() {
        use ByteRange::{Excessive, Part, Parts, Unsatisfiable, Whole};
        let list = |range: &str, count: usize| format!("bytes={}", vec![range; count].join(","));
        let (most, too_many, beyond) = (list("0-0", 1024), list("0-0", 1025), list("2000-", 1025));
        let table: [(&str, u64, ByteRange); 31] = [
            ("bytes=0-9,100-109", 500, Parts(vec![0..10, 100..110])),
            ("bytes=100-109,0-9", 500, Parts(vec![100..110, 0..10])),
            ("bytes=0-0,0-0", 500, Parts(vec![0..1, 0..1])),
            ("bytes=0-9,5-14", 500, Parts(vec![0..10, 5..15])),
            ("bytes=0-9,10-19", 500, Parts(vec![0..10, 10..20])),
            ("BYTES= 0-1 ,\t3-4 ", 500, Parts(vec![0..2, 3..5])),
            ("bytes=,0-1,,3-4,", 500, Parts(vec![0..2, 3..5])),
            ("bytes=0-1,-1", 500, Parts(vec![0..2, 499..500])),
            ("bytes=0-1,499-", 500, Parts(vec![0..2, 499..500])),
            ("bytes=0-1,490-99999999999999999999999", 500, Parts(vec![0..2, 490..500])),
            ("bytes=0-249,250-499", 500, Parts(vec![0..250, 250..500])),
            ("bytes=0-,5-2", 500, Part { first: 0, last: 499 }),
            ("bytes=0-9,500-", 500, Part { first: 0, last: 9 }),
            ("bytes=500-,0-9", 500, Part { first: 0, last: 9 }),
            ("bytes=600-700,-0,0-9,5-2", 500, Part { first: 0, last: 9 }),
            ("bytes=500-,600-700", 500, Unsatisfiable),
            ("bytes=-0,5-2", 500, Unsatisfiable),
            ("bytes=0-1,2-3", 0, Unsatisfiable),
            ("bytes=-1,-1", 0, Unsatisfiable),
            ("bytes=0-249,249-499", 500, Excessive),
            ("bytes=0-,0-", 500, Excessive),
            ("bytes=0-0,0-0", 1, Excessive),
            ("bytes=0-18446744073709551615,0-,-18446744073709551615", u64::MAX, Excessive),
            (&most, 1023, Excessive),
            (&most, 1024, Parts(vec![0..1; 1024])),
            (&too_many, 2000, Excessive),
            (&beyond, 2000, Excessive),
            ("bytes=0-1,a", 500, Whole),
            ("bytes=0-1,2", 500, Whole),
            ("bytes=0-1,-", 500, Whole),
            ("bytes=,", 500, Whole),
        ];
        for (header, len, expected) in table {
            assert_eq!(ByteRange::parse(Some(header), len), expected, "{header:?} of {len}");
        }
    }

    #[test]
    fn g4_a_chunk_has_a_first_and_a_last_byte() {
        for (text, first, len) in [
            ("0-0", 0, 1),
            ("0-99", 0, 100),
            ("100-199", 100, 100),
            ("bytes 0-99/*", 0, 100),
            ("bytes 0-99/100", 0, 100),
            ("bytes 0-99", 0, 100),
            ("bytes=0-99", 0, 100),
            ("18446744073709551615-18446744073709551615", u64::MAX, 1),
            ("1-18446744073709551615", 1, u64::MAX),
        ] {
            assert_eq!(text.parse(), Ok(ContentRange { first, len }), "{text:?}");
        }
        for bad in [
            "",
            "-",
            "0",
            "0-",
            "-0",
            "1-0",
            "a-b",
            "0-1-2",
            "+0-1",
            " 0-1",
            "0-1 ",
            "0 - 1",
            "0-1,2-3",
            "0x0-1",
            "-1-0",
            "items 0-1",
            "bytes 0-1/x",
            "bytes */100",
            "0-18446744073709551615",
            "0-18446744073709551616",
            "18446744073709551616-18446744073709551617",
            "٣-٤",
        ] {
            assert_eq!(bad.parse::<ContentRange>(), Err(InvalidContentRange), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn g4_any_header_gives_bytes_that_there_are(header in prop_oneof![".*", "bytes=[0-9,. -]{0,40}", "bytes=[0-9]{0,22}-[0-9]{0,22}"], len: u64) {
            match ByteRange::parse(Some(&header), len) {
                ByteRange::Part { first, last } => prop_assert!(first <= last && last < len),
                ByteRange::Parts(parts) => {
                    prop_assert!(parts.len() > 1 && parts.iter().all(|part| part.start < part.end && part.end <= len));
                }
                _ => {}
            }
        }

        #[test]
        fn report_p1_each_of_several_ranges_is_what_it_is_alone(
            ranges in prop::collection::vec("([0-9]{1,2}-[0-9]{0,2}|-[0-9]{1,2})", 0..6), len in 0_u64..120,
        ) {
            let alone = ranges.iter().filter_map(|range| match ByteRange::parse(Some(&format!("bytes={range}")), len) {
                ByteRange::Part { first, last } => Some(first..last + 1),
                _ => None,
            });
            let alone: Vec<_> = alone.collect();
            let expected = match alone.as_slice() {
                _ if ranges.is_empty() => ByteRange::Whole,
                _ if alone.iter().map(|part| part.end - part.start).sum::<u64>() > len => ByteRange::Excessive,
                [] => ByteRange::Unsatisfiable,
                [part] => ByteRange::Part { first: part.start, last: part.end - 1 },
                _ => ByteRange::Parts(alone),
            };
            prop_assert_eq!(ByteRange::parse(Some(&format!("bytes={}", ranges.join(", "))), len), expected);
        }

        #[test]
        fn g4_a_range_is_what_counting_the_bytes_gives(first in 0_u64..40, last in 0_u64..40, len in 0_u64..30) {
            let bytes = |wanted: &dyn Fn(u64) -> bool| {
                let there: Vec<u64> = (0..len).filter(|byte| wanted(*byte)).collect();
                match (there.first(), there.last()) {
                    (Some(&first), Some(&last)) => ByteRange::Part { first, last },
                    _ => ByteRange::Unsatisfiable,
                }
            };
            let parse = |header: String| ByteRange::parse(Some(&header), len);
            prop_assert_eq!(parse(format!("bytes={first}-{last}")), bytes(&|byte| first <= byte && byte <= last));
            prop_assert_eq!(parse(format!("bytes={first}-")), bytes(&|byte| first <= byte));
            prop_assert_eq!(parse(format!("bytes=-{last}")), bytes(&|byte| byte + last >= len));
        }

        #[test]
        fn g4_any_text_is_a_chunk_only_if_it_has_bytes(text in prop_oneof![".*", "(bytes[ =])?[0-9]{0,21}-[0-9]{0,21}(/[0-9*])?"]) {
            if let Ok(ContentRange { first, len }) = text.parse::<ContentRange>() {
                prop_assert!(len > 0 && first.checked_add(len - 1).is_some());
            }
        }

        #[test]
        fn a_chunk_survives_its_text(first: u32, len in 1_u64..1_000_000) {
            let first = u64::from(first);
            prop_assert_eq!(format!("{first}-{}", first + len - 1).parse(), Ok(ContentRange { first, len }));
        }
    }
}
