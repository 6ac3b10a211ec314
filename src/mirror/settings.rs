//! The settings of one upstream.

use std::time::Duration;

use url::Url;

use super::Credentials;
use crate::{
    client::Options,
    oci::{Glob, RepositoryName},
    registry::Anonymous,
};

/// The settings of one upstream.
#[derive(Debug)]
pub struct Settings {
    /// Which repositories of this registry it fills.
    pub place: Place,
    /// Where it is: scheme, host and port, and a path before `/v2/`, if it has one.
    pub url: Url,
    /// The values of `ns` that mean it.
    pub namespaces: Vec<String>,
    /// Which of its repositories may be fetched, as patterns of their names there; empty: all.
    pub repositories: Vec<Glob>,
    /// The credentials, sent only to its host and to its realm.
    pub credentials: Credentials,
    /// The host that issues its tokens, if that is not its own.
    pub realm: Option<String>,
    /// For how long a tag is not asked for again.
    pub fresh: Duration,
    /// For how long a manifest stays that nobody uses; `None`: for ever.
    pub ttl: Option<Duration>,
    /// How many bytes are stored of it at most; `None`: as many as the store takes.
    pub max_bytes: Option<u64>,
    /// The rights of clients without a login.
    pub anonymous: Anonymous,
    /// Whether it is never asked.
    pub is_offline: bool,
    /// How many bytes of the store stay free; a blob that needs them is not fetched.
    pub min_free: u64,
    /// How it is connected to.
    pub client: Options,
}

/// Which repositories an upstream fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// All that no other upstream fills, under the names that they have upstream, as registry:2 has it.
    Root,
    /// Those below a name.
    Below(RepositoryName),
}

impl Settings {
    /// Whether this is Docker Hub, whose official images may be named without `library/`.
    pub(super) fn is_docker_hub(&self) -> bool {
        self.url.host_str().is_some_and(is_docker_hub) || self.namespaces.iter().any(|name| is_docker_hub(name))
    }
}

/// Whether a host is one of Docker Hub's.
pub(super) fn is_docker_hub(host: &str) -> bool {
    matches!(host, "docker.io" | "registry-1.docker.io" | "index.docker.io")
}
