//! The values that were set, their sources, and how a section reads them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::node::{Node, Value};
use super::{Address, ConfigError, Kind, Notice, Setting, Source, Status, duration, size};

/// The values from the file, the variables and the flags, of which the later ones override the earlier ones, and their
/// errors.
#[derive(Debug)]
pub(super) struct Values {
    /// Finds the row of a key. The table is made of the rows of the sections, so no section names it.
    find: fn(&str) -> Option<&'static Setting>,
    /// By the key of the setting.
    pub(super) set: BTreeMap<&'static str, Node>,
    /// The tables that were named, including empty ones.
    pub(super) tables: BTreeMap<String, Source>,
    /// Whether a YAML file was read. Then registry:2's defaults apply.
    pub(super) yaml: bool,
    /// The errors so far.
    pub(super) errors: Vec<ConfigError>,
    /// The warnings for the log.
    pub(super) notices: Vec<Notice>,
}

impl Values {
    /// No value, and the table that says which ones there may be.
    pub(super) fn new(find: fn(&str) -> Option<&'static Setting>) -> Self {
        Self {
            find,
            set: BTreeMap::new(),
            tables: BTreeMap::new(),
            yaml: false,
            errors: Vec::new(),
            notices: Vec::new(),
        }
    }

    /// The source of the value.
    pub(super) fn source(&self, key: &str) -> Source {
        self.set.get(key).map_or(Source::Default, |node| node.source.clone())
    }

    /// Where a table is set, or a value below it; `None`: nowhere.
    pub(super) fn place_of(&self, table: &str) -> Option<Source> {
        let below = || self.set.iter().find(|(key, _)| key.starts_with(table)).map(|(_, node)| node.source.clone());
        self.tables.get(table).cloned().or_else(below)
    }

    /// Whether a source set the value.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.set.contains_key(key)
    }

    /// The value that was set, else the default; `None` if there is neither.
    pub(super) fn node(&self, key: &str) -> Option<Node> {
        if let Some(node) = self.set.get(key) {
            return Some(node.clone());
        }
        let default = self.default_of(key);
        (!default.is_empty()).then(|| Node::scalar(default, Source::Default))
    }

    /// Replaces the value by the effective one, for `config show`.
    pub(super) fn set_effective(&mut self, key: &'static str, text: &str, source: Source) {
        self.set.insert(key, Node::scalar(text, source));
    }

    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        self.parsed(key, |text| Ok(text.to_owned()))
    }

    pub(super) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        self.parsed(key, |text| if text.is_empty() { Err("the path is empty".to_owned()) } else { Ok(text.into()) })
    }

    pub(super) fn url(&mut self, key: &'static str) -> Option<Url> {
        self.parsed(key, |text| match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
            _ => Err(format!("`{text}` is not a URL; write it whole, like https://registry.example.com")),
        })
    }

    pub(super) fn flag(&mut self, key: &'static str) -> bool {
        self.parsed(key, flag).unwrap_or_default()
    }

    pub(super) fn count(&mut self, key: &'static str) -> usize {
        self.parsed(key, |text| text.parse().map_err(|_| format!("`{text}` is not a whole number of 0 or more")))
            .unwrap_or_default()
    }

    pub(super) fn duration(&mut self, key: &'static str) -> Duration {
        self.parsed(key, duration::parse).unwrap_or_default()
    }

    pub(super) fn size(&mut self, key: &'static str) -> u64 {
        self.parsed(key, size::parse).unwrap_or_default()
    }

    /// One of the words of its row, or an empty text if there is no value.
    pub(super) fn choice(&mut self, key: &'static str) -> &'static str {
        let words = match (self.find)(key).map(|setting| setting.kind) {
            Some(Kind::Choice(words)) => words,
            _ => &[],
        };
        self.parsed(key, |text| match words.iter().find(|word| word.eq_ignore_ascii_case(text)) {
            Some(word) => Ok(*word),
            None => Err(format!("`{text}` is none of {}", words.join(", "))),
        })
        .unwrap_or_default()
    }

    pub(super) fn list(&mut self, key: &'static str) -> Vec<String> {
        let Some(node) = self.node(key) else { return Vec::new() };
        texts(&node).unwrap_or_else(|problem| self.bad(key, node.source.clone(), problem))
    }

    pub(super) fn addresses(&mut self, key: &'static str) -> Vec<Address> {
        let place = self.source(key);
        let parsed: Result<Vec<_>, _> = self.list(key).iter().map(|text| Address::parse(text)).collect();
        parsed.unwrap_or_else(|problem| self.bad(key, place, problem))
    }

    /// Texts by name, in the order in which they were written.
    pub(super) fn texts(&mut self, key: &'static str) -> Vec<(String, String)> {
        self.entries(key, |node| match &node.value {
            Value::Scalar(text) => Ok(text.clone()),
            _ => Err(format!("a text was expected, not {}", node.kind())),
        })
    }

    /// Lists of texts by name, in the order in which they were written.
    pub(super) fn lists(&mut self, key: &'static str) -> Vec<(String, Vec<String>)> {
        self.entries(key, texts)
    }

    /// Records that the value of a setting is wrong, and returns a substitute.
    pub(super) fn refuse<T: Default>(&mut self, key: &str, problem: impl Into<String>) -> T {
        let place = self.source(key);
        self.bad(key, place, problem)
    }

    /// Records that a value at `place` is wrong, and returns a substitute.
    pub(super) fn bad<T: Default>(&mut self, key: &str, place: Source, problem: impl Into<String>) -> T {
        self.errors.push(ConfigError::BadValue { place, key: key.to_owned(), problem: problem.into() });
        T::default()
    }

    /// Reads a scalar. If it is wrong, the error is recorded and the default is used, so that the rest can be checked
    /// too.
    pub(super) fn parsed<T>(&mut self, key: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let node = self.node(key)?;
        let read = match &node.value {
            Value::Scalar(text) => parse(text.trim()),
            _ => Err(format!("one value was expected, not {}", node.kind())),
        };
        read.map_err(|problem| self.bad::<()>(key, node.source, problem)).ok().or_else(|| {
            let default = self.default_of(key);
            (!default.is_empty()).then(|| parse(default).ok()).flatten()
        })
    }

    fn default_of(&self, key: &str) -> &'static str {
        (self.find)(key).map_or("", |setting| setting.yaml_default.filter(|_| self.yaml).unwrap_or(setting.default))
    }

    fn entries<T>(&mut self, key: &'static str, read: impl Fn(&Node) -> Result<T, String>) -> Vec<(String, T)> {
        let Some(node) = self.node(key) else { return Vec::new() };
        let Value::Table(entries) = &node.value else {
            return self.bad(key, node.source.clone(), format!("a table was expected, not {}", node.kind()));
        };
        let mut list = Vec::new();
        for (name, node) in entries {
            match read(node) {
                Ok(value) => list.push((name.clone(), value)),
                Err(problem) => self.bad(&format!("{key}.{name}"), node.source.clone(), problem),
            }
        }
        list
    }

    /// Records errors and warnings for settings that are not honoured.
    pub(super) fn check_statuses(&mut self) {
        for (key, node) in &self.set {
            let Some(setting) = (self.find)(key).filter(|_| !is_off(node)) else { continue };
            let (place, key) = (node.source.clone(), (*key).to_owned());
            match setting.status {
                Status::Honoured => {}
                Status::Ignored(reason) => {
                    self.notices.push(Notice { place, text: format!("{key} has no effect: {reason}") });
                }
                Status::NotYet(reason) => self.errors.push(ConfigError::NotYet { place, key, reason }),
                Status::Refused(reason) => self.errors.push(ConfigError::Refused { place, key, reason }),
            }
        }
    }
}

/// `true` or `false`, in the words of YAML 1.1, which registry:2 reads.
pub(super) fn flag(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "y" => Ok(true),
        "false" | "no" | "off" | "n" => Ok(false),
        _ => Err(format!("`{text}` is neither true nor false")),
    }
}

/// The texts of a list. A single text is a list of one.
pub(super) fn texts(node: &Node) -> Result<Vec<String>, String> {
    let text = |node: &Node| match &node.value {
        Value::Scalar(text) => Ok(text.clone()),
        _ => Err(format!("a list of texts was expected, and this holds {}", node.kind())),
    };
    match &node.value {
        Value::Null => Ok(Vec::new()),
        Value::List(items) => items.iter().map(text).collect(),
        _ => text(node).map(|text| vec![text]),
    }
}

/// Whether a value only says that something is off or absent. Such a value is not refused.
fn is_off(node: &Node) -> bool {
    match &node.value {
        Value::Null => true,
        Value::Scalar(text) => matches!(text.as_str(), "" | "false"),
        Value::List(items) => items.iter().all(is_off),
        Value::Table(entries) => entries.iter().all(|(_, node)| is_off(node)),
    }
}
