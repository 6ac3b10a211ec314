//! Validators of content, and the conditions and ranges that refer to them (RFC 9110, sections 8.8, 13 and 14).

use actix_web::{
    HttpResponseBuilder,
    http::{
        Method,
        header::{self, HeaderName, HeaderValue},
    },
};

use crate::{
    http::Exchange,
    oci::{Digest, EntityTags, Preconditions},
};

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// Says which content this is.
pub(super) fn identify(response: &mut HttpResponseBuilder, digest: &Digest) {
    response.insert_header((CONTENT_DIGEST, digest.to_string()));
    response.insert_header((header::ETAG, format!("\"{digest}\"")));
}

impl Exchange<'_> {
    /// The conditions on what the path names (RFC 9110, section 13.1).
    pub(super) fn preconditions(&self) -> Preconditions {
        Preconditions {
            if_match: self.entity_tags(&header::IF_MATCH),
            if_none_match: self.entity_tags(&header::IF_NONE_MATCH),
        }
    }

    fn entity_tags(&self, name: &HeaderName) -> Option<EntityTags> {
        // A value that is no text matches no tag, and stays a member of the list.
        let lines = self.request().headers().get_all(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let lines: Vec<_> = lines.collect();
        (!lines.is_empty()).then(|| EntityTags::parse(lines.iter().map(AsRef::as_ref)))
    }

    /// The `Range` that is asked for, unless it is to be passed over: it counts for GET alone, and with `If-Range` only
    /// for the same content (RFC 9110, section 13.1.5).
    pub(super) fn range(&self, digest: &Digest) -> Option<&str> {
        let field = |name| self.request().headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        if self.request().method() != Method::GET {
            return None;
        }
        let same = self.entity_tags(&header::IF_RANGE).is_none_or(|tags| tags.is_exactly(digest));
        field(header::RANGE).filter(|_| same)
    }
}
