//! What is under a prefix of a bucket.

use percent_encoding::percent_decode_str;

use super::{
    super::{Child, Key, Result},
    request::{Bucket, Call, failure},
    xml,
};
use crate::client::Method;

/// One answer to `ListObjectsV2`.
#[derive(Debug, Default)]
struct Listing {
    /// Keys, with the root directory.
    objects: Vec<String>,
    /// Prefixes, each with its slash.
    prefixes: Vec<String>,
    next: Option<Begin>,
}

/// Where an answer begins.
#[derive(Clone, Debug)]
enum Begin {
    /// After this key, which need not exist; the empty key is before all others.
    After(String),
    /// Where the answer before ended that had this token.
    Token(String),
}

/// The beginning of all keys.
const FIRST: Begin = Begin::After(String::new());

impl Bucket {
    /// The names directly under `prefix`, in byte order; the first `limit` at least.
    pub(super) async fn children(&self, prefix: &Key, limit: usize) -> Result<Vec<Child>> {
        let below = self.full_key(&format!("{prefix}/"));
        let (mut children, mut begin) = (Vec::new(), FIRST);
        loop {
            let page = self.page(&below, true, begin, limit.saturating_add(1)).await?;
            let child = |key: &str, is_prefix| {
                let name = key.strip_prefix(&below)?.trim_end_matches('/');
                // A key that no component of ours can have is not ours.
                let is_name = !matches!(name, "" | "." | "..") && !name.contains(['/', '\0']);
                is_name.then(|| Child { name: name.to_owned(), is_prefix })
            };
            children.extend(page.objects.iter().filter(|key| !key.ends_with('/')).filter_map(|key| child(key, false)));
            children.extend(page.prefixes.iter().filter_map(|key| child(key, true)));
            match page.next {
                Some(next) if children.len() < limit => begin = next,
                _ => break,
            }
        }
        children.sort_unstable();
        children.dedup();
        Ok(children)
    }

    /// The paths of objects below `prefix`, in byte order: the first `limit` after `after`.
    pub(super) async fn paths_after(&self, prefix: &Key, after: &str, limit: usize) -> Result<Vec<String>> {
        let below = self.full_key(&format!("{prefix}/"));
        let keys = self.keys(&below, Begin::After(format!("{below}{after}")), limit).await?;
        let paths = keys.iter().filter_map(|key| key.strip_prefix(&below)).filter(|path| *path > after);
        Ok(paths.map(str::to_owned).collect())
    }

    /// Whether anything is under `prefix`.
    pub(super) async fn has_children(&self, prefix: &Key) -> Result<bool> {
        let page = self.page(&self.full_key(&format!("{prefix}/")), false, FIRST, 1).await?;
        Ok(!page.objects.is_empty())
    }

    /// All keys under `prefix`, without the root directory, in byte order.
    pub(super) async fn keys_under(&self, prefix: &Key) -> Result<Vec<String>> {
        let root = self.full_key("");
        let keys = self.keys(&self.full_key(&format!("{prefix}/")), FIRST, usize::MAX).await?;
        Ok(keys.iter().filter_map(|key| key.strip_prefix(&root)).map(str::to_owned).collect())
    }

    /// The keys that begin with `below`, in byte order: the first `limit` from `begin` on.
    async fn keys(&self, below: &str, mut begin: Begin, limit: usize) -> Result<Vec<String>> {
        let mut keys = Vec::new();
        while keys.len() < limit {
            let page = self.page(below, false, begin, limit - keys.len()).await?;
            keys.extend(page.objects);
            let Some(next) = page.next else { break };
            begin = next;
        }
        keys.sort_unstable();
        Ok(keys)
    }

    async fn page(&self, below: &str, one_level: bool, begin: Begin, limit: usize) -> Result<Listing> {
        let mut call = Call::new("list", Method::GET, "")
            .query("list-type", 2)
            .query("prefix", below)
            .query("encoding-type", "url")
            .query("max-keys", limit.min(1000));
        if one_level {
            call = call.query("delimiter", "/");
        }
        match begin {
            Begin::After(key) if key.is_empty() => {}
            Begin::After(key) => call = call.query("start-after", key),
            Begin::Token(token) => call = call.query("continuation-token", token),
        }
        let text = self.send(call).await?.xml()?;
        // Not every store knows this encoding.
        let is_encoded = xml::text_of(&text, "EncodingType").as_deref() == Some("url");
        let of = |parent, name| {
            let entries = xml::elements(&text, parent).into_iter();
            let keys = entries.filter_map(|entry| xml::text_of(entry, name));
            keys.map(|key| if is_encoded { decode(&key) } else { key }).collect::<Vec<_>>()
        };
        let mut listing =
            Listing { objects: of("Contents", "Key"), prefixes: of("CommonPrefixes", "Prefix"), next: None };
        if xml::text_of(&text, "IsTruncated").as_deref() == Some("true") {
            let next = xml::text_of(&text, "NextContinuationToken");
            listing.next = Some(Begin::Token(
                next.ok_or_else(|| failure("list", below, "the answer does not say how it goes on"))?,
            ));
        }
        Ok(listing)
    }
}

/// A key as it stands in a listing with `encoding-type=url`.
fn decode(key: &str) -> String {
    percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
}
