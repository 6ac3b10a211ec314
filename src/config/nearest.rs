//! Suggestions for misspelt words.

/// The candidate with the fewest edits, if they are few.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .map(|candidate| (strsim::levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(edits, candidate)| *edits <= 3 && *edits * 3 <= candidate.len().max(3))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

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
