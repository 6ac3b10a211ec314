//! Assigns each value of a file or variable to its setting.

use super::node::{Node, Value};
use super::setting::is_below;
use super::values::Values;
use super::{ConfigError, table};

impl Values {
    /// Takes over the value of `key` and all values below it (`""` is the root).
    pub(super) fn assign(&mut self, key: &str, node: Node) {
        let setting = table::find(key);
        let is_table = key.is_empty() || table::is_table(key);
        if !key.is_empty() && matches!(node.value, Value::Null | Value::Table(_)) {
            self.tables.insert(key.to_owned(), node.source.clone());
        }
        match (setting, node) {
            // A key that is both (`storage = "inmemory"`, `[storage]`) is a table when it is written as one.
            (Some(setting), node) if setting.kind.holds_tables() || !is_table => self.put(setting.key, node),
            (_, Node { value: Value::Table(entries), .. }) if is_table => self.assign_all(key, entries),
            (Some(setting), node) => self.put(setting.key, node),
            (None, Node { value: Value::Null, .. }) if is_table => {}
            (None, node) if is_table => self.expected_table(key, &node),
            (None, node) => self.errors.push(ConfigError::UnknownKey {
                place: node.source,
                key: key.to_owned(),
                nearest: table::nearest_key(key),
            }),
        }
    }

    /// Removes the values of a table that is about to be replaced.
    pub(super) fn forget(&mut self, key: &str) {
        let below = |name: &str| name == key || is_below(name, key);
        self.set.retain(|name, _| !below(name));
        self.tables.retain(|name, _| !below(name));
    }

    /// Sets one entry of a table of texts or lists, without touching the others. Names are compared without regard to
    /// case.
    pub(super) fn put_entry(&mut self, key: &'static str, name: &str, node: Node) {
        let table = self.set.entry(key).or_insert_with(|| Node { value: Value::Null, source: node.source.clone() });
        table.source = node.source.clone();
        let mut entries = match std::mem::replace(&mut table.value, Value::Null) {
            Value::Table(entries) => entries,
            _ => Vec::new(),
        };
        match entries.iter_mut().find(|(other, _)| other.eq_ignore_ascii_case(name)) {
            Some((_, value)) => *value = node,
            None => entries.push((name.to_owned(), node)),
        }
        table.value = Value::Table(entries);
    }

    fn assign_all(&mut self, key: &str, entries: Vec<(String, Node)>) {
        for (name, node) in entries {
            let below = if key.is_empty() { name } else { format!("{key}.{name}") };
            self.assign(&below, node);
        }
    }

    fn put(&mut self, key: &'static str, node: Node) {
        let marks = table::find(key).is_some_and(|setting| setting.kind == super::Kind::EmptyTable);
        // A null value has the meaning of a missing line, except for settings whose presence is the value, and for
        // settings whose default is less safe than any value.
        if node.value == Value::Null && table::refuses_empty(key) {
            self.bad::<()>(key, node.source, "this is empty; give it a value, or remove the line to get the default");
        } else if marks || node.value != Value::Null {
            self.set.insert(key, node);
        }
    }

    fn expected_table(&mut self, key: &str, node: &Node) {
        let names = |setting: &super::Setting| {
            let name = setting.key.strip_prefix(key)?.strip_prefix('.')?.split('.').next()?;
            Some(format!("{key}.{name}"))
        };
        let mut below: Vec<_> = table::settings().filter_map(names).collect();
        below.dedup();
        let problem = format!("a table was expected, not {}; its settings are {}", node.kind(), below.join(", "));
        self.bad::<()>(key, node.source.clone(), problem);
    }
}
