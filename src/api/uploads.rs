//! `/v2/<name>/blobs/uploads/…`: end-4, end-5, end-6, end-11, end-13, end-14.

use actix_web::{HttpResponse, HttpResponseBuilder, http::header};

use super::{error::ApiError, validators};
use crate::{
    http::{Authorized, ErrorAnswer, Exchange, Push, Receiver},
    oci::{Algorithm, ContentRange, Digest, RepositoryName},
    registry::{Body, Chunk, RegistryError, SessionId, UploadStatus},
};

/// Begins an upload; or takes a whole blob, or one from another repository, if that is what is asked.
pub(super) async fn start(request: &Exchange<'_>, to: &Authorized<Push>) -> Result<HttpResponse, ApiError> {
    if request.query().has("mount") {
        if let Some(digest) = mounted(request, to).await {
            return Ok(created(request, to.name(), &digest));
        }
    } else if let Some(digest) = request.query().one("digest")?.filter(|digest| !digest.is_empty()) {
        let digest: Digest = digest.parse()?;
        request.must_have_room().await?;
        request.receiver()?.feed(async |body| to.repository().push_blob(&digest, body).await).await?;
        return Ok(created(request, to.name(), &digest));
    }
    request.must_have_room().await?;
    let session = to.repository().start_upload(algorithm(request)).await?;
    let mut response = HttpResponse::Accepted();
    describe(&mut response, request, to.name(), UploadStatus { session, offset: 0 });
    Ok(response.finish())
}

pub(super) async fn append(
    request: &Exchange<'_>,
    to: &Authorized<Push>,
    session: SessionId,
) -> Result<HttpResponse, ApiError> {
    let (range, len) = (request.content_range()?, request.content_length());
    request.must_have_room().await?;
    let work = async |body| to.repository().append_upload(session, Chunk { range, len, body }).await;
    match request.receiver()?.feed(work).await {
        Ok(status) => {
            let mut response = HttpResponse::Accepted();
            describe(&mut response, request, to.name(), status);
            Ok(response.finish())
        }
        Err(error) => out_of_order(error, request, to.name(), session),
    }
}

pub(super) async fn finish(
    request: &Exchange<'_>,
    to: &Authorized<Push>,
    session: SessionId,
) -> Result<HttpResponse, ApiError> {
    let digest: Digest = request.query().one("digest")?.ok_or(ApiError::DigestMissing)?.parse()?;
    let (range, len) = (request.content_range()?, request.content_length());
    let empty = len == Some(0);
    let work = async |body| to.repository().finish_upload(session, &digest, Chunk { range, len, body }).await;
    let finished = if empty { work(Body::empty()).await } else { receiver(request).await?.feed(work).await };
    match finished {
        Ok(()) => Ok(created(request, to.name(), &digest)),
        Err(error) => out_of_order(error, request, to.name(), session),
    }
}

pub(super) async fn status(
    request: &Exchange<'_>,
    of: &Authorized<Push>,
    session: SessionId,
) -> Result<HttpResponse, ApiError> {
    let status = of.repository().upload_status(session).await?;
    let mut response = HttpResponse::NoContent();
    describe(&mut response, request, of.name(), status);
    Ok(response.finish())
}

pub(super) async fn cancel(of: &Authorized<Push>, session: SessionId) -> Result<HttpResponse, ApiError> {
    of.repository().cancel_upload(session).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The blob that was mounted. `mount` and `from` are hints: where no mount can be, for whatever reason, the client gets
/// a new upload and sends the blob ([distribution-spec, mounting a blob]).
///
/// [distribution-spec, mounting a blob]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#mounting-a-blob-from-another-repository
async fn mounted(request: &Exchange<'_>, to: &Authorized<Push>) -> Option<Digest> {
    let digest = request.query().one("mount").ok()??.parse().ok()?;
    match mount(request, to, &digest).await {
        Ok(is_mounted) => is_mounted.then_some(digest),
        Err(ApiError::Registry(error)) => {
            tracing::warn!(%error, "a blob can't be mounted: the client is asked to upload it");
            None
        }
        // The source is not the name of a repository.
        Err(_) => None,
    }
}

/// The algorithm to hash an upload with while it comes. The parameter is a hint: the digest that ends the upload
/// decides.
fn algorithm(request: &Exchange<'_>) -> Algorithm {
    let hint = request.query().all("digest-algorithm").next().and_then(|name| name.parse().ok());
    hint.unwrap_or_default()
}

/// Whether the blob could be mounted: from the repository that is named, else from any, if the caller may read it
/// there.
async fn mount(request: &Exchange<'_>, to: &Authorized<Push>, digest: &Digest) -> Result<bool, ApiError> {
    let Some(caller) = request.caller() else { return Ok(false) };
    let Some(from) = request.query().one("from")? else {
        return Ok(to.repository().mount_from_any(digest, |name| caller.may_pull(name)).await?);
    };
    match caller.pull(from.parse()?) {
        Some(from) => Ok(to.repository().mount(digest, from.repository()).await?),
        None => Ok(false),
    }
}

async fn receiver(request: &Exchange<'_>) -> Result<Receiver, ApiError> {
    request.must_have_room().await?;
    Ok(request.receiver()?)
}

fn created(request: &Exchange<'_>, name: &RepositoryName, digest: &Digest) -> HttpResponse {
    let mut response = HttpResponse::Created();
    validators::identify(&mut response, digest);
    response.insert_header((header::LOCATION, format!("{}/v2/{name}/blobs/{digest}", request.path_base())));
    response.finish()
}

/// Where an upload goes on, and how far it is.
fn describe(response: &mut HttpResponseBuilder, request: &Exchange<'_>, name: &RepositoryName, status: UploadStatus) {
    let UploadStatus { session, offset } = status;
    response.insert_header((header::LOCATION, format!("{}/v2/{name}/blobs/uploads/{session}", request.path_base())));
    // The specification has no form for nothing: like registry:2's, the range of an empty upload is that of one byte.
    response.insert_header((header::RANGE, format!("0-{}", offset.saturating_sub(1))));
    response.insert_header(("Docker-Upload-UUID", session.to_string()));
}

/// A chunk that does not fit is answered with where the upload is, so that the client can go on from there.
fn out_of_order(
    error: RegistryError,
    request: &Exchange<'_>,
    name: &RepositoryName,
    session: SessionId,
) -> Result<HttpResponse, ApiError> {
    let RegistryError::UploadOffset { offset } = error else { return Err(error.into()) };
    let mut response = ErrorAnswer::from(ApiError::from(error)).to_response();
    let mut known = HttpResponse::Ok();
    describe(&mut known, request, name, UploadStatus { session, offset });
    for (field, value) in known.finish().headers() {
        response.headers_mut().insert(field.clone(), value.clone());
    }
    Ok(response)
}

impl Exchange<'_> {
    /// Where the chunk says it belongs.
    fn content_range(&self) -> Result<Option<ContentRange>, ApiError> {
        let Some(value) = self.request().headers().get(header::CONTENT_RANGE) else { return Ok(None) };
        Ok(Some(value.to_str().unwrap_or_default().parse()?))
    }
}
