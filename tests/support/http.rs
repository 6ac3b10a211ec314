//! The distribution API, spoken plainly over HTTP.

use std::time::Duration;

use reqwest::{
    Method,
    blocking::{Client, RequestBuilder},
};

pub(crate) use super::answer::Answer;
use super::image::{Blob, IMAGE_INDEX, IMAGE_MANIFEST, Image, Index, Manifest};

const MANIFEST_TYPES: [&str; 4] = [
    IMAGE_MANIFEST,
    IMAGE_INDEX,
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// Sends, and reads the answer to its end.
///
/// # Errors
/// What the connection met.
pub(crate) fn try_send(request: RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send()?;
    Ok(Answer { status: response.status().as_u16(), headers: response.headers().clone(), body: response.bytes()? })
}

pub(crate) fn send(request: RequestBuilder) -> Answer {
    try_send(request).unwrap()
}

/// A registry's API at its origin.
#[derive(Clone)]
pub(crate) struct Registry {
    origin: String,
    client: Client,
}

impl Registry {
    pub(crate) fn new(origin: &str) -> Self {
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(120)).build().unwrap();
        Self { origin: origin.to_owned(), client }
    }

    /// For what takes long: a whole body counts against the time otherwise.
    pub(crate) fn without_timeout(&self) -> Self {
        Self { client: Client::builder().no_proxy().timeout(None).build().unwrap(), ..self.clone() }
    }

    /// `path` may be what a `Location` had: a path or a whole URL.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with('/') { format!("{}{path}", self.origin) } else { path.to_owned() };
        self.client.request(method, url)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path))
    }

    /// As [`Registry::get`], of a registry that may be gone.
    pub(crate) fn try_get(&self, path: &str) -> reqwest::Result<Answer> {
        try_send(self.request(Method::GET, path))
    }

    pub(crate) fn repository(&self, name: &str) -> Repository {
        Repository { registry: self.clone(), name: name.to_owned() }
    }

    pub(crate) fn catalog(&self) -> Vec<String> {
        strings(&self.get("/v2/_catalog?n=1000").expect(200).json()["repositories"])
    }
}

/// One repository of it.
#[derive(Clone)]
pub(crate) struct Repository {
    registry: Registry,
    name: String,
}

impl Repository {
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/v2/{}/{rest}", self.name)
    }

    pub(crate) fn request(&self, method: Method, rest: &str) -> RequestBuilder {
        self.registry.request(method, &self.path(rest))
    }

    pub(crate) fn get(&self, rest: &str) -> Answer {
        send(self.request(Method::GET, rest))
    }

    pub(crate) fn head(&self, rest: &str) -> Answer {
        send(self.request(Method::HEAD, rest))
    }

    /// A manifest, asked for as clients do: registry:2 answers 404 to a request that does not accept the type it has.
    pub(crate) fn manifest(&self, reference: &str) -> Answer {
        let request = self.request(Method::GET, &format!("manifests/{reference}"));
        send(MANIFEST_TYPES.iter().fold(request, |request, media_type| request.header("Accept", *media_type)))
    }

    pub(crate) fn delete(&self, rest: &str) -> Answer {
        send(self.request(Method::DELETE, rest))
    }

    /// A new upload session's location.
    pub(crate) fn begin(&self) -> String {
        send(self.request(Method::POST, "blobs/uploads/")).expect(202).header("location").unwrap().to_owned()
    }

    pub(crate) fn patch(&self, location: &str, bytes: &[u8]) -> reqwest::Result<Answer> {
        let request = self.registry.request(Method::PATCH, location);
        try_send(request.header("Content-Type", "application/octet-stream").body(bytes.to_vec()))
    }

    /// Closes a session with the last of its bytes.
    pub(crate) fn finish(&self, location: &str, digest: &str, bytes: &[u8]) -> reqwest::Result<Answer> {
        let separator = if location.contains('?') { '&' } else { '?' };
        let request = self.registry.request(Method::PUT, &format!("{location}{separator}digest={digest}"));
        try_send(request.header("Content-Type", "application/octet-stream").body(bytes.to_vec()))
    }

    /// Pushes a blob as most clients do, POST and PUT.
    pub(crate) fn try_blob(&self, blob: &Blob) -> reqwest::Result<Answer> {
        let begun = try_send(self.request(Method::POST, "blobs/uploads/"))?;
        match begun.header("location") {
            Some(location) if begun.status == 202 => self.finish(location, blob.digest(), blob.bytes()),
            _ => Ok(begun),
        }
    }

    pub(crate) fn try_manifest(&self, reference: &str, manifest: &Manifest) -> reqwest::Result<Answer> {
        let request = self.request(Method::PUT, &format!("manifests/{reference}"));
        try_send(request.header("Content-Type", manifest.media_type()).body(manifest.bytes().to_vec()))
    }

    pub(crate) fn push_blob(&self, blob: &Blob) {
        self.try_blob(blob).unwrap().expect(201);
    }

    pub(crate) fn push_manifest(&self, reference: &str, manifest: &Manifest) {
        self.try_manifest(reference, manifest).unwrap().expect(201);
    }

    pub(crate) fn push(&self, tag: &str, image: &Image) {
        image.blobs().for_each(|blob| self.push_blob(blob));
        self.push_manifest(tag, image.manifest());
    }

    pub(crate) fn push_index(&self, tag: &str, index: &Index) {
        for image in index.images() {
            self.push(image.manifest().digest(), image);
        }
        self.push_manifest(tag, index.manifest());
    }

    /// Pulls an image whole and compares every byte.
    #[track_caller]
    pub(crate) fn expect_image(&self, reference: &str, image: &Image) {
        self.expect_manifest(reference, image.manifest());
        for blob in image.blobs() {
            let answer = self.get(&format!("blobs/{}", blob.digest())).expect(200);
            assert!(answer.body == blob.bytes(), "{} has other bytes", blob.digest());
        }
    }

    #[track_caller]
    pub(crate) fn expect_index(&self, reference: &str, index: &Index) {
        self.expect_manifest(reference, index.manifest());
        index.images().iter().for_each(|image| self.expect_image(image.manifest().digest(), image));
    }

    #[track_caller]
    pub(crate) fn expect_manifest(&self, reference: &str, manifest: &Manifest) {
        let answer = self.manifest(reference).expect(200);
        assert_eq!(answer.header("docker-content-digest"), Some(manifest.digest()));
        assert_eq!(answer.header("content-type"), Some(manifest.media_type()));
        assert!(answer.body == manifest.bytes(), "{reference} has other bytes");
    }

    pub(crate) fn tags(&self) -> Vec<String> {
        strings(&self.get("tags/list").expect(200).json()["tags"])
    }
}

fn strings(list: &serde_json::Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|item| item.as_str().unwrap().to_owned()).collect()
}
