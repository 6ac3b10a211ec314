//! How far long work is.

use serde::{Deserialize, Serialize};

/// How far long work is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Progress<P> {
    /// What it does.
    pub phase: P,
    /// How much of that it has done.
    pub done: u64,
    /// Out of how much.
    pub of: u64,
}

impl<P> Progress<P> {
    pub(super) fn new(phase: P, done: usize, of: usize) -> Self {
        Self { phase, done: done as u64, of: of as u64 }
    }
}
