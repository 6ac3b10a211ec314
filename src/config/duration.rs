//! Durations in Go's notation.

use std::time::Duration;

const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads `30s`, `1h30m`, `1.5h`, `0`. A number without a unit is refused: registry:2 reads it as nanoseconds, which is
/// not what its author means.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration; write it like 30s, 5m or 24h");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut total: u128 = 0;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let (amount, after) = amount(rest).ok_or_else(wrong)?;
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == &after[..end]).ok_or_else(wrong)?;
        // Fractions of a nanosecond are dropped.
        total = total.checked_add(amount.whole * unit + amount.fraction * unit / amount.scale).ok_or_else(wrong)?;
        rest = &after[end..];
    }
    u64::try_from(total).map(Duration::from_nanos).map_err(|_| format!("`{text}` is too long"))
}

struct Amount {
    whole: u128,
    fraction: u128,
    scale: u128,
}

/// Digits with at most one point, and the rest of the text.
fn amount(text: &str) -> Option<(Amount, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (whole, fraction) = text[..end].split_once('.').unwrap_or((&text[..end], ""));
    // Fifteen digits are enough for every duration, and the products do not overflow.
    let digits = |digits: &str| if digits.len() <= 15 { digits.parse::<u128>().ok() } else { None };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let number = |text: &str| if text.is_empty() { Some(0) } else { digits(text) };
    let scale = 10_u128.pow(u32::try_from(fraction.len().min(15)).ok()?);
    Some((Amount { whole: number(whole)?, fraction: number(fraction)?, scale }, &text[end..]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_go_reads() {
        let cases = [
            ("0", 0),
            ("0s", 0),
            ("30s", 30_000),
            ("+5m", 300_000),
            ("168h", 604_800_000),
            ("1h30m", 5_400_000),
            ("1.5h", 5_400_000),
            (".5s", 500),
            ("2.s", 2_000),
            ("250ms", 250),
            ("1m0.25s", 60_250),
        ];
        for (text, millis) in cases {
            assert_eq!(parse(text).unwrap(), Duration::from_millis(millis), "{text}");
        }
        assert_eq!(parse("3us").unwrap(), parse("3µs").unwrap());
    }

    #[test]
    fn refuses_the_rest() {
        for text in
            ["", "+", "30", "s", "-5s", "1d", "5 s", "1.2.3s", ".s", "1h-5m", "9999999999h", "99999999999999999999s"]
        {
            let problem = parse(text).unwrap_err();
            assert!(problem.contains(&format!("`{text}`")), "{problem}");
        }
    }

    proptest! {
        #[test]
        fn nanoseconds_are_kept(nanos in any::<u64>()) {
            // Fifteen digits are as many as it reads.
            let nanos = nanos % 1_000_000_000_000_000;
            prop_assert_eq!(parse(&format!("{nanos}ns")).unwrap(), Duration::from_nanos(nanos));
        }

        #[test]
        fn hours_minutes_and_seconds_add_up(h in 0_u64..10_000, m in 0_u64..600, s in 0_u64..600) {
            let duration = Duration::from_secs(h * 3600 + m * 60 + s);
            prop_assert_eq!(parse(&format!("{h}h{m}m{s}s")).unwrap(), duration);
        }

        #[test]
        fn never_panics(text in "\\PC{0,12}") {
            let _ = parse(&text);
        }
    }
}
