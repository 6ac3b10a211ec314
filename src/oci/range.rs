//! Ranges of bytes.

/// What a `Range` header asks of content of a known length (RFC 9110, section 14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// All of it: no header, or one that may be ignored.
    Whole,
    /// These bytes, `first` to `last`, both included: 206.
    Part {
        /// The first byte.
        first: u64,
        /// The last byte, less than the length.
        last: u64,
    },
    /// Nothing that there is: 416.
    Unsatisfiable,
}

/// The `Content-Range` of a chunk ([distribution-spec, pushing a blob in chunks]): `<first>-<last>`.
///
/// [distribution-spec, pushing a blob in chunks]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-a-blob-in-chunks
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// The offset of the chunk's first byte.
    pub first: u64,
    /// How many bytes the chunk has.
    pub len: u64,
}

/// A text is no `Content-Range` of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the Content-Range of a chunk is <first>-<last>")]
pub struct InvalidContentRange;
