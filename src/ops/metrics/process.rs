//! Figures of the system about this process, under the names that clients of Prometheus use.

use std::time::Duration;

use procfs::{
    WithCurrentSystemInfo as _,
    process::{LimitValue, Process},
};

use super::text::{Kind, Text};

/// Writes what can be read. Where `/proc` is not mounted, nothing is.
pub(super) fn write(text: &mut Text) {
    let Ok(process) = Process::myself() else { return };
    if let Ok(stat) = process.stat() {
        #[expect(clippy::cast_precision_loss, reason = "2^53 ticks are a million years")]
        let seconds = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
        let help = "Total user and system CPU time spent in seconds.";
        text.single("process_cpu_seconds_total", Kind::Counter, help, seconds);
        let resident = stat.rss_bytes().get();
        text.single("process_resident_memory_bytes", Kind::Gauge, "Resident memory size in bytes.", resident);
        text.single("process_virtual_memory_bytes", Kind::Gauge, "Virtual memory size in bytes.", stat.vsize);
        if let Some(begun) = started(&stat) {
            let help = "Start time of the process since unix epoch in seconds.";
            text.single("process_start_time_seconds", Kind::Gauge, help, begun.as_secs_f64());
        }
    }
    if let Ok(open) = process.fd_count() {
        text.single("process_open_fds", Kind::Gauge, "Number of open file descriptors.", open);
    }
    if let Ok(limits) = process.limits() {
        let help = "Maximum number of open file descriptors.";
        text.single("process_max_fds", Kind::Gauge, help, limit(limits.max_open_files.soft_limit));
        let help = "Maximum amount of virtual memory available in bytes.";
        let address_space = limit(limits.max_address_space.soft_limit);
        text.single("process_virtual_memory_max_bytes", Kind::Gauge, help, address_space);
    }
}

/// When the process began, since 1970.
fn started(stat: &procfs::process::Stat) -> Option<Duration> {
    let booted = Duration::from_secs(procfs::boot_time_secs().ok()?);
    let ticks = Duration::from_secs(stat.starttime) / u32::try_from(procfs::ticks_per_second()).ok()?;
    Some(booted + ticks)
}

fn limit(value: LimitValue) -> u64 {
    match value {
        LimitValue::Value(value) => value,
        LimitValue::Unlimited => u64::MAX,
    }
}
