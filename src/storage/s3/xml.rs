//! The little of XML that answers of S3 need: elements without attributes, that hold text or other elements.

/// The content of each element `name` in `text`, as it is written. Elements of one name are never nested in S3.
pub(super) fn elements<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(&begin) {
        let Some((content, after)) = after.split_once(&end) else { break };
        found.push(content);
        rest = after;
    }
    found
}

/// The text of the first element `name`, without its entities (XML 1.0, section 4.1).
pub(super) fn text_of(text: &str, name: &str) -> Option<String> {
    elements(text, name).first().map(|content| unescape(content))
}

fn unescape(text: &str) -> String {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (character, rest) =
            part.split_once(';').and_then(|(entity, rest)| Some((character(entity)?, rest))).unwrap_or(('&', part));
        plain.push(character);
        plain.push_str(rest);
    }
    plain
}

fn character(entity: &str) -> Option<char> {
    Some(match entity {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        number => {
            let number = number.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_and_read() {
        let text = "<?xml version=\"1.0\"?>\n<R xmlns=\"x\"><A><K>a&amp;b</K></A><A><K>&#34;c&#x22;</K></A><E></E><Z>";
        assert_eq!(elements(text, "A"), ["<K>a&amp;b</K>", "<K>&#34;c&#x22;</K>"]);
        assert_eq!(text_of(text, "K").as_deref(), Some("a&b"));
        assert_eq!(text_of(elements(text, "A")[1], "K").as_deref(), Some("\"c\""));
        assert_eq!(text_of(text, "E").as_deref(), Some(""));
        assert_eq!((text_of(text, "None"), text_of(text, "Z")), (None, None));
        assert_eq!(unescape("&lt;&&none;&#xd800;&gt"), "<&&none;&#xd800;&gt");
    }
}
