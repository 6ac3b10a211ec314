//! The log on standard error, in the form that the settings choose.

use std::{io, sync::OnceLock, thread, time::Duration};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

use super::{log_line::LogLine, log_writer::LogWriter};
use crate::config::{Level, Log};

/// The time that the process waits for the log before it ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

static WRITER: OnceLock<LogWriter> = OnceLock::new();

/// Starts logging for this process. A second call changes nothing.
pub(super) fn start(log: &Log) {
    let own = level(log.level);
    // Of libraries, warnings are enough. actix-http calls it an error if a client does not speak HTTP; every docker
    // push begins so, with a TLS handshake.
    let levels = Targets::new()
        .with_default(own.min(LevelFilter::WARN))
        .with_target("actix_http", LevelFilter::OFF)
        .with_target("wharf", own);
    let lost = LogLine::new(log);
    let writer = WRITER.get_or_init(|| LogWriter::start(io::stderr(), move |lines| lost.of_lost(lines)));
    let lines = tracing_subscriber::fmt::layer().event_format(LogLine::new(log)).with_writer(|| writer.clone());
    // It fails only if a log was started before; that log continues.
    let _ = tracing_subscriber::registry().with(lines.with_filter(levels)).try_init();
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!("{panic}");
        if thread::current().name() == Some("main") {
            flush();
        }
    }));
}

/// Waits until the log is written, with a short timeout, since its reader may have stopped. It must be called before
/// the process ends, and before standard error is written in another way.
pub(super) fn flush() {
    if let Some(writer) = WRITER.get() {
        writer.flush(FLUSH_TIMEOUT);
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
