//! `/` and `/healthz`: is the server there, and does its store take writes. Open to everybody, and so they say nothing else.

use actix_web::{HttpResponse, web};

use super::Api;

pub(super) fn home() -> HttpResponse {
    HttpResponse::Ok().finish()
}

/// 503 if the store is not writable any more. One that never was is served read-only, which is what was wanted.
pub(super) async fn health(api: &web::Data<Api>) -> HttpResponse {
    if api.registry.is_read_only() {
        return HttpResponse::Ok().finish();
    }
    match api.registry.probe().await {
        Ok(()) => HttpResponse::Ok().finish(),
        Err(error) => {
            tracing::error!(%error, "the store takes no writes");
            super::error::ApiError::Unavailable.to_response()
        }
    }
}
