//! Where a bucket is, and who asks for it.

use std::fmt;

use url::Url;

/// Where a bucket is, and the credentials for it.
#[derive(Clone, PartialEq, Eq)]
pub struct S3Settings {
    /// The endpoint, `http` or `https`, without the bucket.
    pub endpoint: Url,
    /// The bucket.
    pub bucket: String,
    /// The region that requests are signed for.
    pub region: String,
    /// Whether the bucket is the first component of the path. Otherwise it is the first label of the host.
    pub path_style: bool,
    /// The prefix of all keys, without slashes at its ends.
    pub root: String,
    /// The credentials; `None`: those of the environment.
    pub credentials: Option<Credentials>,
    /// Whether every certificate of the store is accepted.
    pub skip_verify: bool,
    /// The access list of objects, if it is not the usual one.
    pub acl: Option<&'static str>,
    /// Whether objects are written with the storage class `STANDARD`; otherwise no class is named.
    pub storage_class: bool,
}

/// The right to use a bucket.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The id of the access key.
    pub access_key: String,
    /// The secret of the access key.
    pub secret_key: String,
    /// The token of temporary credentials.
    pub session_token: Option<String>,
}

impl S3Settings {
    /// A bucket at an endpoint that is used by path, with the credentials of the environment.
    #[must_use]
    pub fn new(bucket: &str, endpoint: Url) -> Self {
        Self {
            endpoint,
            bucket: bucket.to_owned(),
            region: "us-east-1".to_owned(),
            path_style: true,
            root: String::new(),
            credentials: None,
            skip_verify: false,
            acl: None,
            storage_class: false,
        }
    }
}

impl fmt::Display for S3Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.root.is_empty() { "" } else { "/" };
        write!(f, "the bucket {}{slash}{} at {}", self.bucket, self.root, self.endpoint)
    }
}

impl fmt::Debug for S3Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path_style, credentials, skip_verify, acl, storage_class, .. } = self;
        write!(f, "{self}, {} {path_style} {skip_verify} {acl:?} {storage_class} {credentials:?}", self.region)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = if self.session_token.is_some() { ", a token" } else { "" };
        write!(f, "Credentials(…{token})")
    }
}
