//! `[log]`: the level and the form of the log.

use super::values::Values;
use super::{Kind, Setting};

/// The level and the form of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// `log.level`.
    pub level: Level,
    /// `log.formatter`.
    pub format: LogFormat,
    /// `log.fields`: fields of every line.
    pub fields: Vec<(String, String)>,
    /// Whether every request gets a line; the opposite of `log.accesslog.disabled`.
    pub access_log: bool,
}

/// The level of the log. Each level includes the ones before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Errors.
    Error,
    /// Warnings.
    Warn,
    /// Events; one line per request.
    Info,
    /// Details.
    Debug,
    /// Every step.
    Trace,
}

/// The form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        "log.level",
        Kind::Choice(&["error", "warn", "warning", "info", "debug", "trace"]),
        "info",
        "The level of the log.",
    ),
    Setting::new(
        "log.formatter",
        Kind::Choice(&["text", "json", "logstash"]),
        "text",
        "The form of a line; `logstash` is read as `json`.",
    ),
    Setting::new("log.fields", Kind::Texts, "", "Fields of every line: `service = \"registry\"`."),
    Setting::new("log.accesslog.disabled", Kind::Flag, "false", "Do not log requests."),
    Setting::ignored("log.reportcaller", "the log does not name places in the source"),
    Setting::refused("log.hooks", "wharf sends no mail; the collector of the log can"),
    Setting::ignored("loglevel", "it is the old name of log.level; use log.level"),
];

pub(super) fn read(values: &mut Values) -> Log {
    Log {
        level: match values.choice("log.level") {
            "error" => Level::Error,
            "warn" | "warning" => Level::Warn,
            "debug" => Level::Debug,
            "trace" => Level::Trace,
            _ => Level::Info,
        },
        format: match values.choice("log.formatter") {
            "json" | "logstash" => LogFormat::Json,
            _ => LogFormat::Text,
        },
        fields: values.texts("log.fields"),
        access_log: !values.flag("log.accesslog.disabled"),
    }
}
