//! The forms of the pages.

use actix_web::http::header;

use super::{State, cookie, error::PageError, frame::FORM_TOKEN};
use crate::http::{Exchange, Query};

/// The longest form, in bytes.
const LIMIT: u64 = 16 * 1024;

/// Reads a form, if a page of this server made it for this session.
///
/// # Errors
/// [`PageError::ForeignForm`] for other forms; [`PageError::Form`] if the body does not come to its end.
pub(super) async fn read(state: &State, exchange: &Exchange<'_>) -> Result<Query, PageError> {
    let request = exchange.request();
    let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if media_type != Some("application/x-www-form-urlencoded") || !exchange.is_from_own_page() {
        return Err(PageError::ForeignForm);
    }
    let body = exchange.receiver()?.whole(LIMIT).await?;
    let form = Query::parse(&String::from_utf8_lossy(&body));
    let token = form.one(FORM_TOKEN)?.unwrap_or_default();
    if !state.sessions.is_form_token(cookie::session(request), token) {
        return Err(PageError::ForeignForm);
    }
    Ok(form)
}
