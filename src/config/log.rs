//! `[log]`: what is said, and in which form.

use super::values::Values;
use super::{Kind, Setting};

/// What is said, and in which form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// `log.level`.
    pub level: Level,
    /// `log.formatter`.
    pub format: LogFormat,
    /// `log.fields`: stand in every line.
    pub fields: Vec<(String, String)>,
    /// Whether every request gets a line; `log.accesslog.disabled` turned round.
    pub access_log: bool,
}

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Only what went wrong.
    Error,
    /// And what may go wrong.
    Warn,
    /// And what happens, a line a request.
    Info,
    /// And how.
    Debug,
    /// And every step.
    Trace,
}

/// The form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        "log.level",
        Kind::Choice(&["error", "warn", "warning", "info", "debug", "trace"]),
        "info",
        "How much is said.",
    ),
    Setting::new(
        "log.formatter",
        Kind::Choice(&["text", "json", "logstash"]),
        "text",
        "The form of a line; `logstash` is taken for `json`.",
    ),
    Setting::new("log.fields", Kind::Texts, "", "Fields that stand in every line: `service = \"registry\"`."),
    Setting::new("log.accesslog.disabled", Kind::Flag, "false", "Leave out the line for each request."),
    Setting::ignored("log.reportcaller", "lines of the log do not name places in the source"),
    Setting::refused("log.hooks", "wharf sends no mail; let whatever collects the log do it"),
    Setting::ignored("loglevel", "it is the old name of log.level; write that"),
];

pub(super) fn read(values: &mut Values) -> Log {
    Log {
        level: match values.choice("log.level").as_deref() {
            Some("error") => Level::Error,
            Some("warn" | "warning") => Level::Warn,
            Some("debug") => Level::Debug,
            Some("trace") => Level::Trace,
            _ => Level::Info,
        },
        format: match values.choice("log.formatter").as_deref() {
            Some("json" | "logstash") => LogFormat::Json,
            _ => LogFormat::Text,
        },
        fields: values.texts("log.fields"),
        access_log: !values.flag("log.accesslog.disabled"),
    }
}
