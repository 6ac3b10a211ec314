//! An object that is open for reading.

use std::{io, ops::Range};

use bytes::Bytes;
use futures_util::Stream;

use super::Stat;

/// An object as it was when it was opened.
#[derive(Debug)]
pub struct Object {
    stat: Stat,
}

impl Object {
    /// What is known of it.
    #[must_use]
    pub fn stat(&self) -> Stat {
        self.stat
    }

    /// The bytes of `range`, in pieces of 64 KiB at most.
    pub fn into_stream(self, _range: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        futures_util::stream::empty()
    }
}
