//! `REGISTRY_*` variables, which override the file, by the rules of registry:2: the name is the path of the setting in
//! upper case, variables apply in the order of their names, and values are YAML.

use std::sync::Arc;

use super::nearest::nearest;
use super::node::{Node, Value};
use super::setting::variable;
use super::values::Values;
use super::{ConfigError, Kind, Notice, Setting, Source, table, yaml};

/// The variable that names the settings file. It is not a setting.
pub const CONFIGURATION_PATH: &str = "REGISTRY_CONFIGURATION_PATH";

/// The error for an empty value of a setting that must have one.
const EMPTY: &str = "this is empty; give it a value, or remove the variable to get the default";

/// Variables that registry:2 calls by the names in its source, and the names that follow from the settings.
const OTHER_NAMES: [(&str, &str); 1] =
    [("REGISTRY_NOTIFICATIONS_EVENTCONFIG_INCLUDEREFERENCES", "REGISTRY_NOTIFICATIONS_EVENTS_INCLUDEREFERENCES")];

/// The target of a variable.
#[derive(Debug, PartialEq)]
enum Target {
    /// A whole table.
    Table(&'static str),
    /// A setting.
    Setting(&'static str, Kind),
    /// One entry of a table of texts or lists.
    Entry(&'static str, String),
    /// One entry of a list, or a part of it: the text after the list's name.
    Item(&'static str, String),
    /// A part of a setting whose value is not read.
    Inside(&'static str),
}

/// Applies the variables that begin with `REGISTRY_`.
pub(super) fn apply(values: &mut Values, variables: &[(String, String)]) {
    let mut ours: Vec<_> = variables.iter().filter(|(name, _)| name.starts_with("REGISTRY_")).collect();
    ours.sort_by_cached_key(|(name, _)| in_order(name));
    for (name, payload) in ours.into_iter().filter(|(name, _)| name != CONFIGURATION_PATH) {
        match target(name) {
            _ if is_kubernetes_own(name, payload) => {
                values.notices.push(notice(name, "Kubernetes sets this for a Service; it is ignored"));
            }
            Some(target) => set(values, &target, name, payload),
            None => values.notices.push(unknown(name)),
        }
    }
}

fn set(values: &mut Values, target: &Target, name: &str, payload: &str) {
    let source = Source::Variable(Arc::from(name));
    let node = match read(payload, target, &source) {
        Ok(node) => node,
        Err(error) => return values.errors.push(error),
    };
    let is_null = node.value == Value::Null;
    match target {
        Target::Setting(key, Kind::EmptyTable) => values.assign(key, node),
        Target::Item(key, path) => values.put_item(key, path, node),
        Target::Setting(key, _) | Target::Table(key) if is_null && table::refuses_empty(key) => {
            values.bad::<()>(key, source, EMPTY);
        }
        _ if is_null => values.notices.push(notice(name, "this is empty and has no effect")),
        // `REGISTRY_STORAGE=inmemory` and `REGISTRY_AUTH=htpasswd` choose and leave the rest of the table as it was.
        Target::Setting(key, _) if !matches!(node.value, Value::Table(_)) => values.assign(key, node),
        Target::Setting(key, _) | Target::Table(key) => {
            values.forget(key);
            values.assign(key, node);
        }
        Target::Entry(key, entry) => put_entry(values, key, entry, node),
        Target::Inside(key) => values.put_entry(key, name, node),
    }
}

/// In a table of lists, a number at the end of the name is the index of an entry, unless the value is a list.
fn put_entry(values: &mut Values, key: &'static str, entry: &str, node: Node) {
    let are_lists = table::find(key).is_some_and(|setting| setting.kind == Kind::Lists);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let numbered = entry.rsplit_once('_').filter(|(name, index)| !name.is_empty() && is_number(index));
    match numbered.filter(|_| are_lists && matches!(node.value, Value::Scalar(_))) {
        Some((name, index)) => values.put_item_of_entry(key, name, index, node),
        None => values.put_entry(key, entry, node),
    }
}

/// The sort key of a name: registry:2's order, except that entry 10 of a list follows entry 9.
fn in_order(name: &str) -> String {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let padded = |part: &str| if is_number(part) { format!("{part:0>20}") } else { part.to_owned() };
    name.split('_').map(padded).collect::<Vec<_>>().join("_")
}

/// Reads the value as YAML. If the setting is a text, a value that is not a YAML scalar (`[::1]:5000`, `Registry:
/// ours`) is taken literally.
fn read(payload: &str, target: &Target, source: &Source) -> Result<Node, ConfigError> {
    let node = yaml::read(payload, &|_| source.clone());
    let plain = |node: &Node| matches!(node.value, Value::Scalar(_) | Value::Null);
    match target {
        Target::Setting(_, Kind::Text | Kind::Path | Kind::Url) | Target::Item("http.addr" | "http.debug.addr", _)
            if !node.as_ref().is_ok_and(plain) =>
        {
            Ok(Node::scalar(payload, source.clone()))
        }
        Target::Setting(_, Kind::Addresses) | Target::Inside(_) if node.is_err() => {
            Ok(Node::scalar(payload, source.clone()))
        }
        _ => node,
    }
}

/// The target of a variable: the setting or table with this path, or an entry of one that holds entries.
fn target(name: &str) -> Option<Target> {
    let mut upper = name.to_uppercase();
    if let Some((_, name)) = OTHER_NAMES.iter().find(|(other, _)| *other == upper) {
        (*name).clone_into(&mut upper);
    }
    if let Some(setting) = table::settings().find(|setting| setting.variable() == upper) {
        return Some(Target::Setting(setting.key, setting.kind));
    }
    if let Some(key) = table::tables().find(|key| variable(key) == upper) {
        return Some(Target::Table(key));
    }
    let inside = |setting: &&Setting| {
        let rest = upper.strip_prefix(&setting.variable()).filter(|rest| rest.starts_with('_'));
        let below = rest.is_some_and(|rest| rest.len() > 1 || setting.kind.is_list());
        below && (setting.kind.is_map() || setting.kind.is_list() || setting.kind == Kind::Anything)
    };
    let setting = table::settings().find(inside)?;
    if setting.kind == Kind::Anything {
        return Some(Target::Inside(setting.key));
    }
    // registry:2 converts names to lower case here; a header's name is the same in any case.
    let entry = name.get(setting.variable().len() + 1..)?;
    if setting.kind.is_list() {
        return Some(Target::Item(setting.key, entry.to_owned()));
    }
    let is_upper = !entry.bytes().any(|byte| byte.is_ascii_lowercase());
    Some(Target::Entry(setting.key, if is_upper { entry.to_lowercase() } else { entry.to_owned() }))
}

/// Kubernetes gives every container variables with the addresses of Services. For a Service named `registry` or
/// `registry-proxy`, these begin with `REGISTRY_` and are not settings.
fn is_kubernetes_own(name: &str, payload: &str) -> bool {
    let after_port = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || name.split("_PORT_").skip(1).any(after_port)
        || (name.ends_with("_PORT") && ["tcp://", "udp://", "sctp://"].iter().any(|scheme| payload.starts_with(scheme)))
}

fn unknown(name: &str) -> Notice {
    let names: Vec<_> = table::settings().map(Setting::variable).collect();
    let meant = nearest(name, names.iter().map(String::as_str));
    let meant = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
    notice(name, &format!("this is not a setting and is ignored{meant}"))
}

fn notice(name: &str, text: &str) -> Notice {
    Notice { place: Source::Variable(Arc::from(name)), text: text.to_owned() }
}

#[cfg(test)]
mod tests;
