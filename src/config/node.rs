//! The values of a file or a variable before they are read. Scalars stay text until the row of a setting says how to
//! read them, so that `secret = 0123` and `version: 0.1` lose nothing.

use super::Source;

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) source: Source,
}

/// A value of TOML or YAML.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// YAML's `null`, or nothing after the colon: not set.
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

    /// The kind of the value, for an error message.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}
