//! The errors of the pages, and their answers.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use maud::html;

use super::{
    State,
    frame::{Frame, Viewer},
    query,
    routes::Page,
    see_other,
};
use crate::{
    http::{ErrorAnswer, HttpError},
    oci::ErrorCode,
    registry::{BodyError, RegistryError},
};

/// Why a page is not shown, or a form not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum PageError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("there is no such repository, tag or manifest")]
    NotHere,
    #[error("the form is of another site, or of a session that has ended")]
    ForeignForm,
    #[error("deletes are switched off")]
    DeletesOff,
    #[error("what the form names has changed since the page was shown")]
    Changed,
    #[error("the form did not come to its end")]
    Form(#[from] BodyError),
}

impl From<RegistryError> for PageError {
    fn from(error: RegistryError) -> Self {
        use RegistryError as From;
        match error {
            From::NameUnknown(_) | From::ManifestUnknown(_) | From::BlobUnknown(_) => Self::NotHere,
            From::DeleteDisabled => Self::DeletesOff,
            From::PreconditionFailed => Self::Changed,
            From::Storage(error) => Self::Http(error.into()),
            From::Body(error) => Self::Form(error),
            From::Upstream(_) => Self::Http(HttpError::Unavailable),
            // Errors of pushes, which no page makes.
            From::ManifestInvalid(_)
            | From::ManifestTooLarge { .. }
            | From::ManifestBlobUnknown(_)
            | From::DigestMismatch { .. }
            | From::TagExists(_)
            | From::UploadUnknown
            | From::TooManyUploads { .. }
            | From::UploadBusy
            | From::UploadOffset { .. }
            | From::LengthMismatch
            | From::UploadTooLarge { .. }
            | From::FilledByUpstream { .. }
            | From::Aborted => Self::Http(HttpError::Internal),
        }
    }
}

impl From<PageError> for ErrorAnswer {
    fn from(error: PageError) -> Self {
        let (status, code) = match error {
            PageError::Http(error) => return error.into(),
            PageError::NotHere => (StatusCode::NOT_FOUND, ErrorCode::NameUnknown),
            PageError::ForeignForm => (StatusCode::FORBIDDEN, ErrorCode::Denied),
            PageError::DeletesOff => (StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported),
            PageError::Changed => (StatusCode::PRECONDITION_FAILED, ErrorCode::PreconditionFailed),
            PageError::Form(_) => (StatusCode::BAD_REQUEST, ErrorCode::Unsupported),
        };
        Self::new(status, code, error.to_string(), error.to_string())
    }
}

/// The page for an error. A viewer without a session is sent to the login. A viewer who may not see something gets the
/// same answer as for something that does not exist.
pub(super) fn refuse(state: &State, page: &Page, error: &ErrorAnswer) -> HttpResponse {
    let mut answer = error.to_response();
    match (answer.status(), page) {
        (StatusCode::UNAUTHORIZED, _) => {
            let next = query(&[("next", &page.path())]);
            return see_other(format!("{}?{next}", state.url(&Page::Login)));
        }
        (StatusCode::FORBIDDEN, Page::Tags(_) | Page::Image(..)) => *answer.status_mut() = StatusCode::NOT_FOUND,
        _ => {}
    }
    let (title, text) = words(answer.status());
    let text = if answer.status() == StatusCode::METHOD_NOT_ALLOWED { error.message() } else { text };
    let body = html! {
        h1 { (title) }
        p { (text) }
        p { a href=(state.url(&Page::Home)) { "All repositories" } }
    };
    let html = Frame { state, title, viewer: Viewer::Unknown, trail: &[] }.around(&body);
    let fields = answer.headers_mut();
    fields.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    fields.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/html; charset=utf-8"));
    answer.set_body(html.into_string()).map_into_boxed_body()
}

/// A title and a sentence for a status.
fn words(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::NOT_FOUND => ("Not found", "There is no such page, or you may not see it."),
        StatusCode::FORBIDDEN => (
            "Not allowed",
            "You may not do this, or the form came from another site or from a session that has ended. Go back, load \
             the page again, and send the form once more.",
        ),
        StatusCode::METHOD_NOT_ALLOWED => ("Not possible", "This registry does not take this request."),
        StatusCode::PRECONDITION_FAILED => {
            ("Changed meanwhile", "The image has changed since the page was shown. Nothing was deleted.")
        }
        StatusCode::TOO_MANY_REQUESTS => ("Too many requests", "Try again later."),
        StatusCode::SERVICE_UNAVAILABLE => ("Not available", "The registry can't answer this now. Try again later."),
        status if status.is_server_error() => ("Error", "The registry met an error. Its log says which."),
        _ => ("Bad request", "This request can't be understood."),
    }
}
