//! `/v2/<name>/tags/list`: end-8.

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    body::BodyStream,
    http::{Version, header},
};
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _, stream};
use serde::Serialize;

use super::{
    State,
    error::ApiError,
    pagination::{PageSize, Pagination},
};
use crate::{
    http::{Authorized, Exchange, Freshness, Pull, json},
    oci::{RepositoryName, Tag},
    registry::{Page, RegistryError, Repository},
};

/// How many tags of a list that has no pages are in memory at a time.
const CHUNK: usize = 1000;

#[derive(Serialize)]
struct Tags<'a> {
    name: &'a RepositoryName,
    tags: Vec<Tag>,
}

/// A page of the tags, if a number is asked for; else all of them, as registry:2 gives them: scripts don't know of
/// `Link`.
pub(super) async fn list(
    state: &State,
    request: &Exchange<'_>,
    of: &Authorized<Pull>,
) -> Result<HttpResponse, ApiError> {
    let size = PageSize { default: CHUNK, max: state.settings.tags_max };
    let pagination = Pagination::parse(request.query(), size)?;
    let page = of.repository().list_tags(pagination.last.as_deref(), pagination.limit).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, Freshness::AskAgain.of(request.is_private())));
    if let (true, Some(last)) = (page.more, page.entries.last()) {
        if !pagination.is_explicit() {
            let name = of.name().clone();
            let failed = move |error: &RegistryError| tracing::error!(%name, %error, "a list of tags broke off");
            let body = whole(of.name(), page, of.repository().clone()).inspect_err(failed);
            response.content_type("application/json; charset=utf-8");
            return Ok(streamed(request.request().version(), response, body));
        }
        let path = format!("{}/v2/{}/tags/list", request.path_base(), of.name());
        response.insert_header((header::LINK, pagination.next(&path, last.as_str(), &[])));
    }
    Ok(json(response, &Tags { name: of.name(), tags: page.entries }))
}

/// An answer of a length that is not known yet. HTTP/1.0, which nginx speaks to what is behind it, has no chunks: the
/// end of the connection is the end of the answer (RFC 9112, section 6.3).
fn streamed(
    version: Version,
    mut response: HttpResponseBuilder,
    body: impl Stream<Item = Result<Bytes, RegistryError>> + 'static,
) -> HttpResponse {
    if version >= Version::HTTP_11 {
        return response.streaming(body);
    }
    let mut response = response.force_close().no_chunking(0).body(BodyStream::new(body));
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response
}

/// The next page of a list.
enum Next {
    Page(Page<Tag>),
    After(Tag),
    Nothing,
}

/// The whole list in JSON, from its `first` page on. Nothing is locked between two chunks. Each begins after the last
/// tag of the one before, so a tag that is there all the time is there once, whatever becomes of the others.
fn whole(
    name: &RepositoryName,
    first: Page<Tag>,
    repository: Repository,
) -> impl Stream<Item = Result<Bytes, RegistryError>> + use<> {
    // Neither a name nor a tag has anything that JSON would escape.
    let head = format!("{{\"name\":\"{name}\",\"tags\":[");
    stream::try_unfold((head, Next::Page(first)), move |(mut text, next)| {
        let repository = repository.clone();
        async move {
            let is_first = !text.is_empty();
            let page = match next {
                Next::Page(page) => page,
                Next::After(last) => repository.tags_after(Some(last.as_str()), CHUNK).await?,
                Next::Nothing => return Ok(None),
            };
            for (at, tag) in page.entries.iter().enumerate() {
                text.push_str(if is_first && at == 0 { "\"" } else { ",\"" });
                text.push_str(tag.as_str());
                text.push('"');
            }
            let next = match page.entries.into_iter().next_back().filter(|_| page.more) {
                Some(last) => Next::After(last),
                None => Next::Nothing,
            };
            if matches!(next, Next::Nothing) {
                text.push_str("]}\n");
            }
            Ok(Some((Bytes::from(text), (String::new(), next))))
        }
    })
}
