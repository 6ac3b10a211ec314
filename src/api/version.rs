//! `/v2/`: is there a registry, and does it know me ([distribution-spec, determining support]).
//!
//! [distribution-spec, determining support]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#determining-support

use actix_web::HttpResponse;

use super::{Incoming, error::ApiError};

pub(super) fn version(request: &Incoming<'_>) -> Result<HttpResponse, ApiError> {
    request.caller.must_be_somebody()?;
    Ok(HttpResponse::Ok().content_type("application/json; charset=utf-8").body("{}"))
}
