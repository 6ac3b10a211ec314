//! The object of a staged object: what any process needs to go on with it.
//!
//! ```text
//! wharf upload 1
//! <number of this write, random>
//! <offset> <algorithm> <state of the hash, hex>
//! <id of the multipart upload, or ->
//! <entity tag of each part, by spaces>
//! <the bytes after the last part>
//! ```

use bytes::Bytes;
use uuid::Uuid;

use crate::oci::Hasher;

const HEADER: &str = "wharf upload 1";

/// The state of a staged object.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// How many bytes it has.
    pub(super) offset: u64,
    /// The hash of all of them.
    pub(super) hasher: Hasher,
    /// The id of the multipart upload, if there is one.
    pub(super) multipart: Option<String>,
    /// The entity tags of the parts.
    pub(super) parts: Vec<String>,
    /// The bytes after the last part.
    pub(super) tail: Bytes,
}

impl Session {
    /// The content of the object.
    pub(super) fn encode(&self) -> Bytes {
        let Self { offset, hasher, multipart, parts, tail } = self;
        let (algorithm, state, nonce) = (hasher.algorithm(), hex::encode(hasher.save()), Uuid::new_v4());
        let (id, parts) = (multipart.as_deref().unwrap_or("-"), parts.join(" "));
        let head = format!("{HEADER}\n{nonce}\n{offset} {algorithm} {state}\n{id}\n{parts}\n");
        [head.as_bytes(), tail].concat().into()
    }

    /// The state that an object has; `None` if this version does not understand it.
    pub(super) fn decode(object: &Bytes) -> Option<Self> {
        let mut rest = &object[..];
        let mut line = || {
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            let line = std::str::from_utf8(&rest[..end]).ok()?;
            rest = &rest[end + 1..];
            Some(line)
        };
        let (HEADER, _) = (line()?, line()?) else { return None };
        let mut words = line()?.split(' ');
        let (offset, algorithm) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let hasher = Hasher::restore(algorithm, &hex::decode(words.next()?).ok()?)?;
        let multipart = Some(line()?).filter(|id| *id != "-").map(str::to_owned);
        let parts = line()?.split(' ').filter(|etag| !etag.is_empty()).map(str::to_owned).collect();
        let tail = object.slice_ref(rest);
        Some(Self { offset, hasher, multipart, parts, tail })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;
    use crate::oci::Algorithm;

    #[test]
    fn what_is_written_is_read() {
        for (multipart, parts) in
            [(None, vec![]), (Some("id".to_owned()), vec!["\"a\"".to_owned(), "\"b\"".to_owned()])]
        {
            for tail in ["", "tail\n\n with lines\n"] {
                let mut hasher = Hasher::new(Algorithm::Sha512);
                hasher.update(tail.as_bytes());
                let (multipart, parts) = (multipart.clone(), parts.clone());
                let session = Session { offset: tail.len() as u64, hasher, multipart, parts, tail: tail.into() };
                let read = Session::decode(&session.encode()).unwrap();
                assert_eq!(
                    format!("{:?}", (&read.multipart, &read.parts, &read.tail, read.offset)),
                    format!("{:?}", (&session.multipart, &session.parts, &session.tail, session.offset))
                );
                assert_eq!(read.hasher.finish(), session.hasher.finish());
            }
        }
        for bad in
            ["", "wharf upload 2\nx\n0 sha256 00\n-\n\n", "wharf upload 1\nx\n0 sha256 00\n-\n\n", "wharf upload 1\n"]
        {
            assert!(Session::decode(&bad.into()).is_none(), "{bad}");
        }
    }
}
