//! The effective settings, for `wharf config show`.

use super::node::{Node, Value};
use super::secrets::without_secrets;
use super::values::Values;
use super::{Kind, Source, Status, table, upstreams};

/// A setting with its effective value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveSetting {
    /// Its key.
    pub key: &'static str,
    /// Its value as TOML; empty if it has none.
    pub value: String,
    /// The source of the value.
    pub source: Source,
    /// Whether the setting has no effect.
    pub ignored: bool,
}

/// Every setting that is honoured or was set, except for those that select another (`REGISTRY_STORAGE`): the selected
/// one is shown. The whole is a settings file with the same meaning.
pub(super) fn effective(values: &Values) -> Vec<EffectiveSetting> {
    let in_memory = values.is_set("storage.inmemory");
    let in_bucket = values.is_set("storage.s3.bucket");
    let is_of_other_store = |key: &str| {
        (in_memory || in_bucket) && key.starts_with("storage.filesystem.")
            || !in_bucket && key.starts_with("storage.s3.")
    };
    let selects = |key: &str| matches!(key, "storage" | "auth" | "version");
    table::settings()
        .filter(|setting| values.is_set(setting.key) || setting.status == Status::Honoured)
        .filter(|setting| !(is_of_other_store(setting.key) || selects(setting.key)))
        .map(|setting| EffectiveSetting {
            key: setting.key,
            value: match values.node(setting.key) {
                Some(_) if setting.kind == Kind::EmptyTable => "{}".to_owned(),
                Some(_) if setting.secret => quoted("(secret)"),
                Some(node) if setting.key == "upstream" => written(&upstreams::without_secrets(node)),
                Some(node) if matches!(setting.key, "notifications.endpoints" | "health.http") => {
                    written(&without_secrets(node))
                }
                Some(node) => written(&node),
                None => String::new(),
            },
            source: values.source(setting.key),
            ignored: matches!(setting.status, Status::Ignored(_)),
        })
        .collect()
}

/// A value as TOML on one line.
fn written(node: &Node) -> String {
    match &node.value {
        Value::Null => "{}".to_owned(),
        Value::Scalar(text) if matches!(text.as_str(), "true" | "false") || text.parse::<u64>().is_ok() => text.clone(),
        Value::Scalar(text) => quoted(text),
        Value::List(items) => format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(", ")),
        Value::Table(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Table(entries) => {
            let entry = |(name, node): &(String, Node)| format!("{} = {}", bare_or_quoted(name), written(node));
            format!("{{ {} }}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}

fn bare_or_quoted(name: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !name.is_empty() && name.bytes().all(bare) { name.to_owned() } else { quoted(name) }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
