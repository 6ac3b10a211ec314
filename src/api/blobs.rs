//! `/v2/<name>/blobs/<digest>`: end-2, end-10.

use actix_web::{
    HttpResponse,
    body::{BoxBody, SizedStream},
    http::{StatusCode, header},
};

use futures_util::TryStreamExt as _;

use super::{
    Incoming,
    authorize::{Authorized, Delete, Pull},
    error::ApiError,
    headers::{self, Freshness},
};
use crate::{
    oci::{ByteRange, Digest},
    registry::{Blob, Stat},
};

pub(super) async fn head(
    request: &Incoming<'_>,
    of: &Authorized<Pull>,
    digest: &Digest,
) -> Result<HttpResponse, ApiError> {
    let stat = of.repository().stat_blob(digest).await?;
    answer(request, digest, stat, None)
}

pub(super) async fn get(
    request: &Incoming<'_>,
    of: &Authorized<Pull>,
    digest: &Digest,
) -> Result<HttpResponse, ApiError> {
    let blob = of.repository().open_blob(digest).await?;
    let stat = blob.stat();
    answer(request, digest, stat, Some(blob))
}

pub(super) async fn delete(
    _: &Incoming<'_>,
    of: &Authorized<Delete>,
    digest: &Digest,
) -> Result<HttpResponse, ApiError> {
    of.repository().delete_blob(digest).await?;
    Ok(HttpResponse::Accepted().finish())
}

/// The whole blob, a part of it, or word that the client has it; without its bytes if it was not opened.
fn answer(request: &Incoming<'_>, digest: &Digest, stat: Stat, blob: Option<Blob>) -> Result<HttpResponse, ApiError> {
    let mut response = HttpResponse::Ok();
    headers::identify(&mut response, digest);
    response.insert_header((header::ACCEPT_RANGES, "bytes"));
    response.insert_header((header::CACHE_CONTROL, Freshness::ForEver.of(request.is_private())));
    if request.has(digest) {
        return Ok(response.status(StatusCode::NOT_MODIFIED).finish());
    }
    response.content_type("application/octet-stream");
    response.insert_header((header::CONTENT_DISPOSITION, "attachment"));
    let (first, end) = match ByteRange::parse(request.range(digest), stat.len) {
        ByteRange::Whole => (0, stat.len),
        ByteRange::Unsatisfiable => return Err(ApiError::Range { len: stat.len }),
        ByteRange::Part { first, last } => {
            response.status(StatusCode::PARTIAL_CONTENT);
            response.insert_header((header::CONTENT_RANGE, format!("bytes {first}-{last}/{}", stat.len)));
            (first, last + 1)
        }
    };
    Ok(response.body(match blob {
        Some(blob) => {
            let digest = blob.digest().clone();
            // The head is sent by then, so the client can only be cut off: the operator has to be told.
            let failed = move |error: &std::io::Error| tracing::error!(%digest, %error, "a download broke off");
            let pieces = blob.into_stream(first..end).inspect_err(failed);
            BoxBody::new(SizedStream::new(end - first, Box::pin(pieces)))
        }
        None => headers::only_length(end - first),
    }))
}
