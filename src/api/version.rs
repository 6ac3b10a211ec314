//! `/v2/`: is there a registry, and does it know me ([distribution-spec, determining support]).
//!
//! [distribution-spec, determining support]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#determining-support

use actix_web::{HttpResponse, http::header};
use serde_json::json;

use super::Settings;
use crate::http::ErrorAnswer;

pub(super) fn version() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json; charset=utf-8").body("{}")
}

/// The 401 of this resource, in the operator's own words if there are any.
pub(super) fn refuse(settings: &Settings, error: &ErrorAnswer) -> HttpResponse {
    let mut response = error.to_response();
    if let Some(content_type) = settings.unauthorized_content_type.as_ref().and_then(|text| text.parse().ok()) {
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    let Some(message) = &settings.unauthorized_message else { return response };
    let body = json!({ "errors": [{ "code": "UNAUTHORIZED", "message": message }] });
    response.set_body(format!("{body}\n")).map_into_boxed_body()
}
