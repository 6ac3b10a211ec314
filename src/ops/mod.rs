//! The endpoints of operators, and of the machines around a registry. They are open to everybody, so they say little,
//! and their cost does not grow with the number of requests.

mod checks;
mod debug;
mod health;
mod metrics;

use std::sync::Arc;

use actix_web::{HttpResponse, http::Method};
use futures_util::future::LocalBoxFuture;

use self::health::Probes;
pub use self::{
    checks::{Check, Checks, HttpProbe, Probe, Unhealthy},
    debug::Debug,
    metrics::{Kind, MetricSource, Metrics, Text},
};
use crate::{
    http::{ErrorAnswer, Exchange, Granted, Path, Query, Resource, Right, Route, Router},
    registry::Registry,
};

const HOME: Route = Route { template: "/", methods: &[Method::GET, Method::HEAD] };
const HEALTH: Route = Route { template: "/healthz", methods: &[Method::GET, Method::HEAD] };

/// The operator's router.
#[derive(Debug)]
pub struct Ops {
    prefix: String,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    registry: Registry,
    probes: Probes,
}

impl Ops {
    /// The router to what is known of `registry`. Its paths stand under `prefix`, where clients are sent, and beside
    /// it, for those who ask the server itself.
    #[must_use]
    pub fn new(prefix: String, registry: Registry) -> Self {
        Self { prefix, state: Arc::new(State { registry, probes: Probes::default() }) }
    }

    fn named(&self, path: &str) -> Option<Name> {
        let beside = match path {
            "/" => Some(Name::Home),
            "/healthz" => Some(Name::Health),
            _ => None,
        };
        beside.or_else(|| match path.strip_prefix(self.prefix.as_str())? {
            "" | "/" if !self.prefix.is_empty() => Some(Name::Home),
            "/healthz" => Some(Name::Health),
            _ => None,
        })
    }
}

impl Router for Ops {
    fn find(&self, path: &Path) -> Option<Result<Box<dyn Resource>, ErrorAnswer>> {
        let name = self.named(path.as_str())?;
        Some(Ok(Box::new(Named { name, state: Arc::clone(&self.state) })))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Home,
    Health,
}

#[derive(Debug)]
struct Named {
    name: Name,
    state: Arc<State>,
}

impl Resource for Named {
    fn route(&self) -> Route {
        match self.name {
            Name::Home => HOME,
            Name::Health => HEALTH,
        }
    }

    fn right(&self, _: &Method, _: &Query) -> Right {
        Right::Open
    }

    fn answer<'a>(&'a self, _: Exchange<'a>, _: Granted) -> LocalBoxFuture<'a, Result<HttpResponse, ErrorAnswer>> {
        Box::pin(async move {
            match self.name {
                Name::Home => Ok(HttpResponse::Ok().finish()),
                Name::Health => self.state.probes.health(&self.state.registry).await,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{registry::Rules, storage::Storage};

    #[tokio::test]
    async fn what_is_open_is_found_under_the_prefix_and_beside_it() {
        let rows = [
            ("", "/", Some(Name::Home)),
            ("", "/healthz", Some(Name::Health)),
            ("", "/healthz/", None),
            ("", "", None),
            ("/my", "/my", Some(Name::Home)),
            ("/my", "/my/", Some(Name::Home)),
            ("/my", "/my/healthz", Some(Name::Health)),
            ("/my", "/", Some(Name::Home)),
            ("/my", "/healthz", Some(Name::Health)),
            ("/my", "/other/healthz", None),
        ];
        for (prefix, path, name) in rows {
            let ops = Ops::new(
                prefix.to_owned(),
                Registry::at_rest(Storage::memory(), Rules::default(), crate::registry::Extensions::default()),
            );
            assert_eq!(ops.named(path), name, "{prefix} {path}");
        }
    }
}
