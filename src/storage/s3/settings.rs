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
    /// The id of the access key.
    pub access_key: String,
    /// The secret of the access key.
    pub secret_key: String,
    /// The token of temporary credentials.
    pub session_token: Option<String>,
}

impl S3Settings {
    /// A bucket at an endpoint that is used by path, without credentials.
    #[must_use]
    pub fn new(bucket: &str, endpoint: Url) -> Self {
        Self {
            endpoint,
            bucket: bucket.to_owned(),
            region: "us-east-1".to_owned(),
            path_style: true,
            root: String::new(),
            access_key: String::new(),
            secret_key: String::new(),
            session_token: None,
        }
    }
}

impl fmt::Debug for S3Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("S3Settings")
            .field("endpoint", &self.endpoint.as_str())
            .field("bucket", &self.bucket)
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}
