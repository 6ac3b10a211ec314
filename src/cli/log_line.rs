//! A line of the log, as text or as JSON. Every record is exactly one line, whatever clients send: control characters are
//! escaped in both forms.

use std::fmt::{self, Write};

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::config::{Log, LogFormat};

/// How records become lines.
pub(super) struct LogLine {
    format: LogFormat,
    fields: Vec<(String, String)>,
}

impl LogLine {
    pub(super) fn new(log: &Log) -> Self {
        Self { format: log.format, fields: log.fields.clone() }
    }

    fn write(&self, writer: &mut dyn Write, time: &str, level: tracing::Level, record: &Record) -> fmt::Result {
        match self.format {
            LogFormat::Text => self.write_text(writer, time, level, record),
            LogFormat::Json => self.write_json(writer, time, level, record),
        }
    }

    fn write_text(&self, writer: &mut dyn Write, time: &str, level: tracing::Level, record: &Record) -> fmt::Result {
        write!(writer, "{time} {level:<5} ")?;
        escape(writer, &record.message)?;
        let own = record.fields.iter().map(|(name, value)| (*name, text_of(value)));
        let constant = self.fields.iter().map(|(name, value)| (name.as_str(), value.clone()));
        for (name, value) in own.chain(constant) {
            writer.write_char(' ')?;
            escape(writer, name)?;
            writer.write_char('=')?;
            write_value(writer, &value)?;
        }
        writer.write_char('\n')
    }

    fn write_json(&self, writer: &mut dyn Write, time: &str, level: tracing::Level, record: &Record) -> fmt::Result {
        let mut object: Map<String, Value> =
            self.fields.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
        object.extend(record.fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        object.insert("level".to_owned(), level.as_str().to_lowercase().into());
        object.insert("msg".to_owned(), record.message.as_str().into());
        object.insert("time".to_owned(), time.into());
        writeln!(writer, "{}", Value::Object(object))
    }
}

impl<S, N> FormatEvent<S, N> for LogLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut record = Record::default();
        event.record(&mut record);
        let now = OffsetDateTime::now_utc();
        let now = now.replace_microsecond(now.microsecond()).unwrap_or(now);
        let time = now.format(&Rfc3339).map_err(|_| fmt::Error)?;
        self.write(&mut writer, &time, *event.metadata().level(), &record)
    }
}

/// What a record says.
#[derive(Default)]
struct Record {
    message: String,
    fields: Vec<(&'static str, Value)>,
}

impl Record {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => self.fields.push((name, value)),
        }
    }
}

impl Visit for Record {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Plain words stand bare; anything else between quotes, so that a value can't pass for another field.
fn write_value(writer: &mut dyn Write, value: &str) -> fmt::Result {
    let plain = |c: char| c.is_alphanumeric() || "-_./:@+%[]".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return writer.write_str(value);
    }
    writer.write_char('"')?;
    for c in value.chars() {
        match c {
            '"' | '\\' => write!(writer, "\\{c}")?,
            _ => escape(writer, c.encode_utf8(&mut [0; 4]))?,
        }
    }
    writer.write_char('"')
}

/// No character that moves a cursor, ends a line or turns the direction of writing gets through.
fn escape(writer: &mut dyn Write, text: &str) -> fmt::Result {
    for c in text.chars() {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}') {
            write!(writer, "{}", c.escape_unicode())?;
        } else {
            writer.write_char(c)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn line(format: LogFormat, message: &str, fields: Vec<(&'static str, Value)>) -> String {
        let line = LogLine { format, fields: vec![("service".to_owned(), "registry".to_owned())] };
        let mut written = String::new();
        let record = Record { message: message.to_owned(), fields };
        line.write(&mut written, "2026-01-02T03:04:05Z", tracing::Level::WARN, &record).unwrap();
        written
    }

    #[test]
    fn text_is_one_line_that_nobody_can_forge() {
        let cases = [
            ("listening on [::]:5000", vec![], "listening on [::]:5000 service=registry\n"),
            ("a\nb\u{1b}[31m", vec![], "a\\u{a}b\\u{1b}[31m service=registry\n"),
            ("x", vec![("status", 200.into())], "x status=200 service=registry\n"),
            ("x", vec![("user", "a\" level=\"\n".into())], "x user=\"a\\\" level=\\\"\\u{a}\" service=registry\n"),
            ("x", vec![("user", "".into())], "x user=\"\" service=registry\n"),
        ];
        for (message, fields, expected) in cases {
            assert_eq!(line(LogFormat::Text, message, fields), format!("2026-01-02T03:04:05Z WARN  {expected}"));
        }
    }

    #[test]
    fn json_is_one_object_a_line() {
        let written = line(LogFormat::Json, "a\nb", vec![("status", 200.into()), ("level", "forged".into())]);
        assert_eq!(written.matches('\n').count(), 1);
        let object: Value = serde_json::from_str(&written).unwrap();
        let expected = serde_json::json!({
            "time": "2026-01-02T03:04:05Z", "level": "warn", "msg": "a\nb", "status": 200, "service": "registry"
        });
        assert_eq!(object, expected);
    }
}
