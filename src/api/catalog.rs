//! `/v2/_catalog`: the repositories that the caller may pull.

use actix_web::{HttpResponse, http::header};
use serde::Serialize;

use super::{
    Incoming,
    error::ApiError,
    headers::Freshness,
    pagination::{PageSize, Pagination},
};
use crate::oci::RepositoryName;

#[derive(Serialize)]
struct Catalog {
    repositories: Vec<RepositoryName>,
}

pub(super) async fn list(request: &Incoming<'_>) -> Result<HttpResponse, ApiError> {
    request.caller.must_list_catalog()?;
    let max = request.api.settings.catalog_max;
    let pagination = Pagination::parse(&request.query, PageSize { default: max.min(100), max })?;
    let may_see = |name: &RepositoryName| request.caller.may_see(name);
    let page = request.api.registry.list_repositories(pagination.last.as_deref(), pagination.limit, may_see).await;
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, Freshness::AskAgain.of(request.is_private())));
    if let (true, Some(last)) = (page.more, page.entries.last()) {
        let path = request.api.location("/v2/_catalog");
        response.insert_header((header::LINK, pagination.next(&path, last.as_str(), &[])));
    }
    Ok(super::headers::json(response, &Catalog { repositories: page.entries }))
}
