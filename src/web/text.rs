//! Sizes, times and texts for people.

use std::time::SystemTime;

use maud::{Markup, html};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::oci::Digest;

/// How many characters of a text are shown.
const LONGEST: usize = 2_000;

/// A text that a client wrote, cut to [`LONGEST`], without characters that could hide or reorder other text.
pub(super) fn plain(text: &str) -> String {
    let (mut shown, mut before) = (String::new(), None);
    let mut rest = text.chars().take(LONGEST).peekable();
    while let Some(c) = rest.next() {
        let is_shown =
            !is_misleading(c) || is_joiner(c) && can_be_joined(before) && can_be_joined(rest.peek().copied());
        shown.push(if is_shown { c } else { '\u{fffd}' });
        before = Some(c);
    }
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// Whether a character joins its neighbours or keeps them apart, as in emoji and in Indic and Arabic scripts.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Whether a joiner may be next to a character. In ASCII, it would only be invisible.
fn can_be_joined(c: Option<char>) -> bool {
    c.is_some_and(|c| !c.is_ascii() && !is_misleading(c))
}

/// Whether a character is invisible or changes the direction of the text. Line feeds and tabs are allowed.
fn is_misleading(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A number of bytes in decimal units.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    // Tenths of the unit, rounded down.
    let (mut tenths, mut unit) = (bytes / 100, 0);
    while tenths >= 10_000 {
        (tenths, unit) = (tenths / 1000, unit + 1);
    }
    match tenths {
        0..1000 => format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]),
        _ => format!("{} {}", tenths / 10, UNITS[unit]),
    }
}

/// The age of a time, with the time as a tooltip; a dash if it is not known.
pub(super) fn age(time: Option<SystemTime>) -> Markup {
    let Some(time) = time else { return html! { "–" } };
    let seconds = SystemTime::now().duration_since(time).unwrap_or_default().as_secs();
    let date = OffsetDateTime::from(time).replace_nanosecond(0).ok().and_then(|time| time.format(&Rfc3339).ok());
    let date = date.unwrap_or_default();
    html! {
        time datetime=(date) title=(date) {
            @if seconds < 60 { "just now" } @else { (span(seconds)) " ago" }
        }
    }
}

/// A duration in its largest unit.
pub(super) fn span(seconds: u64) -> String {
    const UNITS: [(u64, &str, &str); 6] = [
        (365 * 86_400, "year", "years"),
        (30 * 86_400, "month", "months"),
        (86_400, "day", "days"),
        (3_600, "hour", "hours"),
        (60, "minute", "minutes"),
        (1, "second", "seconds"),
    ];
    let unit = UNITS.into_iter().find(|(length, ..)| seconds >= *length);
    let (length, one, many) = unit.unwrap_or((1, "second", "seconds"));
    counted(seconds / length, one, many)
}

/// A number with what it counts: `1 tag`, `2 tags`.
pub(super) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A digest with the beginning of its hex digits.
pub(super) fn short(digest: &Digest) -> Markup {
    html! { code title=(digest) { (digest.algorithm()) ":" (&digest.hex()[..12]) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        for (bytes, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1999, "1.9 kB"),
            (99_999, "99.9 kB"),
            (100_000, "100 kB"),
            (999_999, "999 kB"),
            (1_000_000, "1.0 MB"),
            (1_234_567_890, "1.2 GB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }

    #[test]
    fn ages_are_in_the_largest_unit() {
        for (seconds, expected) in [
            (0, "0 seconds"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (7_199, "1 hour"),
            (2 * 86_400, "2 days"),
            (45 * 86_400, "1 month"),
            (800 * 86_400, "2 years"),
        ] {
            assert_eq!(span(seconds), expected);
        }
    }

    #[test]
    fn a_text_can_not_hide_or_reorder() {
        assert_eq!(
            plain("a\u{202e}b\u{0}c\u{1b}[1m\u{200b}\u{2066}\nd\té"),
            "a\u{fffd}b\u{fffd}c\u{fffd}[1m\u{fffd}\u{fffd}\nd\té"
        );
        // Joiners stay where they belong to a script or to an emoji.
        for text in ["\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}", "\u{915}\u{94d}\u{200d}\u{937}"] {
            assert_eq!(plain(text), text);
        }
        assert_eq!(plain("\u{200d}é\u{200d}a\u{200d}é\u{200d}\u{200d}é").matches('\u{fffd}').count(), 5);
        assert_eq!(plain(&"x".repeat(LONGEST)).len(), LONGEST);
        assert_eq!(plain(&"x".repeat(LONGEST + 1)).chars().count(), LONGEST + 1);
        assert!(plain(&"x".repeat(LONGEST + 1)).ends_with('…'));
    }
}
