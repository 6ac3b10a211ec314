//! A line of the log, as text or as JSON. Every record is exactly one line: control characters are escaped in both
//! forms.

use std::fmt::{self, Write};

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::config::{Log, LogFormat};

/// The formatter of records.
pub(super) struct LogLine {
    format: LogFormat,
    fields: Vec<(String, String)>,
}

impl LogLine {
    pub(super) fn new(log: &Log) -> Self {
        Self { format: log.format, fields: log.fields.clone() }
    }

    /// The line that reports the number of lost lines.
    pub(super) fn of_lost(&self, lines: u64) -> String {
        let message = "the log could not be written fast enough: lines are missing here".to_owned();
        let record = Record { message, fields: vec![("lines", lines.into())] };
        let mut line = String::new();
        // Writing to a `String` does not fail.
        let _ = now().and_then(|time| self.write(&mut line, &time, tracing::Level::WARN, &record));
        line
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
        self.write(&mut writer, &now()?, *event.metadata().level(), &record)
    }
}

/// RFC 3339, always with six digits of the second, so that lines align and sort as text.
const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

fn now() -> Result<String, fmt::Error> {
    written(OffsetDateTime::now_utc())
}

fn written(time: OffsetDateTime) -> Result<String, fmt::Error> {
    time.format(&TIME).map_err(|_| fmt::Error)
}

/// The message and the fields of a record.
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

/// Writes plain words as they are and quotes other values, so that no value looks like another field.
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

/// Escapes characters that move the cursor, end a line or change the direction of text.
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

    #[test]
    fn a_time_has_the_same_length_always() {
        for (nanoseconds, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (120_000_999, "1970-01-01T00:00:00.120000Z"),
            (999, "1970-01-01T00:00:00.000000Z"),
        ] {
            let time = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap();
            assert_eq!(super::written(time).unwrap(), expected);
        }
    }

    #[test]
    fn missing_lines_are_told_of_in_the_form_of_the_log() {
        let text = LogLine { format: LogFormat::Text, fields: vec![] }.of_lost(7);
        assert!(
            text.ends_with("WARN  the log could not be written fast enough: lines are missing here lines=7\n"),
            "{text}"
        );
        let json: Value =
            serde_json::from_str(&LogLine { format: LogFormat::Json, fields: vec![] }.of_lost(7)).unwrap();
        assert_eq!((json["lines"].as_u64(), json["level"].as_str()), (Some(7), Some("warn")));
    }
}
