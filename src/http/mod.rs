//! The way of every request, whichever [`Router`] it came through: bounds on its head, its path, its sender, the right
//! that it needs, its body, the headers of its answer, and its record. Nothing here knows the distribution API.
//!
//! The sender is known before the request is told whether what it asks for makes sense. So nobody learns anything
//! without the right to it, not even that a digest is malformed.

mod admission;
mod caller;
mod client_address;
mod error;
mod error_body;
mod exchange;
mod head_limits;
mod headers;
mod location;
mod malformed_request;
mod observed_body;
mod options_method;
mod path;
mod query;
mod receive_body;
mod request_record;
mod route;
mod router;
mod same_origin;
mod sendfile;
#[cfg(test)]
mod tests;
mod unread_body;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use self::admission::Admission;
pub(crate) use self::{
    admission::retry_after,
    error::{HttpError, storage_row},
    headers::{Freshness, json, only_length},
    receive_body::Receiver,
    sendfile::SendfileBody,
};
pub use self::{
    caller::{Authorized, Catalog, Delete, Granted, Pull, Push},
    client_address::TrustedProxies,
    error_body::{ErrorAnswer, Limit},
    exchange::{Exchange, serve},
    head_limits::HeadLimits,
    headers::{DATA, Fixed, field},
    location::LocationBase,
    malformed_request::{ContentEnd, ParserAnswer},
    path::Path,
    query::Query,
    receive_body::Rate,
    request_record::{AccessLog, RequestListener, RequestRecord, note_cache},
    route::{Right, Route},
    router::{Resource, Router},
    sendfile::SendfileSlot,
};
use crate::{auth::Authenticator, registry::Registry};

/// The settings of the way that requests are served.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The beginning of every `Location`.
    pub location_base: LocationBase,
    /// What stands before the path in every `Location` and `Link`, as clients have to ask for it: the path that a proxy
    /// takes away, then the prefix of all paths. Empty, or a slash and what follows it, without one at the end.
    pub path_base: String,
    /// Headers that every answer has, over those that it has by default.
    pub headers: BTreeMap<String, Vec<String>>,
    /// Whether writes are refused.
    pub read_only: bool,
    /// The proxies that are believed about where a request comes from.
    pub proxies: TrustedProxies,
    /// Whether the server itself speaks TLS, so that clients may be told to use nothing else.
    pub tls: bool,
    /// How large the head of a request may be.
    pub head: HeadLimits,
    /// How long a body may pause.
    pub body_idle: Duration,
    /// How fast it has to come.
    pub body_rate: Rate,
    /// How many requests may send a body at the same time.
    pub uploads: usize,
    /// How many of them may come from one user, or from one address.
    pub uploads_per_client: usize,
    /// How many bytes must stay free: uploads that would begin with less are refused.
    pub min_free: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            location_base: LocationBase::Path,
            path_base: String::new(),
            headers: BTreeMap::new(),
            read_only: false,
            proxies: TrustedProxies::default(),
            tls: false,
            head: HeadLimits::default(),
            body_idle: Duration::from_secs(30),
            body_rate: Rate::default(),
            uploads: 256,
            uploads_per_client: 32,
            min_free: 0,
        }
    }
}

/// All that requests are served from; shared by all workers.
#[derive(Debug)]
pub struct Service {
    registry: Registry,
    authenticator: Arc<Authenticator>,
    settings: Settings,
    admission: Admission,
    routers: Vec<Box<dyn Router>>,
    listeners: Arc<[Arc<dyn RequestListener>]>,
}

impl Service {
    /// Serves `registry` through `routers` to those whom `authenticator` lets in. The first router that has a path
    /// answers it. Each of `listeners` is told of each request.
    #[must_use]
    pub fn new(
        registry: Registry,
        authenticator: Arc<Authenticator>,
        settings: Settings,
        routers: Vec<Box<dyn Router>>,
        listeners: Vec<Arc<dyn RequestListener>>,
    ) -> Self {
        let admission = Admission::new(settings.uploads, settings.uploads_per_client);
        Self { registry, authenticator, settings, admission, routers, listeners: listeners.into() }
    }
}
