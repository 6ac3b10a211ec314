//! The body of a request, until it has been read to its end.
//!
//! What was not read is kept with the answer. The server sees so that the connection is of no more use, says so, and ends it in its own time; else
//! it would wait for the end of a chunked body for as long as the client likes.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    dev::Payload,
    http::header,
};
use bytes::Bytes;

/// Where the body of a request is while nobody reads it.
#[derive(Clone)]
pub(super) struct Unread(Rc<RefCell<Option<Payload>>>);

impl Unread {
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
            Some(payload) => response.map_body(|_, body| BoxBody::new(Kept { body, _payload: payload })),
            None => response,
        }
    }
}

/// The body of an answer, with what was left of the request's.
struct Kept {
    body: BoxBody,
    _payload: Payload,
}

impl MessageBody for Kept {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}
