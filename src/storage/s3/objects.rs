//! Single objects of a bucket.

use std::time::SystemTime;

use bytes::Bytes;
use uuid::Uuid;

use super::{
    super::{
        Condition, Result, Stat, StorageError,
        stat::{ETag, Identity, Version},
    },
    request::{Answer, Bucket, Call, CallDate, failure},
};
use crate::client::{Method, StatusCode};

/// The most bytes that one request copies, so that its answer comes in time.
const COPY_LIMIT: u64 = 256 * 1024 * 1024;

/// The header that tells an own write from another's after a lost answer.
const NONCE: &str = "x-amz-meta-wharf-write";

impl Bucket {
    /// The metadata of an object; `None` if there is none.
    pub(super) async fn head(&self, key: &str) -> Result<Option<Stat>> {
        Ok(self.date_of(key).await?.map(|(_, stat)| stat))
    }

    /// The date of an object by the store's clock, and its metadata; `None` if there is none.
    pub(super) async fn date_of(&self, key: &str) -> Result<Option<(SystemTime, Stat)>> {
        let answer = self.send(Call::new("look up", Method::HEAD, key)).await?;
        if is_absent(&answer) {
            return Ok(None);
        }
        let answer = answer.success()?;
        let len = answer.header("content-length").and_then(|len| len.parse().ok());
        let stat = self.stat(&answer, len.ok_or_else(|| failure("look up", key, "the answer has no length"))?, key)?;
        Ok(Some((modified(&answer, key)?, stat)))
    }

    /// The whole of an object, and its metadata; `None` if there is none.
    ///
    /// # Errors
    /// [`StorageError::TooLarge`] if it has more than `limit` bytes.
    pub(super) async fn get(&self, key: &str, limit: u64) -> Result<Option<(Bytes, Stat)>> {
        let answer = self.send(Call::new("read", Method::GET, key).limit(limit)).await?;
        if is_absent(&answer) {
            return Ok(None);
        }
        let answer = answer.success()?;
        let stat = self.stat(&answer, answer.body.len() as u64, key)?;
        Ok(Some((answer.body, stat)))
    }

    /// Stores an object, and returns its entity tag.
    ///
    /// # Errors
    /// [`StorageError::Exists`] or [`StorageError::Changed`] if the condition does not hold.
    pub(super) async fn store(&self, key: &str, bytes: Bytes, condition: Condition) -> Result<ETag> {
        self.store_dated(key, bytes, condition, CallDate::Lease).await
    }

    /// [`Bucket::store`], by a request of this date.
    pub(super) async fn store_dated(
        &self,
        key: &str,
        bytes: Bytes,
        condition: Condition,
        date: CallDate,
    ) -> Result<ETag> {
        let nonce = Uuid::new_v4().to_string();
        let call = Call::new("write", Method::PUT, key).body(bytes).dated(date).header(NONCE, &nonce);
        let call = self.of_class(call);
        let (call, refusal) = match condition {
            Condition::Any => (call, StorageError::Changed),
            Condition::IfAbsent => (call.header("if-none-match", "*"), StorageError::Exists),
            Condition::IfVersion(Version(Identity::S3(etag))) => {
                (call.header("if-match", etag.as_str()), StorageError::Changed)
            }
            Condition::IfVersion(_) => return Err(StorageError::Changed),
        };
        let answer = self.send(call).await?;
        // An object that is gone has no version.
        let is_refused = answer.status() == StatusCode::PRECONDITION_FAILED
            || (is_absent(&answer) && matches!(condition, Condition::IfVersion(_)));
        if is_refused && answer.is_repeated {
            // The answer that was lost may have been a success.
            let found = self.send(Call::new("look up", Method::HEAD, key)).await?;
            return if found.header(NONCE) == Some(&nonce) { etag(&found, key) } else { Err(refusal) };
        }
        if is_refused { Err(refusal) } else { etag(&answer.success()?, key) }
    }

    /// A request that makes an object, with the storage class and the access list of the settings.
    pub(super) fn of_class(&self, call: Call) -> Call {
        let call = match self.settings().acl {
            Some(acl) => call.header("x-amz-acl", acl),
            None => call,
        };
        if self.settings().storage_class { call.header("x-amz-storage-class", "STANDARD") } else { call }
    }

    /// The metadata in the headers of an answer about an object of `len` bytes.
    pub(super) fn stat(&self, answer: &Answer, len: u64, key: &str) -> Result<Stat> {
        let modified = self.local_date(modified(answer, key)?);
        Ok(Stat { len, modified, version: Version(Identity::S3(etag(answer, key)?)) })
    }

    /// Removes an object, if there is one.
    pub(super) async fn remove(&self, key: &str) -> Result<()> {
        let answer = self.send(Call::new("delete", Method::DELETE, key)).await?;
        if is_absent(&answer) { Ok(()) } else { answer.success().map(|_| ()) }
    }

    /// Removes an object if it has this version, or is gone.
    pub(super) async fn remove_version(&self, key: &str, version: Version) -> Result<()> {
        let Version(Identity::S3(etag)) = version else { return Err(StorageError::Changed) };
        let call = Call::new("delete", Method::DELETE, key).header("if-match", etag.as_str());
        let answer = self.send(call).await?;
        match answer.status() {
            StatusCode::PRECONDITION_FAILED => Err(StorageError::Changed),
            _ if is_absent(&answer) => Ok(()),
            _ => answer.success().map(|_| ()),
        }
    }

    /// Copies an object of `len` bytes within the bucket, over whatever is at `to`.
    pub(super) async fn copy(&self, from: &str, to: &str, len: u64) -> Result<()> {
        let source = self.copy_source(from);
        if len <= COPY_LIMIT {
            let call = self.of_class(Call::new("copy", Method::PUT, to).header("x-amz-copy-source", source));
            return self.send(call).await?.xml().map(|_| ());
        }
        let before = self.head(to).await?;
        let id = self.begin_parts(to).await?;
        let mut parts = Vec::new();
        let mut begin = 0;
        while begin < len {
            let end = len.min(begin + COPY_LIMIT);
            let call = Call::new("copy", Method::PUT, to)
                .query("partNumber", parts.len() + 1)
                .query("uploadId", &id)
                .header("x-amz-copy-source", &source)
                .header("x-amz-copy-source-range", format!("bytes={begin}-{}", end - 1));
            match self.send(call).await.and_then(Answer::xml) {
                Ok(text) => parts.push(super::xml::text_of(&text, "ETag").unwrap_or_default()),
                Err(error) => {
                    self.abort_parts(to, &id).await;
                    return Err(error);
                }
            }
            begin = end;
        }
        self.complete_parts(to, &id, &parts, before).await
    }
}

/// Whether the answer says that there is no such object. A bucket that is missing is an error.
pub(super) fn is_absent(answer: &Answer) -> bool {
    answer.status() == StatusCode::NOT_FOUND && answer.code() != Some("NoSuchBucket")
        // Of a key that is longer than any object's, some stores say so.
        || answer.code() == Some("KeyTooLongError")
}

fn modified(answer: &Answer, key: &str) -> Result<SystemTime> {
    let modified = answer.header("last-modified").and_then(|date| httpdate::parse_http_date(date).ok());
    modified.ok_or_else(|| failure("look up", key, "the answer has no date"))
}

fn etag(answer: &Answer, key: &str) -> Result<ETag> {
    let etag = answer.header("etag").and_then(ETag::new);
    etag.ok_or_else(|| failure("look up", key, "the answer has no entity tag of a usual length"))
}
