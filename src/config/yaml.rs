//! Reads YAML into values with their lines: the `config.yml` of registry:2 and registry:3, and the values of
//! `REGISTRY_*` variables.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::node::{Node, Value};
use super::{ConfigError, Source};

/// The most nodes of a document. Aliases can expand a small file to a huge tree.
const MOST_NODES: usize = 100_000;

/// Reads one YAML document; `place` makes the source of a line (counted from 1).
pub(super) fn read(text: &str, place: &dyn Fn(usize) -> Source) -> Result<Node, ConfigError> {
    let mut events = Events { parser: Parser::new_from_str(text), place, anchors: HashMap::new(), nodes: 0 };
    let root = loop {
        match events.next()? {
            (Event::StreamEnd, _) => return Ok(Node { value: Value::Null, source: place(1) }),
            (Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd, _) => {}
            (event, span) => break events.node(event, span)?,
        }
    };
    loop {
        match events.next()? {
            (Event::StreamEnd, _) => return Ok(root),
            (Event::DocumentEnd, _) => {}
            (_, span) => return Err(events.error(span.start.line(), "there is more than one document")),
        }
    }
}

struct Events<'a> {
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    place: &'a dyn Fn(usize) -> Source,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'a> Events<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), ConfigError> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(self.scan_error(&error)),
            None => Err(self.error(1, "the document ends too early")),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Node, ConfigError> {
        let line = span.start.line();
        self.count(1, line)?;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => (scalar(&text, style), anchor),
            Event::SequenceStart(_, anchor, _) => (self.list()?, anchor),
            Event::MappingStart(_, anchor, _) => (self.table()?, anchor),
            Event::Alias(anchor) => return self.alias(anchor, line),
            _ => return Err(self.error(line, "a value was expected here")),
        };
        let node = Node { value, source: (self.place)(line) };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self) -> Result<Value, ConfigError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, span) => items.push(self.node(event, span)?),
            }
        }
    }

    fn table(&mut self) -> Result<Value, ConfigError> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let line = span.start.line();
            let key = match event {
                Event::MappingEnd => {
                    for node in merged {
                        merge(&mut entries, node);
                    }
                    return Ok(Value::Table(entries));
                }
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(self.error(line, "a key must be plain text")),
            };
            let (event, span) = self.next()?;
            let mut node = self.node(event, span)?;
            node.source = (self.place)(line);
            if key == "<<" {
                merged.push(node);
            } else if entries.iter().any(|(other, _)| *other == key) {
                return Err(self.error(line, &format!("`{key}` is there twice")));
            } else {
                entries.push((key, node));
            }
        }
    }

    fn alias(&mut self, anchor: usize, line: usize) -> Result<Node, ConfigError> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return Err(self.error(line, "an alias stands inside its own anchor"));
        };
        self.count(size(&node), line)?;
        Ok(node)
    }

    fn count(&mut self, more: usize, line: usize) -> Result<(), ConfigError> {
        self.nodes += more;
        if self.nodes > MOST_NODES { Err(self.error(line, "this is far too large for settings")) } else { Ok(()) }
    }

    fn scan_error(&self, error: &ScanError) -> ConfigError {
        self.error(error.marker().line(), &error.info())
    }

    fn error(&self, line: usize, problem: &str) -> ConfigError {
        ConfigError::Syntax { place: (self.place)(line.max(1)), language: "YAML", problem: problem.to_owned() }
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" if style == ScalarStyle::Plain => Value::Null,
        _ => Value::Scalar(text.to_owned()),
    }
}

/// `<<: *defaults`: the keys of the map itself override merged ones and keep their order.
fn merge(entries: &mut Vec<(String, Node)>, node: Node) {
    match node.value {
        Value::Table(more) => {
            for (key, value) in more {
                if !entries.iter().any(|(other, _)| *other == key) {
                    entries.push((key, value));
                }
            }
        }
        Value::List(maps) => {
            for map in maps {
                merge(entries, map);
            }
        }
        Value::Null | Value::Scalar(_) => {}
    }
}

fn size(node: &Node) -> usize {
    match &node.value {
        Value::Null | Value::Scalar(_) => 1,
        Value::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Table(entries) => 1 + entries.iter().map(|(_, node)| size(node)).sum::<usize>(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    /// The tree on one line, each value with its line: `{a@1: b}`.
    fn written(node: &Node) -> String {
        let line = match &node.source {
            Source::File { line, .. } => *line,
            _ => 0,
        };
        let value = match &node.value {
            Value::Null => "null".to_owned(),
            Value::Scalar(text) => text.clone(),
            Value::List(items) => format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(" ")),
            Value::Table(entries) => {
                let entries: Vec<_> = entries.iter().map(|(key, node)| format!("{key}={}", written(node))).collect();
                format!("{{{}}}", entries.join(" "))
            }
        };
        format!("{value}@{line}")
    }

    fn at(line: usize) -> Source {
        Source::File { path: std::path::Path::new("f.yml").into(), line }
    }

    #[test]
    fn reads_values_with_their_lines() {
        let cases = [
            ("", "null@1"),
            ("# nothing\n", "null@1"),
            ("a: 0123\nb: '~'\nc: ~\nd:\n", "{a=0123@1 b=~@2 c=null@3 d=null@4}@1"),
            ("---\na:\n  b: true\n  c:\n    - x\n    - y\n", "{a={b=true@3 c=[x@5 y@6]@4}@2}@2"),
            ("a: [1, {b: 2}]\n", "{a=[1@1 {b=2@1}@1]@1}@1"),
            (":5000", ":5000@1"),
            (
                "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\ne: *x\n",
                "{a={b=1@1 c=2@1}@1 d={c=3@4 b=1@1}@2 e={b=1@1 c=2@1}@5}@1",
            ),
            ("a: !!str 5\n", "{a=5@1}@1"),
        ];
        for (text, expected) in cases {
            assert_eq!(written(&read(text, &at).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn says_where_it_makes_no_sense() {
        let cases = [
            ("a: [1\nb: 2\n", "f.yml:"),
            ("a: 1\nb: 2\na: 3\n", "f.yml:3: this is not valid YAML: `a` is there twice"),
            ("a: *x\n", "f.yml:1"),
            ("---\na: 1\n---\nb: 2\n", "more than one document"),
            ("? [a]\n: 1\n", "a key must be plain text"),
            ("a: &x [*x]\n", "inside its own anchor"),
        ];
        for (text, expected) in cases {
            let error = read(text, &at).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn aliases_of_aliases_do_not_explode() {
        let line = |level: usize| {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            format!("a{level}: &a{level} [{aliases}]\n")
        };
        let text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned() + &(1..12).map(line).collect::<String>();
        let error = read(&text, &at).unwrap_err().to_string();
        assert!(error.contains("far too large"), "{error}");
    }

    proptest! {
        #[test]
        fn never_panics(text in "[ab:\\-\\[\\]{}&*<\n '\"|>#!?~,]{0,60}") {
            let _ = read(&text, &at);
        }
    }
}
