//! The entries of a manifest that refer to other content.

use super::{
    BlobReference, InvalidManifest,
    json::{MAX_ENTRIES, Object},
};
use crate::oci::{Descriptor, MediaType, media_type};

/// How entries are read that are not what they should be.
#[derive(Clone, Copy)]
pub(super) enum Reading {
    /// They make the manifest invalid: its type says what they are.
    Strict,
    /// They are passed over: the type is not known, so they may be something else.
    Lenient,
}

impl Reading {
    /// `result`, or nothing where that is allowed.
    pub(super) fn of<T: Default>(self, result: Result<T, InvalidManifest>) -> Result<T, InvalidManifest> {
        match self {
            Self::Strict => result,
            Self::Lenient => Ok(result.unwrap_or_default()),
        }
    }

    /// The elements of a list, each read by `read`. That it is too long is never passed over.
    pub(super) fn list<'a, T>(
        self,
        body: &Object<'a>,
        field: &str,
        read: impl Fn(&Object<'a>) -> Result<T, InvalidManifest>,
    ) -> Result<Vec<T>, InvalidManifest> {
        if matches!(self, Self::Lenient) && !body.has_list(field) {
            return Ok(Vec::new());
        }
        let entries = body.objects(field)?.into_iter().map(|object| object.and_then(|object| read(&object)));
        match self {
            Self::Strict => entries.collect(),
            Self::Lenient => Ok(entries.filter_map(Result::ok).collect()),
        }
    }
}

impl Object<'_> {
    /// This object as a whole descriptor.
    pub(super) fn descriptor(&self) -> Result<Descriptor, InvalidManifest> {
        Ok(Descriptor {
            media_type: self.child_type()?,
            digest: self.parsed("digest")?,
            size: self.size()?.unwrap_or_default(),
            urls: self.urls()?,
            artifact_type: self.optional("artifactType", "a string")?,
            annotations: self.texts("annotations")?,
        })
    }

    /// This object as a descriptor of a blob.
    pub(super) fn blob(&self) -> Result<BlobReference, InvalidManifest> {
        let elsewhere = media_type::is_nondistributable(&self.media_type()?) || !self.urls()?.is_empty();
        Ok(BlobReference { digest: self.parsed("digest")?, size: self.size()?, required: !elsewhere })
    }

    /// The media type, whatever it is written like; empty where there is none, as registry:2 has it.
    pub(super) fn media_type(&self) -> Result<String, InvalidManifest> {
        Ok(self.optional("mediaType", "a string")?.unwrap_or_default())
    }

    /// The media type of a child. Bytes are just bytes where nothing says what they are (RFC 2046, section 4.5.1).
    fn child_type(&self) -> Result<MediaType, InvalidManifest> {
        if self.has("mediaType") { self.parsed("mediaType") } else { Ok(MediaType::octet_stream()) }
    }

    /// This object as one of schema 1's `fsLayers`.
    pub(super) fn schema_1_layer(&self) -> Result<BlobReference, InvalidManifest> {
        Ok(BlobReference { digest: self.parsed("blobSum")?, size: None, required: true })
    }

    fn size(&self) -> Result<Option<u64>, InvalidManifest> {
        let size: Option<u64> = self.optional("size", "a non-negative integer")?;
        if size.is_none_or(|size| size <= Descriptor::MAX_SIZE) {
            return Ok(size);
        }
        Err(InvalidManifest(format!("{} is more than {}", self.path_of("size"), Descriptor::MAX_SIZE)))
    }

    fn urls(&self) -> Result<Vec<String>, InvalidManifest> {
        let urls: Vec<String> = self.optional("urls", "a list of strings")?.unwrap_or_default();
        if urls.len() <= MAX_ENTRIES {
            return Ok(urls);
        }
        Err(InvalidManifest(format!("{} has more than {MAX_ENTRIES} elements", self.path_of("urls"))))
    }
}
