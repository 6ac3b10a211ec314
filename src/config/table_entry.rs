//! Tables in lists: `health.tcp`, `notifications.endpoints`.

use std::time::Duration;

use super::node::{Node, Value};
use super::values::{Values, texts};
use super::{ConfigError, Source, duration, nearest};

/// The fields of a table in a list, each read at most once.
pub(super) struct TableEntry<'a> {
    key: &'static str,
    values: &'a mut Values,
    fields: Vec<(String, Node)>,
    pub(super) place: Source,
}

impl TableEntry<'_> {
    /// A field as `parse` reads it; `None` if it is not there, or wrong.
    pub(super) fn take<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let node = self.node(name)?;
        let read = match &node.value {
            Value::Scalar(text) if !text.is_empty() => parse(text),
            _ => Err(format!("a text was expected, not {}", node.kind())),
        };
        read.map_err(|problem| self.values.bad::<()>(&format!("{}.{name}", self.key), node.source, problem)).ok()
    }

    /// [`TableEntry::take`], for a field that must be there.
    pub(super) fn must<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        if self.has(name) {
            return self.take(name, parse);
        }
        self.values.bad::<()>(self.key, self.place.clone(), format!("this entry has no {name}"));
        None
    }

    /// Whether a field is there and not empty. A field that was read is not there any more.
    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, node)| field == name && node.value != Value::Null)
    }

    /// How many problems the settings have so far.
    pub(super) fn problems(&self) -> usize {
        self.values.errors.len()
    }

    /// A duration that is longer than 0.
    pub(super) fn time(&mut self, name: &str, default: Duration) -> Duration {
        let longer_than_0 = |text: &str| match duration::parse(text)? {
            Duration::ZERO => Err("it must be longer than 0".to_owned()),
            time => Ok(time),
        };
        self.take(name, longer_than_0).unwrap_or(default)
    }

    /// A whole number.
    pub(super) fn count(&mut self, name: &str, default: u32) -> u32 {
        let number = |text: &str| text.parse().map_err(|_| format!("`{text}` is not a whole number of 0 or more"));
        self.take(name, number).unwrap_or(default)
    }

    /// The value of a field; `None` if it is not there, or empty.
    pub(super) fn node(&mut self, name: &str) -> Option<Node> {
        let at = self.fields.iter().position(|(field, _)| field == name)?;
        Some(self.fields.remove(at).1).filter(|node| node.value != Value::Null)
    }

    /// Lists of texts by name.
    pub(super) fn lists(&mut self, name: &str) -> Vec<(String, Vec<String>)> {
        let Some(node) = self.node(name) else { return Vec::new() };
        let read = match &node.value {
            Value::Table(entries) => {
                entries.iter().map(|(name, list)| texts(list).map(|list| (name.clone(), list))).collect()
            }
            _ => Err(format!("a table was expected, not {}", node.kind())),
        };
        read.unwrap_or_else(|problem| self.bad(name, node.source, problem))
    }

    /// A list of texts.
    pub(super) fn list(&mut self, name: &str) -> Vec<String> {
        let Some(node) = self.node(name) else { return Vec::new() };
        texts(&node).unwrap_or_else(|problem| self.bad(name, node.source, problem))
    }

    /// Records that a field is wrong, and returns a substitute.
    pub(super) fn bad<T: Default>(&mut self, name: &str, place: Source, problem: impl Into<String>) -> T {
        self.values.bad(&format!("{}.{name}", self.key), place, problem)
    }

    /// Refuses what was not read.
    pub(super) fn end(self, names: &'static [&'static str]) {
        for (name, node) in self.fields {
            let near = nearest::nearest(&name, names.iter().copied()).map(|near| format!("{}.{near}", self.key));
            let key = format!("{}.{name}", self.key);
            self.values.errors.push(ConfigError::UnknownKey { place: node.source, key, nearest: near });
        }
    }
}

/// The tables of a list, each as `read` reads it.
pub(super) fn entries<T>(values: &mut Values, key: &'static str, read: impl Fn(TableEntry<'_>) -> Option<T>) -> Vec<T> {
    let Some(node) = values.node(key) else { return Vec::new() };
    let tables = match node.value {
        Value::Null => Vec::new(),
        Value::List(tables) => tables,
        _ => return values.bad(key, node.source, "a list of tables was expected"),
    };
    let mut all = Vec::new();
    for table in tables {
        match table.value {
            Value::Table(fields) => all.extend(read(TableEntry { key, values, fields, place: table.source })),
            _ => values.bad::<()>(key, table.source.clone(), format!("a table was expected, not {}", table.kind())),
        }
    }
    all
}
