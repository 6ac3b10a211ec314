//! The request's target, for the fuzzer.

use actix_web::http::Method;

use super::{
    pagination::{PageSize, Pagination},
    routes::Name,
};
use crate::{
    http::{Path, Query, Right},
    oci::RepositoryName,
};

/// A path and a query: no resource has a name that is none, and no page is larger than it may be.
pub(crate) fn request(bytes: &[u8]) {
    const SIZE: PageSize = PageSize { default: 100, max: 1000 };
    let Ok(target) = std::str::from_utf8(bytes) else { return };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = Query::parse(query);
    let found = Path::decode(path).ok().and_then(|path| Name::find(path.as_str(), ""));
    if let Some(Ok(found)) = found
        && let Right::Pull(name) = found.right(&Method::GET, &query)
    {
        assert_eq!(name.to_string().parse::<RepositoryName>().as_ref(), Ok(&name));
    }
    let limit = Pagination::parse(&query, SIZE).map(|page| page.limit);
    assert!(limit.is_ok_and(|limit| limit <= SIZE.max) || !query_is_plain(&query));
    let _ = (query.one("digest"), query.one("mount"), query.one("from"), query.all("tag").count());
}

/// Whether nothing is asked for that could be refused.
fn query_is_plain(query: &Query) -> bool {
    matches!(query.one("n"), Ok(None))
}
