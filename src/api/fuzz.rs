//! The request's target, for the fuzzer.

use super::{
    pagination::{PageSize, Pagination},
    query::Query,
    target::Target,
};
use crate::oci::RepositoryName;

/// A path and a query: no resource has a name that is none, and no page is larger than it may be.
pub(crate) fn request(bytes: &[u8]) {
    const SIZE: PageSize = PageSize { default: 100, max: 1000 };
    let Ok(target) = std::str::from_utf8(bytes) else { return };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let target = Target::parse(path, "");
    if let Some(name) = target.resource().and_then(|resource| resource.repository()) {
        assert_eq!(name.to_string().parse::<RepositoryName>().as_ref(), Ok(name));
    }
    let query = Query::parse(query);
    let limit = Pagination::parse(&query, SIZE).map(|page| page.limit);
    assert!(limit.is_ok_and(|limit| limit <= SIZE.max) || !query_is_plain(&query));
    let _ = (query.one("digest"), query.one("mount"), query.one("from"), query.all("tag").count());
}

/// Whether nothing is asked for that could be refused.
fn query_is_plain(query: &Query) -> bool {
    matches!(query.one("n"), Ok(None))
}
