//! `/v2/<name>/manifests/<reference>`: end-3, end-7, end-9.

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{Method, StatusCode, header},
};

use super::{error::ApiError, validators};
use crate::{
    http::{Authorized, Delete, Exchange, Freshness, Pull, Push, note_cache},
    oci::{MediaType, Read, Reference, Tag},
    registry::{BodyError, CacheStatus, ManifestPush, Registry, RegistryError},
};

/// How many bytes of tags stand in one `OCI-Tag` field; the next ones stand in another.
const TAGS_IN_A_FIELD: usize = 2048;

pub(super) async fn get(
    request: &Exchange<'_>,
    of: &Authorized<Pull>,
    reference: &Reference,
) -> Result<HttpResponse, ApiError> {
    let manifest = match *request.request().method() {
        Method::HEAD => of.repository().head_manifest(reference).await?,
        _ => of.repository().manifest(reference).await?,
    };
    let mut response = HttpResponse::Ok();
    validators::identify(&mut response, &manifest.digest);
    response.insert_header((header::CACHE_CONTROL, Freshness::AskAgain.of(request.is_private())));
    note_cache(&mut response, manifest.cache);
    if manifest.cache == Some(CacheStatus::Stale) {
        // RFC 7234, section 5.5.1.
        response.insert_header((header::WARNING, "110 - \"Response is Stale\""));
    }
    match request.preconditions().of_read(&manifest.digest) {
        Read::Send => {}
        Read::NotModified => return Ok(response.status(StatusCode::NOT_MODIFIED).finish()),
        Read::Refused => return Err(RegistryError::PreconditionFailed.into()),
    }
    Ok(response.content_type(manifest.media_type.as_str()).body(manifest.bytes))
}

pub(super) async fn put(
    request: &Exchange<'_>,
    of: &Authorized<Push>,
    reference: &Reference,
) -> Result<HttpResponse, ApiError> {
    let content_type = request.content_type()?;
    let tags = request.query().all("tag").map(str::parse).collect::<Result<Vec<Tag>, _>>()?;
    let too_large = || RegistryError::ManifestTooLarge { limit: Registry::MANIFEST_LIMIT };
    if request.content_length().is_some_and(|len| len > Registry::MANIFEST_LIMIT) {
        return Err(too_large().into());
    }
    request.must_have_room().await?;
    let conditions = request.preconditions();
    let bytes = request.receiver()?.whole(Registry::MANIFEST_LIMIT).await.map_err(|error| match error {
        BodyError::TooLarge => too_large(),
        error @ (BodyError::Incomplete | BodyError::TooSlow | BodyError::NoRoom) => error.into(),
    })?;
    let push =
        ManifestPush { reference: reference.clone(), tags, content_type, bytes, overwrite: of.overwrite(), conditions };
    let pushed = of.repository().put_manifest(push).await?;
    let mut response = HttpResponse::Created();
    validators::identify(&mut response, &pushed.digest);
    response.insert_header((
        header::LOCATION,
        format!("{}/v2/{}/manifests/{}", request.path_base(), of.name(), pushed.digest),
    ));
    if let Some(subject) = &pushed.subject {
        response.insert_header(("OCI-Subject", subject.to_string()));
    }
    name_tags(&mut response, &pushed.tags);
    Ok(response.finish())
}

pub(super) async fn delete(
    request: &Exchange<'_>,
    of: &Authorized<Delete>,
    reference: &Reference,
) -> Result<HttpResponse, ApiError> {
    match reference {
        Reference::Tag(tag) => of.repository().delete_tag(tag, request.preconditions()).await?,
        Reference::Digest(digest) => of.repository().delete_manifest(digest, request.preconditions()).await?,
    }
    Ok(HttpResponse::Accepted().finish())
}

fn name_tags(response: &mut HttpResponseBuilder, tags: &[Tag]) {
    let mut field = String::new();
    for tag in tags {
        if field.len() + tag.as_str().len() > TAGS_IN_A_FIELD {
            response.append_header(("OCI-Tag", std::mem::take(&mut field)));
        }
        if !field.is_empty() {
            field.push_str(", ");
        }
        field.push_str(tag.as_str());
    }
    if !field.is_empty() {
        response.append_header(("OCI-Tag", field));
    }
}

impl Exchange<'_> {
    /// The type that the client says the body has, without parameters.
    fn content_type(&self) -> Result<Option<MediaType>, ApiError> {
        let Some(value) = self.request().headers().get(header::CONTENT_TYPE) else { return Ok(None) };
        let text = value.to_str().map_err(|_| ApiError::ContentType)?;
        MediaType::from_content_type(text).map(Some).map_err(|_| ApiError::ContentType)
    }
}
