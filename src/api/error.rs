//! The table of errors: every status and code that a client can get.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{access_log::Reason, admission::retry_after, routes::Route};
use crate::{
    auth::{Refusal, TokenError},
    oci::{ErrorCode, InvalidContentRange, InvalidDigest, InvalidName, InvalidReference, InvalidTag, ResourceScope},
    registry::{BodyError, RegistryError, StorageError, UpstreamError},
};

/// Why a request is answered with a 4xx or 5xx.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error("there is nothing at this path")]
    NotFound,
    #[error("the path has an escape that is none, or is no text")]
    Path,
    #[error("this path does not take the method")]
    MethodNotAllowed(Route),
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
    #[error("{parameter} is given more than once")]
    Ambiguous { parameter: &'static str },
    #[error("the digest parameter is missing")]
    DigestMissing,
    #[error("Content-Type is not a media type")]
    ContentType,
    #[error("content is stored as it is: a Content-Encoding can't be taken")]
    ContentEncoding,
    #[error("the connection can't be upgraded")]
    Upgrade,
    #[error("the request's target is longer than {limit} bytes")]
    TargetTooLong { limit: usize },
    #[error("the request's head is longer than {limit} bytes, or has too many fields")]
    HeadTooLarge { limit: usize },
    #[error("this is no request as RFC 9112 has it")]
    Malformed,
    #[error("the head of the request did not come in time")]
    HeadTimeout,
    #[error("Authorization is given more than once")]
    AuthorizationTwice,
    /// Who asks has not shown who it is, or not rightly. `wanted` is what it would need; `None` for the check whether there is a registry.
    #[error("authentication required")]
    Unauthorized { challenge: Option<String>, wanted: Option<Vec<ResourceScope>>, refusal: Option<Refusal> },
    /// A token does not carry what is needed; another one may.
    #[error("requested access to the resource is denied")]
    InsufficientScope { challenge: Option<String>, wanted: Vec<ResourceScope> },
    #[error("requested access to the resource is denied")]
    Denied { wanted: Vec<ResourceScope> },
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("too many requests: try again later")]
    TooManyRequests { retry_after: u64 },
    #[error("try again later")]
    Unavailable,
    #[error("the registry is read-only")]
    ReadOnly,
    #[error("the registry has no room for more")]
    NoRoom,
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

/// The body of an error ([distribution-spec, error codes]).
///
/// [distribution-spec, error codes]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes
#[derive(Serialize)]
struct Body {
    errors: Vec<Entry>,
    /// The error of OAuth 2 (RFC 6749, section 5.2), beside ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

#[derive(Serialize)]
struct Entry {
    code: &'static str,
    message: String,
    detail: Value,
}

impl ApiError {
    /// The status it is answered with.
    #[cfg(test)]
    pub(super) fn status(&self) -> StatusCode {
        self.row().0
    }

    /// The whole answer.
    pub(super) fn to_response(&self) -> HttpResponse {
        let (status, code) = self.row();
        if status.is_server_error() {
            tracing::error!(error = %self.cause(), "a request failed");
        }
        let entry = |detail| Entry { code: code.as_str(), message: self.message(code), detail };
        let errors = self.details().into_iter().map(entry).collect();
        // A value made of strings and numbers can always be written.
        let mut body = serde_json::to_vec(&Body { errors, error: self.oauth_error() }).unwrap_or_default();
        body.push(b'\n');
        let mut response = HttpResponse::build(status);
        response.content_type("application/json; charset=utf-8");
        self.add_headers(&mut response);
        let mut response = response.body(body);
        response.extensions_mut().insert(Reason(self.reason()));
        response
    }

    /// What the log reads of a mistake that is the client's.
    fn reason(&self) -> String {
        match self {
            Self::Unauthorized { refusal: Some(refusal), .. } => refusal.to_string(),
            error => error.to_string(),
        }
    }

    /// The table. No row is left to a default, so that a new error has to be given its own.
    fn row(&self) -> (StatusCode, ErrorCode) {
        use ErrorCode as Code;
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, Code::Unsupported),
            Self::MethodNotAllowed(_) | Self::ReadOnly => (StatusCode::METHOD_NOT_ALLOWED, Code::Unsupported),
            Self::Name(_) => (StatusCode::BAD_REQUEST, Code::NameInvalid),
            Self::Digest(_) | Self::DigestMissing => (StatusCode::BAD_REQUEST, Code::DigestInvalid),
            Self::UploadUnknown => (StatusCode::NOT_FOUND, Code::BlobUploadUnknown),
            Self::ContentRange(_) => (StatusCode::BAD_REQUEST, Code::BlobUploadInvalid),
            Self::Range { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, Code::SizeInvalid),
            Self::Ranges => (StatusCode::BAD_REQUEST, Code::SizeInvalid),
            Self::Pagination { .. } => (StatusCode::BAD_REQUEST, Code::PaginationNumberInvalid),
            Self::HeadTimeout => (StatusCode::REQUEST_TIMEOUT, Code::Unsupported),
            Self::Malformed | Self::Path | Self::Ambiguous { .. } | Self::Upgrade | Self::AuthorizationTwice => {
                (StatusCode::BAD_REQUEST, Code::Unsupported)
            }
            Self::Tag(_) | Self::ContentType => (StatusCode::BAD_REQUEST, Code::ManifestInvalid),
            Self::ContentEncoding => (StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::Unsupported),
            Self::TargetTooLong { .. } => (StatusCode::URI_TOO_LONG, Code::Unsupported),
            Self::HeadTooLarge { .. } => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, Code::Unsupported),
            Self::Unauthorized { .. } => (StatusCode::UNAUTHORIZED, Code::Unauthorized),
            Self::InsufficientScope { .. } => (StatusCode::UNAUTHORIZED, Code::Denied),
            Self::Denied { .. } => (StatusCode::FORBIDDEN, Code::Denied),
            Self::Token(error) => token_row(error),
            Self::TooManyRequests { .. } => (StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable),
            Self::NoRoom => (StatusCode::INSUFFICIENT_STORAGE, Code::Unavailable),
            Self::Registry(error) => registry_row(error),
        }
    }

    /// What the client reads. Causes, which may name files, stay in the log.
    fn message(&self, code: ErrorCode) -> String {
        match self {
            Self::Registry(RegistryError::Storage(StorageError::Full)) => Self::NoRoom.to_string(),
            Self::Registry(
                RegistryError::Storage(_)
                | RegistryError::Aborted
                | RegistryError::BlobUnknown(_)
                | RegistryError::ManifestUnknown(_)
                | RegistryError::NameUnknown(_),
            ) => code.message().to_owned(),
            error => error.to_string(),
        }
    }

    fn oauth_error(&self) -> Option<&'static str> {
        match self {
            Self::Token(error) => error.oauth_error(),
            _ => None,
        }
    }

    /// What the log reads.
    fn cause(&self) -> &dyn std::error::Error {
        match self {
            Self::Registry(error) => error,
            error => error,
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
            // docker retries for most of a minute what has the code's own message and no detail.
            Self::Unauthorized { wanted: Some(wanted), .. }
            | Self::InsufficientScope { wanted, .. }
            | Self::Denied { wanted } => access_list(wanted),
            Self::Registry(RegistryError::TagExists(tag)) => json!({ "tag": tag }),
            _ => Value::Null,
        }
    }

    fn add_headers(&self, response: &mut actix_web::HttpResponseBuilder) {
        match self {
            Self::MethodNotAllowed(route) => {
                response.insert_header((header::ALLOW, route.allow()));
            }
            Self::Unauthorized { challenge: Some(challenge), .. }
            | Self::InsufficientScope { challenge: Some(challenge), .. } => {
                response.insert_header((header::WWW_AUTHENTICATE, challenge.as_str()));
            }
            Self::TooManyRequests { retry_after } | Self::Token(TokenError::Throttled { retry_after }) => {
                response.insert_header((header::RETRY_AFTER, retry_after.to_string()));
            }
            Self::Registry(RegistryError::TooManyUploads { .. }) => {
                response.insert_header((header::RETRY_AFTER, retry_after().to_string()));
            }
            Self::Registry(RegistryError::Upstream(UpstreamError::Limited { retry_after: Some(seconds) })) => {
                response.insert_header((header::RETRY_AFTER, seconds.to_string()));
            }
            Self::Range { len } => {
                response.insert_header((header::CONTENT_RANGE, format!("bytes */{len}")));
            }
            // What comes after it, if anything does, is not known to be a request.
            Self::Upgrade | Self::Registry(RegistryError::Body(_)) => {
                response.force_close();
            }
            _ => {}
        }
    }
}

fn registry_row(error: &RegistryError) -> (StatusCode, ErrorCode) {
    use ErrorCode as Code;
    match error {
        RegistryError::NameUnknown(_) => (StatusCode::NOT_FOUND, Code::NameUnknown),
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
        RegistryError::DeleteDisabled => (StatusCode::METHOD_NOT_ALLOWED, Code::Unsupported),
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

fn storage_row(error: &StorageError) -> (StatusCode, ErrorCode) {
    match error {
        // A store that was read-only from the start is not asked to write: this one has become so, as a failing disk does.
        StorageError::ReadOnly => (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable),
        StorageError::Busy => (StatusCode::CONFLICT, ErrorCode::BlobUploadInvalid),
        StorageError::Full => (StatusCode::INSUFFICIENT_STORAGE, ErrorCode::Unavailable),
        StorageError::Exists
        | StorageError::Changed
        | StorageError::TooLarge
        | StorageError::Open(_)
        | StorageError::Read { .. }
        | StorageError::Io { .. } => (StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Unknown),
    }
}

/// What a request would have needed, in registry:2's form.
fn access_list(wanted: &[ResourceScope]) -> Value {
    let entry = |scope: &ResourceScope| {
        let action = |action: &crate::oci::ScopeAction| json!({ "Type": scope.kind.as_str(), "Class": "", "Name": scope.name, "Action": action.as_str() });
        scope.actions.iter().map(action).collect::<Vec<_>>()
    };
    wanted.iter().flat_map(entry).collect()
}
