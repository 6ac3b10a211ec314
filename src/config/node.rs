//! What a file or a variable says, before anyone asks what it means. Scalars stay text: a setting's row in the table says
//! how to read it, so that `secret = 0123` and `version: 0.1` lose nothing.

use super::Source;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) source: Source,
}

/// A value as TOML and YAML have them in common.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// YAML's `null`, or nothing after the colon: as good as not set.
    Null,
    /// A string, number or boolean, as text.
    Scalar(String),
    /// A list.
    List(Vec<Node>),
    /// A table (TOML) or map (YAML), in the order of the file.
    Table(Vec<(String, Node)>),
}

impl Node {
    /// A scalar.
    pub(super) fn scalar(text: impl Into<String>, source: Source) -> Self {
        Self { value: Value::Scalar(text.into()), source }
    }

    /// What it is, for an error message.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}
