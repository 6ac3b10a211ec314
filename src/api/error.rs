//! The errors of the API: the second half of the table of statuses and codes. `http::error` has the first.

use actix_web::http::{StatusCode, header};
use serde_json::{Value, json};

use crate::{
    auth::TokenError,
    http::{ErrorAnswer, HttpError, Limit, retry_after, storage_row},
    oci::{ErrorCode, InvalidContentRange, InvalidDigest, InvalidName, InvalidReference, InvalidTag},
    registry::{BodyError, RegistryError, UpstreamError},
};

/// Why a request is answered with a 4xx or 5xx.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error(transparent)]
    Name(#[from] InvalidName),
    #[error(transparent)]
    Digest(#[from] InvalidDigest),
    #[error(transparent)]
    Tag(#[from] InvalidTag),
    #[error("there is no such upload")]
    UploadUnknown,
    #[error(transparent)]
    ContentRange(#[from] InvalidContentRange),
    #[error("the range is outside of the content, which has {len} bytes")]
    Range { len: u64 },
    #[error("too many ranges, or ranges that are longer than the content: ask for less at a time")]
    Ranges,
    #[error("{parameter} is not a number of entries")]
    Pagination { parameter: &'static str },
    #[error("the digest parameter is missing")]
    DigestMissing,
    #[error("Content-Type is not a media type")]
    ContentType,
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl From<InvalidReference> for ApiError {
    fn from(error: InvalidReference) -> Self {
        match error {
            InvalidReference::Digest(error) => error.into(),
            InvalidReference::Tag(error) => error.into(),
        }
    }
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        RegistryError::from(error).into()
    }
}

impl ApiError {
    /// The table. No row is left to a default, so that a new error has to be given its own.
    pub(super) fn row(&self) -> (StatusCode, ErrorCode) {
        use ErrorCode as Code;
        match self {
            Self::Name(_) => (StatusCode::BAD_REQUEST, Code::NameInvalid),
            Self::Digest(_) | Self::DigestMissing => (StatusCode::BAD_REQUEST, Code::DigestInvalid),
            Self::UploadUnknown => (StatusCode::NOT_FOUND, Code::BlobUploadUnknown),
            Self::ContentRange(_) => (StatusCode::BAD_REQUEST, Code::BlobUploadInvalid),
            Self::Range { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, Code::SizeInvalid),
            Self::Ranges => (StatusCode::BAD_REQUEST, Code::SizeInvalid),
            Self::Pagination { .. } => (StatusCode::BAD_REQUEST, Code::PaginationNumberInvalid),
            Self::Tag(_) | Self::ContentType => (StatusCode::BAD_REQUEST, Code::ManifestInvalid),
            Self::Http(error) => error.row(),
            Self::Token(error) => token_row(error),
            Self::Registry(error) => registry_row(error),
        }
    }

    /// The message to the client. Causes, which may name files, stay in the log.
    fn message(&self, code: ErrorCode) -> String {
        match self {
            Self::Registry(
                RegistryError::Aborted
                | RegistryError::BlobUnknown(_)
                | RegistryError::ManifestUnknown(_)
                | RegistryError::NameUnknown(_),
            ) => code.message().to_owned(),
            error => error.to_string(),
        }
    }

    /// One for each error that the body names. Of content that is missing that is one each, as registry:2 has it.
    fn details(&self) -> Vec<Value> {
        match self {
            Self::Registry(RegistryError::ManifestBlobUnknown(digests)) => {
                digests.iter().map(|digest| json!(digest)).collect()
            }
            error => vec![error.detail()],
        }
    }

    fn detail(&self) -> Value {
        match self {
            Self::Registry(RegistryError::BlobUnknown(digest)) => json!({ "digest": digest }),
            Self::Registry(RegistryError::ManifestUnknown(reference)) => json!({ "reference": reference }),
            Self::Registry(RegistryError::NameUnknown(name)) => json!({ "name": name }),
            Self::Registry(RegistryError::UploadOffset { offset }) => json!({ "offset": offset }),
            Self::Registry(RegistryError::DigestMismatch { claimed, actual }) => {
                json!({ "claimed": claimed, "actual": actual })
            }
            Self::Registry(RegistryError::TagExists(tag)) => json!({ "tag": tag }),
            _ => Value::Null,
        }
    }
}

impl From<ApiError> for ErrorAnswer {
    fn from(error: ApiError) -> Self {
        let error = match error {
            ApiError::Http(error) => return error.into(),
            ApiError::Registry(RegistryError::Storage(error)) => return HttpError::from(error).into(),
            error => error,
        };
        let (status, code) = error.row();
        let answer = Self::new(status, code, error.message(code), error.to_string()).with_details(error.details());
        let mut answer = match &error {
            ApiError::Token(error) => answer.with_oauth_error(error.oauth_error()),
            _ => answer,
        };
        match error {
            ApiError::Token(TokenError::Throttled { retry_after }) => {
                answer.limited(Limit::Passwords, Some(retry_after));
            }
            ApiError::Registry(RegistryError::TooManyUploads { .. }) => {
                answer.limited(Limit::Sessions, Some(retry_after()));
            }
            ApiError::Registry(RegistryError::Upstream(UpstreamError::Limited { retry_after })) => {
                answer.limited(Limit::Upstream, retry_after);
            }
            // The log has a line when the upstream fails, and none for each request until it answers.
            ApiError::Registry(RegistryError::Upstream(UpstreamError::Unavailable)) => {
                answer = answer.cause_is_logged();
            }
            ApiError::Range { len } => answer.add_header(header::CONTENT_RANGE, format!("bytes */{len}")),
            // The bytes after it may be no request.
            ApiError::Registry(RegistryError::Body(_)) => answer.end_connection(),
            _ => {}
        }
        answer
    }
}

fn registry_row(error: &RegistryError) -> (StatusCode, ErrorCode) {
    use ErrorCode as Code;
    match error {
        RegistryError::NameUnknown(_) | RegistryError::Upstream(UpstreamError::Denied) => {
            (StatusCode::NOT_FOUND, Code::NameUnknown)
        }
        RegistryError::BlobUnknown(_) => (StatusCode::NOT_FOUND, Code::BlobUnknown),
        RegistryError::ManifestUnknown(_) => (StatusCode::NOT_FOUND, Code::ManifestUnknown),
        RegistryError::ManifestInvalid(_) => (StatusCode::BAD_REQUEST, Code::ManifestInvalid),
        RegistryError::ManifestTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, Code::ManifestInvalid),
        RegistryError::ManifestBlobUnknown(_) => (StatusCode::BAD_REQUEST, Code::ManifestBlobUnknown),
        RegistryError::DigestMismatch { .. } => (StatusCode::BAD_REQUEST, Code::DigestInvalid),
        RegistryError::TagExists(_) => (StatusCode::FORBIDDEN, Code::Denied),
        RegistryError::PreconditionFailed => (StatusCode::PRECONDITION_FAILED, Code::PreconditionFailed),
        RegistryError::TooManyUploads { .. } => (StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests),
        RegistryError::UploadUnknown => (StatusCode::NOT_FOUND, Code::BlobUploadUnknown),
        RegistryError::UploadBusy => (StatusCode::CONFLICT, Code::BlobUploadInvalid),
        RegistryError::UploadOffset { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, Code::BlobUploadInvalid),
        RegistryError::LengthMismatch => (StatusCode::BAD_REQUEST, Code::SizeInvalid),
        RegistryError::UploadTooLarge { .. } | RegistryError::Body(BodyError::TooLarge) => {
            (StatusCode::PAYLOAD_TOO_LARGE, Code::BlobUploadInvalid)
        }
        RegistryError::Body(BodyError::Incomplete) => (StatusCode::BAD_REQUEST, Code::BlobUploadInvalid),
        RegistryError::Body(BodyError::TooSlow) => (StatusCode::REQUEST_TIMEOUT, Code::BlobUploadInvalid),
        RegistryError::Body(BodyError::NoRoom) => (StatusCode::INSUFFICIENT_STORAGE, Code::Unavailable),
        RegistryError::FilledByUpstream { .. } | RegistryError::DeleteDisabled => {
            (StatusCode::METHOD_NOT_ALLOWED, Code::Unsupported)
        }
        RegistryError::Aborted => (StatusCode::INTERNAL_SERVER_ERROR, Code::Unknown),
        RegistryError::Upstream(UpstreamError::Limited { .. }) => {
            (StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests)
        }
        RegistryError::Upstream(UpstreamError::Unavailable) => (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable),
        RegistryError::Storage(error) => storage_row(error),
    }
}

fn token_row(error: &TokenError) -> (StatusCode, ErrorCode) {
    use ErrorCode as Code;
    match error {
        TokenError::NotHere => (StatusCode::NOT_FOUND, Code::Unsupported),
        TokenError::WrongCredentials | TokenError::DeadRefreshToken => (StatusCode::UNAUTHORIZED, Code::Unauthorized),
        TokenError::UnknownService
        | TokenError::AccountMismatch
        | TokenError::UnsupportedGrantType
        | TokenError::InvalidRequest(_)
        | TokenError::TooManyScopes => (StatusCode::BAD_REQUEST, Code::Unsupported),
        TokenError::Throttled { .. } => (StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests),
        TokenError::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable),
    }
}
