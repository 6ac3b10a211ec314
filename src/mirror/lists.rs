//! Lists of an upstream: tags and referrers.

use serde::Deserialize;
use serde_json::Value;
use url::form_urlencoded;

use super::{Source, manifests::referrers_tag, remote::Wanted, remote_error::RemoteError};
use crate::{
    client::{Method, Response, header},
    oci::{Descriptor, Digest, Tag},
    registry::{Page, ReferrersPage},
};

/// How many bytes a list has at most.
const LIST_BYTES: u64 = 8 * 1024 * 1024;

#[derive(Deserialize)]
struct TagList {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Value>,
}

impl Source {
    /// A page of the upstream's tags; `None`: it does not give it.
    pub(super) async fn tags(&self, name: &str, last: Option<&str>, limit: usize) -> Option<Page<Tag>> {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("n", &limit.to_string())
            .extend_pairs(last.map(|last| ("last", last)))
            .finish();
        let mut response = self.list(name, format!("tags/list?{query}")).await.ok()?;
        let has_more = has_next(&response);
        let list: TagList = serde_json::from_slice(&self.remote.body(&mut response, LIST_BYTES).await.ok()?).ok()?;
        let tags: Vec<Tag> = list.tags.unwrap_or_default().iter().filter_map(|tag| tag.parse().ok()).collect();
        // An upstream that does not know `last` begins again with its first tag.
        let begin = last.and_then(|last| tags.iter().position(|tag| tag.as_str() == last)).map_or(0, |at| at + 1);
        let rest = &tags[begin..];
        let entries = rest[..rest.len().min(limit)].to_vec();
        let more = (has_more || rest.len() > entries.len()) && !entries.is_empty();
        Some(Page { entries, more })
    }

    /// A page of the upstream's referrers of `subject`; `None`: it does not give it.
    pub(super) async fn referrers(
        &self,
        name: &str,
        subject: &Digest,
        artifact_type: Option<&str>,
        last: Option<&str>,
        limit: usize,
    ) -> Option<ReferrersPage> {
        let body = match self.list(name, format!("referrers/{subject}")).await {
            Ok(mut response) => self.remote.body(&mut response, LIST_BYTES).await.ok()?,
            Err(RemoteError::Absent) => match self.remote.read_manifest(name, &referrers_tag(subject)).await {
                Ok(bytes) => bytes,
                Err(RemoteError::Absent) => return Some(ReferrersPage::default()),
                Err(_) => return None,
            },
            Err(_) => return None,
        };
        let index: Index = serde_json::from_slice(&body).ok()?;
        let mut descriptors: Vec<Descriptor> =
            index.manifests.into_iter().filter_map(|entry| serde_json::from_value(entry).ok()).collect();
        descriptors.retain(|entry| artifact_type.is_none_or(|wanted| entry.artifact_type.as_deref() == Some(wanted)));
        descriptors.sort_by(|one, other| one.digest.cmp(&other.digest));
        descriptors.retain(|entry| last.is_none_or(|last| entry.digest.to_string().as_str() > last));
        let more = descriptors.len() > limit;
        descriptors.truncate(limit);
        Some(ReferrersPage { descriptors, more })
    }

    async fn list(&self, name: &str, path: String) -> Result<Response, RemoteError> {
        let accept = "application/vnd.oci.image.index.v1+json, application/json";
        self.remote.ask(&Wanted { method: Method::GET, repository: name, path, accept, range: None }).await
    }
}

/// Whether a response says that another page follows (RFC 8288).
fn has_next(response: &Response) -> bool {
    let links = response.headers.get_all(header::LINK).iter().filter_map(|link| link.to_str().ok());
    links.into_iter().any(|link| link.replace([' ', '"'], "").to_ascii_lowercase().contains("rel=next"))
}
