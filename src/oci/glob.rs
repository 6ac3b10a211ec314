//! Patterns of repository names.

use std::{fmt, str::FromStr};

use super::{RepositoryName, Tag};

/// A pattern of repository names. `*` matches any characters within one component, and the component `**` matches any
/// number of components. At the end, `**` needs at least one, so `team/**` matches everything below `team`, but not
/// `team` itself.
///
/// The time of a match is at most the length of the pattern times that of the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    text: Box<str>,
    components: Box<[Component]>,
}

/// Why a text is not a [`Glob`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGlob {
    /// A component is empty.
    #[error("'{0}' has an empty component")]
    Empty(String),
    /// `**` stands beside other characters.
    #[error("'**' in '{0}' must stand alone between slashes; within a component write '*'")]
    DoubleStar(String),
    /// It has a character that no repository name has.
    #[error(
        "'{0}' has '{1}', which no repository name has: lower-case letters, digits, '.', '_', '-', '/' and the \
         wildcards '*' and '**' are allowed"
    )]
    Character(String, char),
    /// It has a character that no tag has.
    #[error("'{0}' has '{1}', which no tag has: letters, digits, '.', '_', '-' and the wildcard '*' are allowed")]
    TagCharacter(String, char),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Component {
    /// `**`
    Any,
    /// Text in which `*` matches any characters.
    Like(Box<str>),
}

impl Glob {
    /// Whether the pattern matches the whole name.
    #[must_use]
    pub fn matches(&self, name: &RepositoryName) -> bool {
        let name: Vec<&str> = name.components().collect();
        let is_any = |pattern: &Component| matches!(pattern, Component::Any);
        match_with_stars(&self.components, &name, is_any, |pattern, part| fits_component(pattern, part))
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// A pattern of tags: `*` matches any characters.
///
/// ```
/// use wharf::oci::TagGlob;
/// let pattern: TagGlob = "pr-*".parse().unwrap();
/// assert!(pattern.matches(&"pr-12".parse().unwrap()));
/// assert!(!pattern.matches(&"v1".parse().unwrap()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagGlob(Box<str>);

impl TagGlob {
    /// Whether the pattern matches the whole tag.
    #[must_use]
    pub fn matches(&self, tag: &Tag) -> bool {
        fits_text(&self.0, tag.as_str())
    }
}

impl FromStr for TagGlob {
    type Err = InvalidGlob;

    fn from_str(text: &str) -> Result<Self, InvalidGlob> {
        let allowed = |c: &char| c.is_ascii_alphanumeric() || "._-*".contains(*c);
        match text.chars().find(|c| !allowed(c)) {
            _ if text.is_empty() => Err(InvalidGlob::Empty(text.to_owned())),
            Some(c) => Err(InvalidGlob::TagCharacter(text.to_owned(), c)),
            None => Ok(Self(text.into())),
        }
    }
}

fn fits_component(pattern: &Component, part: &str) -> bool {
    match pattern {
        Component::Any => true,
        Component::Like(text) => fits_text(text, part),
    }
}

/// Matches a text in which `*` matches any characters.
fn fits_text(pattern: &str, text: &str) -> bool {
    match_with_stars(pattern.as_bytes(), text.as_bytes(), |byte| *byte == b'*', |pattern, byte| pattern == byte)
}

/// Matches `text` against `pattern`, in which some items are stars: they match any run of items. Only the run of the
/// latest star is ever made longer. Items that an earlier star could match, the latest can match too, so no other way
/// has to be tried.
fn match_with_stars<P, T>(
    pattern: &[P],
    text: &[T],
    is_star: impl Fn(&P) -> bool,
    fits: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut at, mut position) = (0, 0);
    let mut latest: Option<(usize, usize)> = None;
    while position < text.len() {
        match pattern.get(at) {
            Some(item) if is_star(item) => {
                latest = Some((at, position));
                at += 1;
            }
            Some(item) if fits(item, &text[position]) => {
                at += 1;
                position += 1;
            }
            _ => {
                let Some((star, from)) = latest else { return false };
                latest = Some((star, from + 1));
                at = star + 1;
                position = from + 1;
            }
        }
    }
    pattern[at..].iter().all(is_star)
}

impl FromStr for Glob {
    type Err = InvalidGlob;

    fn from_str(text: &str) -> Result<Self, InvalidGlob> {
        let allowed = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/*".contains(*c);
        if let Some(c) = text.chars().find(|c| !allowed(c)) {
            return Err(InvalidGlob::Character(text.to_owned(), c));
        }
        let component = |part: &str| match part {
            "" => Err(InvalidGlob::Empty(text.to_owned())),
            "**" => Ok(Component::Any),
            _ if part.contains("**") => Err(InvalidGlob::DoubleStar(text.to_owned())),
            _ => Ok(Component::Like(part.into())),
        };
        let mut components = text.split('/').map(component).collect::<Result<Vec<_>, _>>()?;
        if components.last() == Some(&Component::Any) {
            components.push(Component::Like("*".into()));
        }
        Ok(Self { text: text.into(), components: components.into() })
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_and_names() {
        let table = [
            ("app", "app", true),
            ("app", "app2", false),
            ("app", "team/app", false),
            ("*", "app", true),
            ("*", "team/app", false),
            ("**", "app", true),
            ("**", "a/b/c/d", true),
            ("team/*", "team/app", true),
            ("team/*", "team/x/app", false),
            ("team/*", "team", false),
            ("team/**", "team", false),
            ("team/**", "team/app", true),
            ("team/**", "team/x/y/z", true),
            ("team/**", "teams/app", false),
            ("**/app", "app", true),
            ("**/app", "a/b/app", true),
            ("**/app", "a/b/xapp", false),
            ("a/**/z", "a/z", true),
            ("a/**/z", "a/b/c/z", true),
            ("a/**/z", "a/b/c", false),
            ("a/**/m/**/z", "a/m/m/q/z", true),
            ("team-*/app", "team-x/app", true),
            ("team-*/app", "team/app", false),
            ("*-ci-*", "x-ci-y", true),
            ("a*b*c", "abbbcbc", true),
            ("a*b*c", "abbbcb", false),
            ("**/**", "a", true),
        ];
        for (pattern, name, expected) in table {
            let glob: Glob = pattern.parse().unwrap();
            assert_eq!(glob.matches(&name.parse().unwrap()), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn what_is_no_pattern() {
        for (text, word) in [
            ("", "empty"),
            ("a//b", "empty"),
            ("/a", "empty"),
            ("a/", "empty"),
            ("a**", "alone"),
            ("A", "'A'"),
            ("a b", "' '"),
            ("a?", "'?'"),
        ] {
            let error = text.parse::<Glob>().unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    /// Tries every way, without a thought for the cost.
    fn naive(pattern: &[&str], name: &[&str]) -> bool {
        match pattern {
            [] => name.is_empty(),
            ["**"] => !name.is_empty(),
            ["**", rest @ ..] => (0..=name.len()).any(|skip| naive(rest, &name[skip..])),
            [first, rest @ ..] => {
                !name.is_empty() && naive_component(first.as_bytes(), name[0].as_bytes()) && naive(rest, &name[1..])
            }
        }
    }

    fn naive_component(pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', rest @ ..] => (0..=text.len()).any(|skip| naive_component(rest, &text[skip..])),
            [first, rest @ ..] => text.first() == Some(first) && naive_component(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn agrees_with_trying_every_way(
            pattern in "(\\*\\*|[ab]\\*?[ab]?|\\*)(/(\\*\\*|[ab]\\*?[ab]?|\\*)){0,4}",
            name in "[ab]{1,3}(/[ab]{1,3}){0,4}",
        ) {
            let glob: Glob = pattern.parse().unwrap();
            let expected = naive(&pattern.split('/').collect::<Vec<_>>(), &name.split('/').collect::<Vec<_>>());
            prop_assert_eq!(glob.matches(&name.parse().unwrap()), expected);
        }

        #[test]
        fn never_panics(text in ".{0,80}") {
            let _ = text.parse::<Glob>();
        }
    }

    #[test]
    fn many_stars_do_not_explode() {
        let glob: Glob = format!("{}b", "*a".repeat(60)).parse().unwrap();
        assert!(!glob.matches(&"a".repeat(255).parse().unwrap()));
        let glob: Glob = format!("{}b", "**/a/".repeat(60)).parse().unwrap();
        assert!(!glob.matches(&vec!["a"; 127].join("/").parse().unwrap()));
    }
}
