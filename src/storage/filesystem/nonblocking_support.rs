//! What the kernel and the filesystem of a store can do without waiting.

use std::sync::atomic::AtomicBool;

/// The operations that this kernel and the store's filesystem can do without waiting.
#[derive(Debug)]
pub(super) struct NonblockingSupport {
    /// Whether files can be opened so (Linux 5.12, and nothing that filters the call).
    pub(super) opens: AtomicBool,
    /// Whether the filesystem can say that a read would have to wait.
    pub(super) reads: AtomicBool,
}

impl Default for NonblockingSupport {
    fn default() -> Self {
        Self { opens: AtomicBool::new(true), reads: AtomicBool::new(true) }
    }
}

#[cfg(test)]
impl NonblockingSupport {
    /// As on a kernel that can do neither.
    pub(super) fn turn_off(&self) {
        for can in [&self.opens, &self.reads] {
            can.store(false, std::sync::atomic::Ordering::Relaxed);
        }
    }
}
