//! Entity tags, and the conditions that a request makes on them (RFC 9110, sections 8.8.3 and 13).

use super::Digest;

/// The value of `If-Match`, `If-None-Match` or `If-Range`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntityTags {
    /// `*`: whatever there is.
    Any,
    /// The tags that could be read.
    These {
        /// Each of them.
        tags: Vec<EntityTag>,
        /// Whether there was nothing that could not be read.
        is_whole: bool,
    },
}

/// A tag of a list (RFC 9110, section 8.8.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityTag {
    is_weak: bool,
    opaque: String,
}

impl EntityTags {
    /// Reads the value of a field, the lines of one that is there several times being one list (RFC 9110, section 5.3).
    ///
    /// A digest without quotes is read as a strong tag, as registry:2 does. `*` beside anything else is no condition
    /// that the RFC knows.
    ///
    /// ```
    /// use wharf::oci::EntityTags;
    /// assert_eq!(EntityTags::parse(["*"]), EntityTags::Any);
    /// ```
    #[must_use]
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut tags, mut stars, mut is_whole) = (Vec::new(), 0, true);
        for line in lines {
            let mut rest = line;
            loop {
                rest = rest.trim_start_matches([',', ' ', '\t']);
                if rest.is_empty() {
                    break;
                }
                let (member, after) = next_member(rest);
                match member {
                    Some(Member::Star) => stars += 1,
                    Some(Member::Tag(tag)) => tags.push(tag),
                    None => is_whole = false,
                }
                rest = after;
            }
        }
        match (stars, tags.is_empty() && is_whole) {
            (0, _) => Self::These { tags, is_whole },
            (1, true) => Self::Any,
            _ => Self::These { tags, is_whole: false },
        }
    }

    /// Whether the current content is among these by strong comparison; there may be none.
    #[must_use]
    pub fn match_strongly(&self, current: Option<&Digest>) -> bool {
        self.find(current, |tag| !tag.is_weak)
    }

    /// Whether the current content is among these by weak comparison; there may be none.
    #[must_use]
    pub fn match_weakly(&self, current: Option<&Digest>) -> bool {
        self.find(current, |_| true)
    }

    /// Whether this is one strong tag, that of `digest`: what `If-Range` asks (RFC 9110, section 13.1.5).
    #[must_use]
    pub fn is_exactly(&self, digest: &Digest) -> bool {
        matches!(self, Self::These { tags, is_whole: true } if tags.len() == 1) && self.match_strongly(Some(digest))
    }

    fn find(&self, current: Option<&Digest>, counts: impl Fn(&EntityTag) -> bool) -> bool {
        let Some(current) = current else { return false };
        match self {
            Self::Any => true,
            Self::These { tags, .. } => {
                let current = current.to_string();
                tags.iter().any(|tag| counts(tag) && tag.opaque == current)
            }
        }
    }

    fn is_whole(&self) -> bool {
        matches!(self, Self::Any | Self::These { is_whole: true, .. })
    }
}

enum Member {
    Star,
    Tag(EntityTag),
}

/// The first member of a list, if it can be read, and what comes after it.
fn next_member(list: &str) -> (Option<Member>, &str) {
    let (is_weak, text) = list.strip_prefix("W/").map_or((false, list), |text| (true, text));
    let Some(quoted) = text.strip_prefix('"') else {
        let (token, after) = text.split_once(',').unwrap_or((text, ""));
        let token = token.trim_end_matches([' ', '\t']);
        let member = match token {
            "*" if !is_weak => Some(Member::Star),
            _ if token.is_empty() || token.contains('"') => None,
            _ => Some(Member::Tag(EntityTag { is_weak, opaque: token.to_owned() })),
        };
        return (member, after);
    };
    let Some((opaque, after)) = quoted.split_once('"') else { return (None, "") };
    let after = after.trim_start_matches([' ', '\t']);
    if after.is_empty() || after.starts_with(',') {
        return (Some(Member::Tag(EntityTag { is_weak, opaque: opaque.to_owned() })), after);
    }
    (None, after.split_once(',').map_or("", |(_, after)| after))
}

/// The conditions of a request ([RFC 9110, section 13](https://www.rfc-editor.org/rfc/rfc9110#section-13)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// `If-Match`.
    pub if_match: Option<EntityTags>,
    /// `If-None-Match`.
    pub if_none_match: Option<EntityTags>,
}

/// The result of the conditions of a GET or HEAD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// The content is sent.
    Send,
    /// The client has it: 304.
    NotModified,
    /// A condition does not hold: 412.
    Refused,
}

impl Preconditions {
    /// Whether there are any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.if_match.is_none() && self.if_none_match.is_none()
    }

    /// Whether content may be changed that is `current` now; `None`: there is none. A condition that can't be read does
    /// not hold: the client wants to be safe from something.
    #[must_use]
    pub fn allow_write(&self, current: Option<&Digest>) -> bool {
        self.if_match_holds(current)
            && self.if_none_match.as_ref().is_none_or(|tags| tags.is_whole() && !tags.match_weakly(current))
    }

    /// The result for a read of content that is `current`.
    #[must_use]
    pub fn of_read(&self, current: &Digest) -> Read {
        if !self.if_match_holds(Some(current)) {
            return Read::Refused;
        }
        let is_known = self.if_none_match.as_ref().is_some_and(|tags| tags.match_weakly(Some(current)));
        if is_known { Read::NotModified } else { Read::Send }
    }

    fn if_match_holds(&self, current: Option<&Digest>) -> bool {
        self.if_match.as_ref().is_none_or(|tags| tags.match_strongly(current))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail that way")]

    use proptest::prelude::*;

    use super::*;
    use crate::oci::Algorithm;

    fn digest(content: &str) -> Digest {
        Digest::of(Algorithm::Sha256, content.as_bytes())
    }

    /// Each line of fields, `A` standing for the digest of what is there and `B` for another: whether it names what is
    /// there strongly, and weakly, and whether all of it could be read.
    const LISTS: &[(&[&str], bool, bool, bool)] = &[
        (&["*"], true, true, true),
        (&[" * "], true, true, true),
        (&["\"A\""], true, true, true),
        (&["A"], true, true, true),
        (&["W/\"A\""], false, true, true),
        (&["W/A"], false, true, true),
        (&["w/\"A\""], false, false, false),
        (&["\"B\""], false, false, true),
        (&["\"A0\""], false, false, true),
        (&["\"B\", \"A\""], true, true, true),
        (&["\"B\",\"A\""], true, true, true),
        (&["\"B\" ,\t\"A\" "], true, true, true),
        (&[",,\"A\",,"], true, true, true),
        (&["\"B\"", "\"A\""], true, true, true),
        (&["\"B\"", "W/\"A\""], false, true, true),
        (&["\"x,y\", \"A\""], true, true, true),
        (&["\"x,A\""], false, false, true),
        (&["B, A"], true, true, true),
        (&[""], false, false, true),
        (&[","], false, false, true),
        (&["\"\""], false, false, true),
        (&["*, *"], false, false, false),
        (&["*", "*"], false, false, false),
        (&["\"B\", *"], false, false, false),
        (&["*, \"B\""], false, false, false),
        (&["\"A\", *"], true, true, false),
        (&["W/*"], false, false, true),
        (&["\"*\""], false, false, true),
        (&["\"A"], false, false, false),
        (&["A\""], false, false, false),
        (&["\"B\" \"A\""], false, false, false),
        (&["\"B\"x, \"A\""], true, true, false),
        (&["W/"], false, false, false),
        (&["'A'"], false, false, true),
    ];

    #[test]
    fn report_p6_lists_of_tags_are_read() {
        let (here, other) = (digest("a"), digest("b"));
        for (lines, strongly, weakly, is_whole) in LISTS {
            let lines = lines.iter().map(|line| line.replace('A', &here.to_string()).replace('B', &other.to_string()));
            let lines: Vec<_> = lines.collect();
            let tags = EntityTags::parse(lines.iter().map(String::as_str));
            let read = (tags.match_strongly(Some(&here)), tags.match_weakly(Some(&here)), tags.is_whole());
            assert_eq!(read, (*strongly, *weakly, *is_whole), "{lines:?}");
            assert!(!tags.match_strongly(None) && !tags.match_weakly(None), "{lines:?}");
        }
    }

    #[test]
    fn report_p6_conditions_are_those_of_the_rfc() {
        let (here, other) = (digest("a"), digest("b"));
        let tag = |text: &str| {
            Some(EntityTags::parse([text.replace('A', &here.to_string()).replace('B', &other.to_string()).as_str()]))
        };
        // If-Match, If-None-Match; whether a write goes through where the content is there, and where nothing is; what
        // a read comes to.
        let rows = [
            (None, None, true, true, Read::Send),
            (tag("*"), None, true, false, Read::Send),
            (tag("\"A\""), None, true, false, Read::Send),
            (tag("W/\"A\""), None, false, false, Read::Refused),
            (tag("\"B\""), None, false, false, Read::Refused),
            (tag("\"B\", \"A\""), None, true, false, Read::Send),
            (tag(""), None, false, false, Read::Refused),
            (tag("\"A"), None, false, false, Read::Refused),
            (None, tag("*"), false, true, Read::NotModified),
            (None, tag("\"A\""), false, true, Read::NotModified),
            (None, tag("W/\"A\""), false, true, Read::NotModified),
            (None, tag("\"B\""), true, true, Read::Send),
            (None, tag(""), true, true, Read::Send),
            (None, tag("\"B"), false, false, Read::Send),
            (None, tag("\"B\", *"), false, false, Read::Send),
            (tag("\"A\""), tag("\"A\""), false, false, Read::NotModified),
            (tag("\"B\""), tag("\"A\""), false, false, Read::Refused),
            (tag("\"A\""), tag("\"B\""), true, false, Read::Send),
            (tag("*"), tag("*"), false, false, Read::NotModified),
        ];
        for (if_match, if_none_match, there, absent, read) in rows {
            let conditions = Preconditions { if_match, if_none_match };
            let outcome =
                (conditions.allow_write(Some(&here)), conditions.allow_write(None), conditions.of_read(&here));
            assert_eq!(outcome, (there, absent, read), "{conditions:?}");
        }
    }

    #[test]
    fn report_p6_if_range_is_one_strong_tag() {
        let (here, other) = (digest("a"), digest("b"));
        for (text, expected) in [
            (format!("\"{here}\""), true),
            (here.to_string(), true),
            (format!("W/\"{here}\""), false),
            (format!("\"{other}\""), false),
            (format!("\"{here}\", \"{here}\""), false),
            ("*".to_owned(), false),
            (String::new(), false),
            ("Wed, 21 Oct 2015 07:28:00 GMT".to_owned(), false),
        ] {
            assert_eq!(EntityTags::parse([text.as_str()]).is_exactly(&here), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_list_and_only_a_star_alone_is_any(text in prop_oneof![".*", "[W/\"*a, ]{0,12}"]) {
            let is_star = text.trim_matches([',', ' ', '\t']) == "*";
            prop_assert_eq!(EntityTags::parse([text.as_str()]) == EntityTags::Any, is_star);
        }
    }
}
