//! `/v2/<name>/referrers/<digest>`: end-12.

use actix_web::{HttpResponse, http::header};
use serde::Serialize;

use super::{
    error::ApiError,
    pagination::{PageSize, Pagination},
};
use crate::{
    http::{Authorized, Exchange, Freshness, Pull},
    oci::{Descriptor, Digest, MediaType},
};

/// The most referrers in one page, if a number is asked for. The registry bounds the bytes of each page, which is all
/// that splits the list for clients that don't ask for a number: not all of them follow `Link`.
const SIZE: PageSize = PageSize { default: usize::MAX, max: 1000 };

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u8,
    media_type: &'static str,
    manifests: Vec<Descriptor>,
}

pub(super) async fn list(
    request: &Exchange<'_>,
    of: &Authorized<Pull>,
    subject: &Digest,
) -> Result<HttpResponse, ApiError> {
    let pagination = Pagination::parse(request.query(), SIZE)?;
    // No media type has a space: where there is one, a `+` was sent as it is, as people do with curl.
    let artifact_type = request.query().one("artifactType")?.map(|filter| filter.replace(' ', "+"));
    let artifact_type = artifact_type.as_deref().filter(|filter| !filter.is_empty());
    let last = pagination.last.as_deref();
    let page = of.repository().list_referrers(subject, artifact_type, last, pagination.limit).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, Freshness::AskAgain.of(request.is_private())));
    let mut filters = Vec::new();
    if let Some(artifact_type) = artifact_type {
        response.insert_header(("OCI-Filters-Applied", "artifactType"));
        filters.push(("artifactType", artifact_type));
    }
    if let (true, Some(last)) = (page.more, page.descriptors.last()) {
        let path = format!("{}/v2/{}/referrers/{subject}", request.path_base(), of.name());
        response.insert_header((header::LINK, pagination.next(&path, &last.digest.to_string(), &filters)));
    }
    response.content_type(MediaType::OCI_INDEX);
    let index = Index { schema_version: 2, media_type: MediaType::OCI_INDEX, manifests: page.descriptors };
    Ok(response.body(serde_json::to_vec(&index).unwrap_or_default()))
}
