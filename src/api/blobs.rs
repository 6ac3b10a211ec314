//! `/v2/<name>/blobs/<digest>`: end-2, end-10.

use std::ops::Range;

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    body::{BoxBody, SizedStream},
    http::{StatusCode, header},
};

use futures_util::TryStreamExt as _;

use super::{broken_download, error::ApiError, multipart_ranges, validators};
use crate::{
    http::{Authorized, Delete, Exchange, Freshness, Pull, SendfileBody, SendfileSlot, note_cache, only_length},
    oci::{ByteRange, Digest, Read},
    registry::{Blob, BlobStat, RegistryError},
};

/// From how many bytes on the kernel sends them: what is shorter goes out with the head of the answer.
const DELIVERED_MIN_LEN: u64 = 64 * 1024;

pub(super) async fn head(
    request: &Exchange<'_>,
    of: &Authorized<Pull>,
    digest: &Digest,
) -> Result<HttpResponse, ApiError> {
    let stat = of.repository().stat_blob(digest).await?;
    answer(request, digest, stat, None)
}

pub(super) async fn get(
    request: &Exchange<'_>,
    of: &Authorized<Pull>,
    digest: &Digest,
) -> Result<HttpResponse, ApiError> {
    let blob = of.repository().open_blob(digest).await?;
    let stat = BlobStat { len: blob.len(), cache: blob.cache() };
    answer(request, digest, stat, Some(blob))
}

pub(super) async fn delete(
    request: &Exchange<'_>,
    of: &Authorized<Delete>,
    digest: &Digest,
) -> Result<HttpResponse, ApiError> {
    of.repository().delete_blob(digest, request.preconditions()).await?;
    Ok(HttpResponse::Accepted().finish())
}

/// The whole blob, a part of it, or word that the client has it; without its bytes if it was not opened.
fn answer(
    request: &Exchange<'_>,
    digest: &Digest,
    stat: BlobStat,
    blob: Option<Blob>,
) -> Result<HttpResponse, ApiError> {
    let (len, mut response) = (stat.len, HttpResponse::Ok());
    note_cache(&mut response, stat.cache);
    validators::identify(&mut response, digest);
    response.insert_header((header::ACCEPT_RANGES, "bytes"));
    response.insert_header((header::CACHE_CONTROL, Freshness::ForEver.of(request.is_private())));
    match request.preconditions().of_read(digest) {
        Read::Send => {}
        Read::NotModified => return Ok(response.status(StatusCode::NOT_MODIFIED).finish()),
        Read::Refused => return Err(RegistryError::PreconditionFailed.into()),
    }
    response.content_type("application/octet-stream");
    response.insert_header((header::CONTENT_DISPOSITION, "attachment"));
    let (first, end) = match ByteRange::parse(request.range(digest), len) {
        ByteRange::Whole => (0, len),
        ByteRange::Unsatisfiable => return Err(ApiError::Range { len }),
        ByteRange::Excessive => return Err(ApiError::Ranges),
        ByteRange::Parts(ranges) => return Ok(multipart_ranges::answer(response, blob, len, ranges)),
        ByteRange::Part { first, last } => {
            response.status(StatusCode::PARTIAL_CONTENT);
            response.insert_header((header::CONTENT_RANGE, format!("bytes {first}-{last}/{len}")));
            (first, last + 1)
        }
    };
    Ok(match blob {
        Some(blob) => with_bytes(request, response, blob, first..end),
        None => response.body(only_length(end - first)),
    })
}

/// The answer with the bytes of `range`: sent by the kernel, where it can and they are many; else through this process.
fn with_bytes(
    request: &Exchange<'_>,
    mut response: HttpResponseBuilder,
    blob: Blob,
    range: Range<u64>,
) -> HttpResponse {
    let len = range.end - range.start;
    let outlet = request.request().conn_data::<SendfileSlot>().filter(|_| len >= DELIVERED_MIN_LEN);
    let blob = match outlet {
        None => blob,
        Some(outlet) => match blob.into_delivery(range.clone()) {
            Ok(delivery) => return response.no_chunking(len).body(SendfileBody::new(outlet.clone(), delivery)),
            Err(blob) => blob,
        },
    };
    let failed = broken_download::report(blob.digest().clone());
    let pieces = blob.into_stream(range).inspect_err(failed);
    response.body(BoxBody::new(SizedStream::new(len, Box::pin(pieces))))
}
