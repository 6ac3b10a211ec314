//! `/v2/_catalog`: the repositories that the caller may pull.

use actix_web::{HttpResponse, http::header};
use serde::Serialize;

use super::{
    State,
    error::ApiError,
    pagination::{PageSize, Pagination},
};
use crate::{
    http::{self, Exchange, Freshness, json},
    oci::RepositoryName,
};

#[derive(Serialize)]
struct Repositories {
    repositories: Vec<RepositoryName>,
}

pub(super) async fn list(
    state: &State,
    request: &Exchange<'_>,
    catalog: &http::Catalog,
) -> Result<HttpResponse, ApiError> {
    let max = state.settings.catalog_max;
    let pagination = Pagination::parse(request.query(), PageSize { default: max.min(100), max })?;
    let page = catalog.list(pagination.last.as_deref(), pagination.limit).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, Freshness::AskAgain.of(request.is_private())));
    if let (true, Some(last)) = (page.more, page.entries.last()) {
        let path = format!("{}/v2/_catalog", request.path_base());
        response.insert_header((header::LINK, pagination.next(&path, last.as_str(), &[])));
    }
    Ok(json(response, &Repositories { repositories: page.entries }))
}
