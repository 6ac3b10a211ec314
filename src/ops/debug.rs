//! The listener of `http.debug`: metrics and the state of the health checks. It asks for no login.

use std::sync::Arc;

use actix_web::{
    HttpResponse,
    http::{Method, StatusCode, header},
};
use futures_util::future::LocalBoxFuture;

use super::{
    checks::Checks,
    health::Probes,
    metrics::{self, MetricSource, Metrics},
};
use crate::{
    http::{ErrorAnswer, Exchange, Granted, Path, Query, Resource, Right, Route, Router},
    registry::Registry,
};

const METRICS: Route = Route { template: "/metrics", methods: &[Method::GET, Method::HEAD] };
const HEALTH: Route = Route { template: "/debug/health", methods: &[Method::GET, Method::HEAD] };

/// The resources of the listener.
#[derive(Debug)]
pub struct Debug {
    path: Option<String>,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    registry: Registry,
    metrics: Arc<Metrics>,
    others: Vec<Arc<dyn MetricSource>>,
    checks: Arc<Checks>,
    probes: Probes,
}

impl Debug {
    /// The state of `checks`, and at `path`, if there is one, the metrics with those of `others`.
    #[must_use]
    pub fn new(
        path: Option<String>,
        registry: Registry,
        metrics: Arc<Metrics>,
        others: Vec<Arc<dyn MetricSource>>,
        checks: Arc<Checks>,
    ) -> Self {
        Self { path, state: Arc::new(State { registry, metrics, others, checks, probes: Probes::default() }) }
    }
}

impl Router for Debug {
    fn find(&self, path: &Path) -> Option<Result<Box<dyn Resource>, ErrorAnswer>> {
        let route = match path.as_str() {
            "/debug/health" => HEALTH,
            other if self.path.as_deref() == Some(other) => METRICS,
            _ => return None,
        };
        Some(Ok(Box::new(Named { route, state: Arc::clone(&self.state) })))
    }
}

#[derive(Debug)]
struct Named {
    route: Route,
    state: Arc<State>,
}

impl Named {
    /// The checks that fail, as registry:2 writes them: 503, and the errors by the names of the checks.
    fn health(&self) -> HttpResponse {
        let failing = self.state.checks.failing();
        let status = if failing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        HttpResponse::build(status).json(failing)
    }

    async fn metrics(&self) -> HttpResponse {
        let State { registry, metrics, others, checks: _, probes } = &*self.state;
        let is_writable = !registry.is_read_only() && probes.is_well(registry).await;
        let text = metrics.scrape(registry, is_writable, others).await;
        HttpResponse::Ok().insert_header((header::CONTENT_TYPE, metrics::TEXT)).body(text)
    }
}

impl Resource for Named {
    fn route(&self) -> Route {
        self.route
    }

    fn right(&self, _: &Method, _: &Query) -> Right {
        Right::Open
    }

    fn answer<'a>(&'a self, _: Exchange<'a>, _: Granted) -> LocalBoxFuture<'a, Result<HttpResponse, ErrorAnswer>> {
        Box::pin(async { Ok(if self.route == METRICS { self.metrics().await } else { self.health() }) })
    }
}
