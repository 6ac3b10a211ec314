//! The errors that a request can meet before and beside its resource: the first half of the table of statuses.
//! `api::error` has the rest.

use actix_web::http::{StatusCode, header};
use serde_json::{Value, json};

use super::{
    error_body::{ErrorAnswer, Limit},
    route::Route,
};
use crate::{
    auth::Refusal,
    oci::{ErrorCode, ResourceScope, ScopeAction},
    registry::StorageError,
};

/// Why a request is refused, whatever it asks for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("there is nothing at this path")]
    NotFound,
    #[error("the path has an escape that is none, or is no text")]
    Path,
    #[error("this path does not take the method")]
    MethodNotAllowed(Route),
    #[error("{parameter} is given more than once")]
    Ambiguous { parameter: &'static str },
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
    /// The sender has not shown who it is, or not rightly. `wanted` is what the request needs; `None` for the check
    /// whether there is a registry.
    #[error("authentication required")]
    Unauthorized { challenge: Option<String>, wanted: Option<Vec<ResourceScope>>, refusal: Option<Refusal> },
    /// A token does not carry what is needed; another one may.
    #[error("requested access to the resource is denied")]
    InsufficientScope { challenge: Option<String>, wanted: Vec<ResourceScope> },
    #[error("requested access to the resource is denied")]
    Denied { wanted: Vec<ResourceScope> },
    #[error("too many requests: try again later")]
    TooManyRequests { limit: Limit, retry_after: u64 },
    #[error("try again later")]
    Unavailable,
    #[error("the registry is read-only")]
    ReadOnly,
    #[error("the registry has no room for more")]
    NoRoom,
    /// The server's own fault.
    #[error("unknown error")]
    Internal,
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl HttpError {
    /// The table. No row is left to a default, so that a new error has to be given its own.
    pub(crate) fn row(&self) -> (StatusCode, ErrorCode) {
        use ErrorCode as Code;
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, Code::Unsupported),
            Self::MethodNotAllowed(_) | Self::ReadOnly => (StatusCode::METHOD_NOT_ALLOWED, Code::Unsupported),
            Self::HeadTimeout => (StatusCode::REQUEST_TIMEOUT, Code::Unsupported),
            Self::Malformed | Self::Path | Self::Ambiguous { .. } | Self::Upgrade | Self::AuthorizationTwice => {
                (StatusCode::BAD_REQUEST, Code::Unsupported)
            }
            Self::ContentEncoding => (StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::Unsupported),
            Self::TargetTooLong { .. } => (StatusCode::URI_TOO_LONG, Code::Unsupported),
            Self::HeadTooLarge { .. } => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, Code::Unsupported),
            Self::Unauthorized { .. } => (StatusCode::UNAUTHORIZED, Code::Unauthorized),
            Self::InsufficientScope { .. } => (StatusCode::UNAUTHORIZED, Code::Denied),
            Self::Denied { .. } => (StatusCode::FORBIDDEN, Code::Denied),
            Self::TooManyRequests { .. } => (StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable),
            Self::NoRoom => (StatusCode::INSUFFICIENT_STORAGE, Code::Unavailable),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, Code::Unknown),
            Self::Storage(error) => storage_row(error),
        }
    }

    fn detail(&self) -> Value {
        match self {
            // docker retries for most of a minute what has the code's own message and no detail.
            Self::Unauthorized { wanted: Some(wanted), .. }
            | Self::InsufficientScope { wanted, .. }
            | Self::Denied { wanted } => access_list(wanted),
            _ => Value::Null,
        }
    }
}

impl From<HttpError> for ErrorAnswer {
    fn from(error: HttpError) -> Self {
        let (status, code) = error.row();
        // Causes, which may name files, stay in the log.
        let message = match &error {
            HttpError::Storage(StorageError::Full) => HttpError::NoRoom.to_string(),
            HttpError::Storage(_) => code.message().to_owned(),
            error => error.to_string(),
        };
        let reason = match &error {
            HttpError::Unauthorized { refusal: Some(refusal), .. } => refusal.to_string(),
            error => error.to_string(),
        };
        let mut answer = Self::new(status, code, message, reason).with_details(vec![error.detail()]);
        match error {
            HttpError::MethodNotAllowed(route) => answer.add_header(header::ALLOW, route.allow()),
            HttpError::Unauthorized { challenge: Some(challenge), .. }
            | HttpError::InsufficientScope { challenge: Some(challenge), .. } => {
                answer.add_header(header::WWW_AUTHENTICATE, challenge);
            }
            HttpError::TooManyRequests { limit, retry_after } => answer.limited(limit, Some(retry_after)),
            // The bytes after it may be no request.
            HttpError::Upgrade => answer.end_connection(),
            _ => {}
        }
        answer
    }
}

/// The row of an error of the store.
pub(crate) fn storage_row(error: &StorageError) -> (StatusCode, ErrorCode) {
    match error {
        // A store that was read-only from the start is not asked to write: this one has become so, as a failing disk
        // does.
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

/// The access that a request would have needed, in registry:2's form.
fn access_list(wanted: &[ResourceScope]) -> Value {
    let entry = |scope: &ResourceScope| {
        let action = |action: &ScopeAction| json!({ "Type": scope.kind.as_str(), "Class": "", "Name": scope.name, "Action": action.as_str() });
        scope.actions.iter().map(action).collect::<Vec<_>>()
    };
    wanted.iter().flat_map(entry).collect()
}
