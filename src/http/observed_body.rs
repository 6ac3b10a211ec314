//! The body of an answer, with something that sees its pieces and ends with it.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
};
use bytes::Bytes;

/// Goes with the body of an answer, and is dropped with it.
pub(super) trait BodyObserver: Unpin + 'static {
    /// A piece is about to be sent.
    fn piece(&mut self, _: &[u8]) {}
}

/// Gives an answer an observer. A body in memory is one piece, and its observer has seen it and ended when this
/// returns.
pub(super) fn observe(response: HttpResponse, mut observer: impl BodyObserver) -> HttpResponse {
    response.map_body(|_, body| match body.try_into_bytes() {
        Ok(bytes) => {
            observer.piece(&bytes);
            BoxBody::new(bytes)
        }
        Err(body) => keep(body, observer),
    })
}

/// Keeps an observer until the body is dropped, also where the body is in memory.
pub(super) fn keep(body: BoxBody, observer: impl BodyObserver) -> BoxBody {
    BoxBody::new(Observed { body, observer })
}

struct Observed<T> {
    body: BoxBody,
    observer: T,
}

impl<T: BodyObserver> MessageBody for Observed<T> {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let piece = Pin::new(&mut self.body).poll_next(context);
        if let Poll::Ready(Some(Ok(bytes))) = &piece {
            self.observer.piece(bytes);
        }
        piece
    }
}
