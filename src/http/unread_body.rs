//! The body of a request, until it has been read to its end.
//!
//! What was not read is kept with the answer. The server sees so that the connection is of no more use, says so, and
//! ends it in its own time; else it would wait for the end of a chunked body for as long as the client likes.

use std::{cell::RefCell, rc::Rc};

use actix_web::{HttpRequest, HttpResponse, dev::Payload, http::header};

use super::observed_body::{BodyObserver, keep};

/// Where the body of a request is while nobody reads it.
#[derive(Clone)]
pub(super) struct UnreadBody(Rc<RefCell<Option<Payload>>>);

impl UnreadBody {
    pub(super) fn new(payload: Payload) -> Self {
        Self(Rc::new(RefCell::new(Some(payload))))
    }

    /// The body, for one who will read it. There is one body, and one who asks for it.
    pub(super) fn take(&self) -> Option<Payload> {
        self.0.borrow_mut().take()
    }

    /// Gives back what was not read to its end.
    pub(super) fn put(&self, payload: Payload) {
        self.0.borrow_mut().replace(payload);
    }

    /// Keeps what is left with the answer to it.
    pub(super) fn keep_with(&self, request: &HttpRequest, response: HttpResponse) -> HttpResponse {
        // The server itself knows where a body of a known length ends.
        if !request.headers().contains_key(header::TRANSFER_ENCODING) {
            return response;
        }
        match self.take() {
            Some(payload) => response.map_body(|_, body| keep(body, Left(payload))),
            None => response,
        }
    }
}

/// The unread rest of the body of a request.
struct Left(#[expect(dead_code, reason = "it is kept to be dropped with the answer")] Payload);

impl BodyObserver for Left {}
