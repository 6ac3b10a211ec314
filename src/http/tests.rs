//! A router of the tests' own.

use std::sync::{Arc, Mutex, PoisonError};

use actix_web::{
    FromRequest as _, HttpResponse,
    body::to_bytes,
    http::{
        Method,
        header::{self, HeaderName, HeaderValue},
    },
    test::TestRequest,
    web,
};
use futures_util::future::LocalBoxFuture;

use super::{
    ErrorAnswer, Exchange, Fixed, Granted, Path, Query, RequestListener, RequestRecord, Resource, Right, Route, Router,
    Service, Settings, field, serve,
};
use crate::{
    auth::Authenticator,
    registry::{Extensions, Registry, Rules},
    storage::Storage,
};

/// A page, which a browser is meant to show.
#[derive(Debug)]
struct Pages;

#[derive(Debug)]
struct Page {
    is_open: bool,
}

static PAGE: [(HeaderName, HeaderValue); 1] =
    [field("content-security-policy", "default-src 'none'; style-src 'self'")];

impl Router for Pages {
    fn find(&self, path: &Path) -> Option<Result<Box<dyn Resource>, ErrorAnswer>> {
        let is_open = path.as_str().strip_prefix("/ui/")? == "open";
        Some(Ok(Box::new(Page { is_open })))
    }

    fn protection(&self) -> Fixed {
        &PAGE
    }
}

impl Resource for Page {
    fn route(&self) -> Route {
        Route { template: "/ui/<page>", methods: &[Method::GET] }
    }

    fn right(&self, _: &Method, _: &Query) -> Right {
        if self.is_open { Right::Open } else { Right::Catalog }
    }

    fn refuse(&self, error: &ErrorAnswer) -> HttpResponse {
        let mut response = HttpResponse::build(error.status());
        response.content_type("text/html").body("<p>no")
    }

    fn answer<'a>(&'a self, _: Exchange<'a>, _: Granted) -> LocalBoxFuture<'a, Result<HttpResponse, ErrorAnswer>> {
        Box::pin(async { Ok(HttpResponse::Ok().content_type("text/html").body("<p>yes")) })
    }
}

/// Keeps the row and the status of each request.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<(&'static str, u16)>>);

impl RequestListener for Told {
    fn ended(&self, record: &RequestRecord) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.push((record.route, record.status.as_u16()));
    }
}

#[actix_web::test]
async fn another_door_is_a_list_of_resources() {
    let registry = Registry::at_rest(Storage::memory(), Rules::default(), Extensions::default());
    let authenticator = Arc::new(Authenticator::open_to_everybody());
    let told = Arc::new(Told::default());
    let listeners: Vec<Arc<dyn RequestListener>> = vec![Arc::clone(&told) as _];
    let service = Service::new(registry, authenticator, Settings::default(), vec![Box::new(Pages)], listeners);
    let service = web::Data::new(service);
    let rows = [
        (Method::GET, "/ui/open", 200, "<p>yes"),
        (Method::GET, "/ui/repositories", 200, "<p>yes"),
        (Method::POST, "/ui/repositories", 405, "<p>no"),
        (Method::GET, "/ui/..", 404, "{\"errors\""),
        (Method::GET, "/other", 404, "{\"errors\""),
    ];
    for (method, path, status, body) in rows {
        let (request, mut payload) = TestRequest::with_uri(path).method(method).to_http_parts();
        let payload = web::Payload::from_request(&request, &mut payload).await.map(web::Payload::into_inner);
        let Ok(payload) = payload else { continue };
        let response = serve(service.clone(), request, payload).await;
        assert_eq!(response.status(), status, "{path}");
        let policy = response.headers().get(header::CONTENT_SECURITY_POLICY).map(|value| value.as_bytes().to_vec());
        assert_eq!(policy.as_deref() == Some(PAGE[0].1.as_bytes()), path.starts_with("/ui"), "{path}");
        let bytes = to_bytes(response.into_body()).await.unwrap_or_default();
        assert!(bytes.starts_with(body.as_bytes()), "{path}: {bytes:?}");
    }
    let told = told.0.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(*told, [("/ui/<page>", 200), ("/ui/<page>", 200), ("/ui/<page>", 405), ("-", 404), ("-", 404)]);
}
