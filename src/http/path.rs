//! The path of a request. It is decoded here, once and whole: the one value that comes out decides which resource is
//! meant, what is allowed, what is read and what the log says (RFC 3986, section 2.4: nothing is decoded a second
//! time).

use percent_encoding::percent_decode_str;

use super::HttpError;

/// A decoded path.
#[derive(Debug)]
pub struct Path(String);

impl Path {
    /// The path without its escapes (RFC 3986, section 2.1).
    ///
    /// # Errors
    /// 400 if one of them is malformed, or if the path is no text.
    pub(crate) fn decode(raw: &str) -> Result<Self, HttpError> {
        let is_escape = |rest: &str| rest.as_bytes().get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
        if !raw.split('%').skip(1).all(is_escape) {
            return Err(HttpError::Path);
        }
        let path = percent_decode_str(raw).decode_utf8().map_err(|_| HttpError::Path)?;
        if path.contains('\0') { Err(HttpError::Path) } else { Ok(Self(path.into_owned())) }
    }

    /// The path as it came, for the log, if it can't be decoded.
    pub(super) fn undecoded(raw: &str) -> Self {
        Self(raw.to_owned())
    }

    /// The text of the path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether no component but the last is empty, and none is `.` or `..`. Whether a slash may stand at the end, the
    /// table of routes says.
    pub(crate) fn is_plain(&self) -> bool {
        let Some(path) = self.0.strip_prefix('/') else { return false };
        let mut components = path.split('/');
        let last = components.next_back();
        !last.is_some_and(|last| matches!(last, "." | "..")) && !components.any(|one| matches!(one, "" | "." | ".."))
    }
}
