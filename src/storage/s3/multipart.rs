//! Multipart uploads.

use bytes::Bytes;

use super::{
    super::{Result, Stat},
    objects::is_absent,
    request::{Bucket, Call, failure},
    xml,
};
use crate::client::Method;

impl Bucket {
    /// Begins an upload in parts; returns its id.
    pub(super) async fn begin_parts(&self, key: &str) -> Result<String> {
        let call = self.of_class(Call::new("begin an upload", Method::POST, key).query("uploads", ""));
        let text = self.send(call).await?.xml()?;
        let id = xml::text_of(&text, "UploadId").filter(|id| !id.is_empty() && !id.contains(char::is_whitespace));
        id.ok_or_else(|| failure("begin an upload", key, "the answer has no id"))
    }

    /// Uploads one part, counted from 1; returns its entity tag.
    pub(super) async fn put_part(&self, key: &str, id: &str, number: usize, bytes: Bytes) -> Result<String> {
        let call = Call::new("write a part", Method::PUT, key).body(bytes);
        let call = call.query("partNumber", number).query("uploadId", id);
        let answer = self.send(call).await?.success()?;
        let etag = answer.header("etag").filter(|etag| !etag.contains(char::is_whitespace)).map(str::to_owned);
        etag.ok_or_else(|| failure("write a part", key, "the answer has no entity tag"))
    }

    /// Makes an object of the parts with these entity tags. `before` is the object that is replaced.
    pub(super) async fn complete_parts(
        &self,
        key: &str,
        id: &str,
        etags: &[String],
        before: Option<Stat>,
    ) -> Result<()> {
        let part = |(index, etag): (usize, &String)| {
            let etag = etag.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
            format!("<Part><PartNumber>{}</PartNumber><ETag>{etag}</ETag></Part>", index + 1)
        };
        let parts = etags.iter().enumerate().map(part).collect::<Vec<_>>().concat();
        let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        let call = Call::new("complete an upload", Method::POST, key).query("uploadId", id).body(body.into());
        let answer = self.send(call).await?;
        if answer.is_repeated && is_absent(&answer) {
            // An upload that is completed is unknown. If there is another object, the lost answer was a success.
            let version = |stat: Option<Stat>| stat.map(|stat| stat.version);
            let found = version(self.head(key).await?);
            return if found.is_some() && found != version(before) { Ok(()) } else { Err(answer.failure()) };
        }
        answer.xml().map(|_| ())
    }

    /// Throws an upload away. One that stays costs space, until the bucket's rule for unfinished uploads removes it.
    pub(super) async fn abort_parts(&self, key: &str, id: &str) {
        let call = Call::new("abort an upload", Method::DELETE, key).query("uploadId", id);
        let aborted = self.send(call).await.map(|answer| is_absent(&answer) || answer.success().is_ok());
        if !matches!(aborted, Ok(true)) {
            tracing::warn!(key, "a multipart upload can't be aborted");
        }
    }
}
