//! Error codes.

use std::fmt;

/// The code of an error ([distribution-spec, error codes]), with registry:2's additions that clients know.
///
/// [distribution-spec, error codes]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the message of each says what it means")]
pub enum ErrorCode {
    BlobUnknown,
    BlobUploadInvalid,
    BlobUploadUnknown,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    TagInvalid,
    SizeInvalid,
    RangeInvalid,
    PaginationNumberInvalid,
    Unauthorized,
    Denied,
    Unsupported,
    PreconditionFailed,
    TooManyRequests,
    Unavailable,
    Unknown,
}

impl ErrorCode {
    /// The code as it stands in the body of an answer.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::BlobUploadInvalid => "BLOB_UPLOAD_INVALID",
            Self::BlobUploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::ManifestBlobUnknown => "MANIFEST_BLOB_UNKNOWN",
            Self::ManifestInvalid => "MANIFEST_INVALID",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::NameInvalid => "NAME_INVALID",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::TagInvalid => "TAG_INVALID",
            Self::SizeInvalid => "SIZE_INVALID",
            Self::RangeInvalid => "RANGE_INVALID",
            Self::PaginationNumberInvalid => "PAGINATION_NUMBER_INVALID",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Denied => "DENIED",
            Self::Unsupported => "UNSUPPORTED",
            Self::PreconditionFailed => "PRECONDITION_FAILED",
            Self::TooManyRequests => "TOOMANYREQUESTS",
            Self::Unavailable => "UNAVAILABLE",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// What the code means, in the specification's words where it has any: docker looks at them when it decides whether
    /// to try again.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::BlobUnknown => "blob unknown to registry",
            Self::BlobUploadInvalid => "blob upload invalid",
            Self::BlobUploadUnknown => "blob upload unknown to registry",
            Self::DigestInvalid => "provided digest did not match uploaded content",
            Self::ManifestBlobUnknown => "manifest references a manifest or blob unknown to registry",
            Self::ManifestInvalid => "manifest invalid",
            Self::ManifestUnknown => "manifest unknown",
            Self::NameInvalid => "invalid repository name",
            Self::NameUnknown => "repository name not known to registry",
            Self::TagInvalid => "invalid tag",
            Self::SizeInvalid => "provided length did not match content length",
            Self::RangeInvalid => "invalid content range",
            Self::PaginationNumberInvalid => "invalid number of results requested",
            Self::Unauthorized => "authentication required",
            Self::Denied => "requested access to the resource is denied",
            Self::Unsupported => "the operation is unsupported",
            Self::PreconditionFailed => "a precondition of the request does not hold",
            Self::TooManyRequests => "too many requests",
            Self::Unavailable => "service unavailable",
            Self::Unknown => "unknown error",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_messages_are_the_specifications() {
        for (code, text, message) in [
            (ErrorCode::BlobUnknown, "BLOB_UNKNOWN", "blob unknown to registry"),
            (ErrorCode::BlobUploadInvalid, "BLOB_UPLOAD_INVALID", "blob upload invalid"),
            (ErrorCode::BlobUploadUnknown, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry"),
            (ErrorCode::DigestInvalid, "DIGEST_INVALID", "provided digest did not match uploaded content"),
            (
                ErrorCode::ManifestBlobUnknown,
                "MANIFEST_BLOB_UNKNOWN",
                "manifest references a manifest or blob unknown to registry",
            ),
            (ErrorCode::ManifestInvalid, "MANIFEST_INVALID", "manifest invalid"),
            (ErrorCode::NameInvalid, "NAME_INVALID", "invalid repository name"),
            (ErrorCode::NameUnknown, "NAME_UNKNOWN", "repository name not known to registry"),
            (ErrorCode::SizeInvalid, "SIZE_INVALID", "provided length did not match content length"),
            (ErrorCode::Unauthorized, "UNAUTHORIZED", "authentication required"),
            (ErrorCode::Denied, "DENIED", "requested access to the resource is denied"),
            (ErrorCode::Unsupported, "UNSUPPORTED", "the operation is unsupported"),
            (ErrorCode::TooManyRequests, "TOOMANYREQUESTS", "too many requests"),
        ] {
            assert_eq!((code.as_str(), code.message()), (text, message));
            assert_eq!(code.to_string(), text);
        }
    }
}
