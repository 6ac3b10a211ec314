//! YAML into a tree of values that know their lines: registry:2's and registry:3's `config.yml`, and the values of
//! `REGISTRY_*` variables.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::tree::{Node, Value};
use super::{ConfigError, Source};

/// Aliases can make a small file into a huge tree; no settings file comes near this.
const MOST_NODES: usize = 100_000;

/// Reads one YAML document; `place` says where a line of it (counted from 1) is.
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

/// `<<: *defaults`: what the map says itself wins over what is merged into it, and keeps its place.
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
