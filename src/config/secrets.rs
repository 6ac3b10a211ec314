//! Secrets in tables of lists, for `config show`.

use url::Url;

use super::node::{Node, Value};

const HIDDEN: &str = "(secret)";

/// The tables of a list without what may be secret in them: header values, secrets, and in URLs the password and the
/// query.
pub(super) fn without_secrets(mut node: Node) -> Node {
    let Value::List(tables) = &mut node.value else { return node };
    for table in tables {
        let Value::Table(fields) = &mut table.value else { continue };
        for (name, field) in fields {
            match (name.as_str(), &mut field.value) {
                ("secret", value) => *value = Value::Scalar(HIDDEN.to_owned()),
                ("headers", Value::Table(headers)) => {
                    for (_, header) in headers {
                        header.value = Value::Scalar(HIDDEN.to_owned());
                    }
                }
                ("url" | "uri", Value::Scalar(text)) => hide_in_url(text),
                _ => {}
            }
        }
    }
    node
}

fn hide_in_url(text: &mut String) {
    let Ok(mut url) = Url::parse(text) else { return };
    let has_password = url.password().is_some() && url.set_password(Some(HIDDEN)).is_ok();
    let has_query = url.query().is_some();
    if has_query {
        url.set_query(Some(HIDDEN));
    }
    if has_password || has_query {
        *text = url.into();
    }
}
