//! The one place that writes the body of an error ([distribution-spec, error codes]).
//!
//! [distribution-spec, error codes]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{HeaderName, RETRY_AFTER},
    },
};
use serde::Serialize;
use serde_json::Value;

use crate::oci::ErrorCode;

/// Why an answer is a 4xx, kept with it for the log and the metrics.
pub(super) struct Reason {
    pub(super) text: String,
    pub(super) limit: Option<Limit>,
}

/// The limit behind an answer 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Of wrong passwords.
    Passwords,
    /// Of bodies that are received at the same time.
    Uploads,
    /// Of upload sessions that are open.
    Sessions,
    /// Of an upstream, which was asked too often.
    Upstream,
}

/// An error as a client gets it. A router may give it a body of another form.
#[derive(Debug)]
pub struct ErrorAnswer(Box<Parts>);

#[derive(Debug)]
struct Parts {
    status: StatusCode,
    code: ErrorCode,
    message: String,
    details: Vec<Value>,
    oauth_error: Option<&'static str>,
    headers: Vec<(HeaderName, String)>,
    ends_connection: bool,
    reason: String,
    limit: Option<Limit>,
    is_logged: bool,
}

#[derive(Serialize)]
struct Body<'a> {
    errors: Vec<Entry<'a>>,
    /// The error of OAuth 2 (RFC 6749, section 5.2), beside ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

#[derive(Serialize)]
struct Entry<'a> {
    code: &'static str,
    message: &'a str,
    detail: &'a Value,
}

impl ErrorAnswer {
    /// The client reads `message`; the log reads `reason`, which may name files.
    pub(crate) fn new(status: StatusCode, code: ErrorCode, message: String, reason: String) -> Self {
        let (details, headers) = (vec![Value::Null], Vec::new());
        Self(Box::new(Parts {
            status,
            code,
            message,
            details,
            oauth_error: None,
            headers,
            ends_connection: false,
            reason,
            limit: None,
            is_logged: false,
        }))
    }

    /// The body names one error for each of `details`.
    pub(crate) fn with_details(mut self, details: Vec<Value>) -> Self {
        self.0.details = details;
        self
    }

    /// The body has the error of OAuth 2 as well, if there is one.
    pub(crate) fn with_oauth_error(mut self, error: Option<&'static str>) -> Self {
        self.0.oauth_error = error;
        self
    }

    /// Adds a header to the answer.
    pub(crate) fn add_header(&mut self, name: HeaderName, value: String) {
        self.0.headers.push((name, value));
    }

    /// The answer is a 429: the client met `limit`, and may try again after so many seconds.
    pub(crate) fn limited(&mut self, limit: Limit, retry_after: Option<u64>) {
        self.0.limit = Some(limit);
        if let Some(seconds) = retry_after {
            self.add_header(RETRY_AFTER, seconds.to_string());
        }
    }

    /// The connection is of no more use after the answer.
    pub(crate) fn end_connection(&mut self) {
        self.0.ends_connection = true;
    }

    /// The log has a line about the cause already, so it needs none for each request.
    pub(crate) fn cause_is_logged(mut self) -> Self {
        self.0.is_logged = true;
        self
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The message to the client.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// The answer with a body in JSON.
    #[must_use]
    pub fn to_response(&self) -> HttpResponse {
        let Parts { status, code, message, details, oauth_error, headers, ends_connection, reason, limit, is_logged } =
            &*self.0;
        if status.is_server_error() && !is_logged {
            tracing::error!(error = %reason, "a request failed");
        }
        let entry = |detail| Entry { code: code.as_str(), message, detail };
        let errors = details.iter().map(entry).collect();
        // A value made of strings and numbers can always be written.
        let mut body = serde_json::to_vec(&Body { errors, error: *oauth_error }).unwrap_or_default();
        body.push(b'\n');
        let mut response = HttpResponse::build(*status);
        response.content_type("application/json; charset=utf-8");
        for (name, value) in headers {
            response.insert_header((name.clone(), value.as_str()));
        }
        if *ends_connection {
            response.force_close();
        }
        let mut response = response.body(body);
        response.extensions_mut().insert(Reason { text: reason.clone(), limit: *limit });
        response
    }
}
