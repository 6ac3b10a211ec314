//! Reads manifests and configurations for one page, within a bound.

use std::cell::Cell;

use serde_json::Value;

use super::document::Document;
use crate::{
    http::Authorized,
    oci::{Digest, Reference},
    registry::RegistryError,
};

/// The longest manifest or configuration that is read for a page, in bytes. Parsed JSON takes many times the memory of
/// its text.
const LIMIT: usize = 512 * 1024;

/// How many bytes of JSON are parsed for one page. Pages of ordinary images need a tenth of it. Without the bound, a
/// page of 100 indexes could take minutes, and other requests would wait for it.
const PAGE_LIMIT: usize = 16 * 1024 * 1024;

/// Reads content of a repository for one page.
pub(super) struct Reader<'a, A> {
    of: &'a Authorized<A>,
    /// How many bytes may still be parsed.
    left: Cell<usize>,
}

impl<'a, A> Reader<'a, A> {
    pub(super) fn new(of: &'a Authorized<A>) -> Self {
        Self { of, left: Cell::new(PAGE_LIMIT) }
    }

    /// Whether nothing more is parsed for this page.
    pub(super) fn is_used_up(&self) -> bool {
        self.left.get() == 0
    }

    /// A manifest; `None` if it is not there.
    pub(super) async fn manifest(&self, reference: &Reference) -> Result<Option<Document>, RegistryError> {
        let Some(stored) = self.of.repository().browse_manifest(reference).await? else { return Ok(None) };
        let body = self.parse(&stored.bytes).await;
        Ok(Some(Document::new(stored.digest, stored.media_type, body.as_ref())))
    }

    /// A small blob as JSON; `None` if it can't be read.
    pub(super) async fn json(&self, digest: &Digest) -> Result<Option<Value>, RegistryError> {
        let Some(bytes) = self.of.repository().browse_blob(digest, LIMIT as u64).await? else { return Ok(None) };
        Ok(self.parse(&bytes).await)
    }

    /// The JSON of some bytes, null if they are none; `None` if they are too long for this page.
    async fn parse(&self, bytes: &[u8]) -> Option<Value> {
        if !take(&self.left, bytes.len()) {
            return None;
        }
        // Content that is in memory is read without a pause. Other requests have their turn here.
        tokio::task::yield_now().await;
        Some(serde_json::from_slice(bytes).unwrap_or_default())
    }
}

/// Whether as many bytes may be parsed. What does not fit into the bound of the page ends it.
fn take(left: &Cell<usize>, len: usize) -> bool {
    let rest = left.get().checked_sub(len);
    if len <= LIMIT {
        left.set(rest.unwrap_or_default());
    }
    len <= LIMIT && rest.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_parses_no_more_than_its_bound() {
        let left = Cell::new(PAGE_LIMIT);
        assert!(!take(&left, LIMIT + 1), "one that is too long is not parsed, and ends nothing");
        let taken = (0..1000).filter(|_| take(&left, LIMIT)).count();
        assert_eq!(taken, PAGE_LIMIT / LIMIT);
        assert_eq!(left.get(), 0);
        assert!(!take(&left, 1));
    }
}
