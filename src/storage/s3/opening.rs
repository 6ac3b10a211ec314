//! What is tried before a bucket is served: that it is there, and that its conditional writes decide races.

use bytes::Bytes;
use futures_util::FutureExt as _;

use super::{
    super::{
        Condition, Key, OWN_PREFIX, Result, StorageError,
        stat::{ETag, Identity, Version},
    },
    request::Bucket,
};

/// How many writers race.
const WRITERS: usize = 16;

/// Tries the bucket; returns the reason, if it shall be written and can only be read.
///
/// # Errors
/// [`StorageError::Open`] if it can't be read.
pub(super) async fn try_bucket(bucket: &Bucket, writes: bool) -> Result<Option<String>> {
    let cannot = |error| StorageError::Open(format!("{} can't be used: {error}", bucket.settings()));
    bucket.has_children(&Key::new(OWN_PREFIX)).await.map_err(cannot)?;
    if !writes {
        return Ok(None);
    }
    let key = super::probe_key();
    let tried = race(bucket, key.as_str()).await;
    let removed = bucket.remove(key.as_str()).await;
    Ok(match tried.and_then(|exact| removed.map(|()| exact)) {
        Ok(true) => None,
        Ok(false) => Some("its conditional writes (If-None-Match, If-Match) do not decide races".to_owned()),
        Err(error) => Some(error.to_string()),
    })
}

/// Whether of many conditional writes exactly one succeeds.
async fn race(bucket: &Bucket, key: &str) -> Result<bool> {
    let Some(first) = winner(bucket, key, Condition::IfAbsent).await? else { return Ok(false) };
    let is_first = Condition::IfVersion(Version(Identity::S3(first)));
    if winner(bucket, key, is_first).await?.is_none() {
        return Ok(false);
    }
    Ok(matches!(bucket.store(key, Bytes::from_static(b"late"), is_first).await, Err(StorageError::Changed)))
}

async fn winner(bucket: &Bucket, key: &str, condition: Condition) -> Result<Option<ETag>> {
    let write = |number: usize| bucket.store(key, Bytes::from(format!("{condition:?} {number}")), condition).boxed();
    let mut winners = Vec::new();
    for written in super::all((0..WRITERS).map(write).collect()).await {
        match written {
            Ok(etag) => winners.push(etag),
            Err(StorageError::Exists | StorageError::Changed) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(winners.pop().filter(|_| winners.is_empty()))
}
