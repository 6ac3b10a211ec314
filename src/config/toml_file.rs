//! Reads TOML into values with their lines.

use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::node::{Node, Value};
use super::{ConfigError, Source};

/// Reads a TOML document.
pub(super) fn read(text: &str, path: &Arc<Path>) -> Result<Node, ConfigError> {
    let lines = Lines { text, path };
    match DeTable::parse(text) {
        Ok(table) => Ok(Node { value: lines.table(table.into_inner()), source: lines.at(0) }),
        Err(error) => Err(ConfigError::Syntax {
            place: lines.at(error.span().map_or(0, |span| span.start)),
            language: "TOML",
            problem: error.message().to_owned(),
        }),
    }
}

struct Lines<'a> {
    text: &'a str,
    path: &'a Arc<Path>,
}

impl Lines<'_> {
    fn at(&self, offset: usize) -> Source {
        let before = self.text.as_bytes().iter().take(offset);
        Source::File { path: Arc::clone(self.path), line: 1 + before.filter(|byte| **byte == b'\n').count() }
    }

    fn table(&self, table: DeTable<'_>) -> Value {
        let mut entries: Vec<_> = table.into_iter().collect();
        // The parser sorts keys; errors are reported in the order of the file.
        entries.sort_by_key(|(key, _)| key.span().start);
        let entry = |(key, value): (Spanned<_>, Spanned<DeValue<'_>>)| {
            let source = self.at(key.span().start);
            let key: std::borrow::Cow<'_, str> = key.into_inner();
            (key.into_owned(), Node { value: self.value(value.into_inner()), source })
        };
        Value::Table(entries.into_iter().map(entry).collect())
    }

    fn value(&self, value: DeValue<'_>) -> Value {
        match value {
            DeValue::String(text) => Value::Scalar(text.into_owned()),
            DeValue::Integer(number) if number.radix() == 10 => Value::Scalar(number.as_str().to_owned()),
            DeValue::Integer(number) => Value::Scalar(
                i64::from_str_radix(number.as_str(), number.radix()).map_or(number.to_string(), |n| n.to_string()),
            ),
            DeValue::Float(number) => Value::Scalar(number.as_str().to_owned()),
            DeValue::Boolean(flag) => Value::Scalar(flag.to_string()),
            DeValue::Datetime(moment) => Value::Scalar(moment.to_string()),
            DeValue::Array(items) => Value::List(
                items
                    .into_iter()
                    .map(|item| Node { source: self.at(item.span().start), value: self.value(item.into_inner()) })
                    .collect(),
            ),
            DeValue::Table(table) => self.table(table),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn lines(node: &Node, key: &str, out: &mut Vec<String>) {
        match &node.value {
            Value::Table(entries) => entries.iter().for_each(|(name, node)| lines(node, &format!("{key}.{name}"), out)),
            Value::List(items) => items.iter().for_each(|node| lines(node, &format!("{key}[]"), out)),
            Value::Scalar(text) => out.push(format!("{key}={text}@{}", node.source)),
            Value::Null => {}
        }
    }

    #[test]
    fn reads_values_with_their_lines() {
        let text = "b = 0x10\n\n[a]\nz = 'x'\ny = [\n  'p',\n  'q',\n]\n[a.c]\nd.e = 1.50\n[[f]]\ng = true\n[[f]]\ng = 1979-05-27\n";
        let path: Arc<Path> = Path::new("f").into();
        let mut out = Vec::new();
        lines(&read(text, &path).unwrap(), "", &mut out);
        let expected = [
            ".b=16@f:1",
            ".a.z=x@f:4",
            ".a.y[]=p@f:6",
            ".a.y[]=q@f:7",
            ".a.c.d.e=1.50@f:10",
            ".f[].g=true@f:12",
            ".f[].g=1979-05-27@f:14",
        ];
        assert_eq!(out, expected);
    }

    #[test]
    fn says_where_it_makes_no_sense() {
        let path: Arc<Path> = Path::new("f").into();
        for (text, line) in [("a = 1\nb = \n", 2), ("a = 1\na = 2\n", 2), ("[a\n", 1), ("a: 1\n", 1)] {
            let error = read(text, &path).unwrap_err().to_string();
            assert!(error.starts_with(&format!("f:{line}: this is not valid TOML: ")), "{text}: {error}");
        }
    }
}
