//! Where it was measured.

use std::{fs, process::Command};

/// One line: processors, kernel, filesystem.
pub(crate) fn describe(folder: &std::path::Path) -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let output = Command::new("stat").args(["-f", "-c", "%T"]).arg(folder).output();
    let filesystem =
        output.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).into_owned());
    format!("{cores} × {model}; kernel {}; {}; loopback", kernel.trim(), filesystem.trim())
}
