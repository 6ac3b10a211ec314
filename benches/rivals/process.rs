//! What a process has used, from `/proc`; its children count with it, for nginx has the work done by them.

use std::{fs, time::Duration};

/// How many of the kernel's ticks make a second, as user space sees them, on every processor that Linux runs on today.
const TICKS: u64 = 100;

/// Memory in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// Now.
    pub(crate) resident: u64,
    /// The highest so far.
    pub(crate) highest: u64,
}

/// The processor time that a process and its children have had.
pub(crate) fn cpu(pid: u32) -> Duration {
    let ticks: u64 =
        family(pid).into_iter().filter_map(stat).map(|fields| number(&fields, 11) + number(&fields, 12)).sum();
    Duration::from_millis(ticks * 1000 / TICKS)
}

/// The memory of a process and its children.
pub(crate) fn memory(pid: u32) -> Memory {
    family(pid).into_iter().fold(Memory::default(), |sum, pid| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or_default() << 10
        };
        Memory { resident: sum.resident + field("VmRSS:"), highest: sum.highest + field("VmHWM:") }
    })
}

fn family(pid: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let children = numbers.filter(|other| stat(*other).is_some_and(|fields| number(&fields, 1) == u64::from(pid)));
    std::iter::once(pid).chain(children.collect::<Vec<_>>()).collect()
}

/// The fields of `/proc/<pid>/stat` after the name, which may hold anything.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

fn number(fields: &[String], index: usize) -> u64 {
    fields.get(index).and_then(|field| field.parse().ok()).unwrap_or_default()
}
