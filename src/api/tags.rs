//! `/v2/<name>/tags/list`: end-8.

use actix_web::{HttpResponse, http::header};
use serde::Serialize;

use super::{
    Incoming,
    authorize::{Authorized, Pull},
    error::ApiError,
    headers::{self, Freshness},
    pagination::{PageSize, Pagination},
};
use crate::oci::{RepositoryName, Tag};

#[derive(Serialize)]
struct Tags<'a> {
    name: &'a RepositoryName,
    tags: Vec<Tag>,
}

pub(super) async fn list(request: &Incoming<'_>, of: &Authorized<Pull>) -> Result<HttpResponse, ApiError> {
    let max = request.api.settings.tags_max;
    // registry:2 gives all tags to those who don't ask for a number: scripts that don't know of `Link` get as many as can be.
    let pagination = Pagination::parse(&request.query, PageSize { default: max, max })?;
    let page = of.repository().list_tags(pagination.last.as_deref(), pagination.limit).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, Freshness::AskAgain.of(request.is_private())));
    if let (true, Some(last)) = (page.more, page.entries.last()) {
        let path = request.api.location(&format!("/v2/{}/tags/list", of.name()));
        response.insert_header((header::LINK, pagination.next(&path, last.as_str(), &[])));
    }
    Ok(headers::json(response, &Tags { name: of.name(), tags: page.entries }))
}
