//! Where the log goes: standard error, in the form that the settings say.

use std::{io, sync::OnceLock, thread, time::Duration};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

use super::{log_line::LogLine, log_writer::LogWriter};
use crate::config::{Level, Log};

/// How long the end of the process waits for a log that nobody may be reading.
const LAST_LINES: Duration = Duration::from_secs(1);

static WRITER: OnceLock<LogWriter> = OnceLock::new();

/// Starts logging for this process. A second call changes nothing.
pub(super) fn start(log: &Log) {
    let own = level(log.level);
    // Libraries speak of what they do, not of what a registry does; their warnings are enough, and they know no secrets of
    // ours to keep.
    // What actix-http calls an error is a client that speaks no HTTP: every docker push begins so, with a TLS handshake.
    let levels = Targets::new()
        .with_default(own.min(LevelFilter::WARN))
        .with_target("actix_http", LevelFilter::OFF)
        .with_target("wharf", own);
    let lost = LogLine::new(log);
    let writer = WRITER.get_or_init(|| LogWriter::start(io::stderr(), move |lines| lost.of_lost(lines)));
    let lines = tracing_subscriber::fmt::layer().event_format(LogLine::new(log)).with_writer(|| writer.clone());
    // It fails only where a log was started before, which then goes on.
    let _ = tracing_subscriber::registry().with(lines.with_filter(levels)).try_init();
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!("{panic}");
        if thread::current().name() == Some("main") {
            flush();
        }
    }));
}

/// Waits until the log is written, but not long: whoever should read it may have stopped. To be called before the process ends, and before anything
/// is written to standard error by another way.
pub(super) fn flush() {
    if let Some(writer) = WRITER.get() {
        writer.flush(LAST_LINES);
    }
}

fn level(level: Level) -> LevelFilter {
    match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    }
}

/// Does `work`, and tells what it warns of as a command does, on standard error.
pub(super) fn with_warnings_told<T>(work: impl FnOnce() -> T) -> T {
    let told = tracing_subscriber::registry().with(Told.with_filter(LevelFilter::WARN));
    tracing::subscriber::with_default(told, work)
}

/// Tells warnings and errors without what a log has around them.
struct Told;

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Told {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let mut message = String::new();
        event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            if field.name() == "message" {
                message = format!("{value:?}");
            }
        });
        super::output::complain(&format_args!("warning: {message}"));
    }
}
