//! Challenges: what an upstream wants to see before it answers (RFC 9110, section 11.6.1; RFC 6750).

/// A challenge that can be met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A name and a password.
    Basic,
    /// A token of `realm`.
    Bearer {
        /// The URL that issues tokens.
        realm: String,
        /// The registry, by the name that the issuer knows.
        service: Option<String>,
        /// The rights that the token has to give.
        scope: Option<String>,
    },
}

impl Challenge {
    /// Reads the values of `WWW-Authenticate`. A Bearer challenge comes before a Basic one.
    pub(super) fn parse<'a>(values: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut basic = None;
        for value in values {
            let (scheme, rest) = value.trim_start().split_once(' ').unwrap_or((value.trim(), ""));
            if scheme.eq_ignore_ascii_case("bearer") {
                let mut parameters = parameters(rest);
                let mut take =
                    |name| parameters.iter().position(|(key, _)| key == name).map(|at| parameters.remove(at).1);
                if let Some(realm) = take("realm") {
                    return Some(Self::Bearer { realm, service: take("service"), scope: take("scope") });
                }
            } else if scheme.eq_ignore_ascii_case("basic") {
                basic = Some(Self::Basic);
            }
        }
        basic
    }
}

/// `name=value` pairs, whose values may be in quotes. What is no pair ends the list.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', ',', '\t']);
        let Some((name, after)) = rest.split_once('=') else { return pairs };
        let after = after.trim_start();
        let (value, after) = if let Some(quoted) = after.strip_prefix('"') {
            let Some(read) = unquote(quoted) else { return pairs };
            read
        } else {
            let end = after.find([',', ' ']).unwrap_or(after.len());
            (after[..end].to_owned(), &after[end..])
        };
        pairs.push((name.trim().to_ascii_lowercase(), value));
        rest = after;
    }
}

/// The text up to the closing quote, and what follows.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            char => value.push(char),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "the rows have it so")]
    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
        let [service, scope] = [service, scope].map(|text| text.map(str::to_owned));
        Some(Challenge::Bearer { realm: realm.to_owned(), service, scope })
    }

    #[test]
    fn challenges_of_registries_are_read() {
        let rows: [(&[&str], Option<Challenge>); 10] = [
            (
                &[
                    r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull""#,
                ],
                bearer("https://auth.docker.io/token", Some("registry.docker.io"), Some("repository:a/b:pull")),
            ),
            (&[r#"bearer Realm=https://r/t , Service="a\"b""#], bearer("https://r/t", Some("a\"b"), None)),
            (
                &[r#"Bearer scope="repository:a:pull,push", realm="https://r""#],
                bearer("https://r", None, Some("repository:a:pull,push")),
            ),
            (&["Basic realm=\"x\""], Some(Challenge::Basic)),
            (&["basic"], Some(Challenge::Basic)),
            (&["Basic realm=\"x\"", "Bearer realm=\"https://r\""], bearer("https://r", None, None)),
            (&["Bearer service=\"x\""], None),
            (&["Bearer realm=\"https://r"], None),
            (&["Negotiate"], None),
            (&[], None),
        ];
        for (values, expected) in rows {
            assert_eq!(Challenge::parse(values.iter().copied()), expected, "{values:?}");
        }
    }
}
