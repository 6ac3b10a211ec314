//! Numbers of bytes.

const UNITS: [(&str, u64); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// Reads `4194304`, `4MiB`, `64 GiB`, `10GB`.
///
/// # Errors
/// In words for the operator.
pub fn parse(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size; write it like 4194304, 4MiB or 64GiB");
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..end].parse().map_err(|_| wrong())?;
    let unit = match text[end..].trim_start() {
        "" | "B" => 1,
        name => UNITS.iter().find(|(unit, _)| *unit == name).ok_or_else(wrong)?.1,
    };
    number.checked_mul(unit).ok_or_else(|| format!("`{text}` is too large"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_sizes() {
        let cases =
            [("0", 0), ("12", 12), ("12B", 12), ("4MiB", 4_194_304), ("64 GiB", 68_719_476_736), ("3kB", 3_000)];
        for (text, bytes) in cases {
            assert_eq!(parse(text).unwrap(), bytes, "{text}");
        }
        for text in ["", "MiB", "-1", "1.5GiB", "4mib", "4 Mi B", "99999999999TiB", "1e6"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[0-9a-zA-Z .]{0,24}") {
            let _ = parse(&text);
        }
    }
}
