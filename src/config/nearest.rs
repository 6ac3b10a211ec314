//! The nearest of several words, for "did you mean".

/// The candidate that is the fewest edits away, if that is few enough to have been meant.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .map(|candidate| (distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(edits, candidate)| *edits <= 3 && *edits * 3 <= candidate.len().max(3))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance: letters inserted, removed or replaced.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        let cases = [("", "", 0), ("addr", "addr", 0), ("adr", "addr", 1), ("address", "addr", 3), ("", "abc", 3)];
        for (a, b, edits) in cases {
            assert_eq!(distance(a, b), edits, "{a} {b}");
            assert_eq!(distance(b, a), edits, "{b} {a}");
        }
    }

    #[test]
    fn finds_only_what_may_have_been_meant() {
        let keys = ["http.addr", "http.host", "log.level", "log"];
        let cases = [
            ("http.adr", Some("http.addr")),
            ("http.Addr", Some("http.addr")),
            ("http.address", Some("http.addr")),
            ("htp.host", Some("http.host")),
            ("lgo", None),
            ("logs", Some("log")),
            ("colour", None),
        ];
        for (word, expected) in cases {
            assert_eq!(nearest(word, keys.into_iter()), expected, "{word}");
        }
    }
}
