//! The way on which the kernel itself sends a blob to the client of a plain connection.
//!
//! The connection and the answer share a [`SendfileSlot`]. When the server asks the answer's body for bytes, that
//! leaves a delivery in the slot and says that there are none yet. The server writes the head, and flushes the
//! connection, which sends what is in the slot. So all rests on the server flushing after it has written: were that to
//! change, large downloads would stop after their heads.

use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
    io::{self, ErrorKind},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;

use crate::registry::BlobRegion;

/// The region of a file that a connection sends beside the bytes written to it. All clones are one.
#[derive(Clone, Debug, Default)]
pub struct SendfileSlot(Rc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    delivery: RefCell<Option<BlobRegion>>,
    sent: Cell<u64>,
}

impl SendfileSlot {
    /// Sends all that is in the slot with `send`, which sends some and answers how many bytes that were; whether there
    /// was anything.
    ///
    /// # Errors
    /// Those of `send`. The rest is not sent any more: the connection is to be cut, for its client was promised all.
    pub fn poll_send(&self, mut send: impl FnMut(&mut BlobRegion) -> Poll<io::Result<u64>>) -> Poll<io::Result<bool>> {
        let mut slot = self.0.delivery.borrow_mut();
        let Some(delivery) = slot.as_mut() else { return Poll::Ready(Ok(false)) };
        while delivery.left() > 0 {
            match send(delivery) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(sent)) => self.0.sent.set(self.0.sent.get() + sent),
                Poll::Ready(Err(error)) => {
                    tell(&error, delivery);
                    *slot = None;
                    return Poll::Ready(Err(error));
                }
            }
        }
        *slot = None;
        Poll::Ready(Ok(true))
    }

    /// How many bytes were sent since this was asked before.
    pub(super) fn take_sent(&self) -> u64 {
        self.0.sent.take()
    }
}

/// The client can only be cut off, so the operator has to be told; but not of a client that has gone.
fn tell(error: &io::Error, delivery: &BlobRegion) {
    let is_gone = matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::TimedOut);
    if !is_gone {
        tracing::error!(digest = %delivery.digest(), %error, "a download broke off");
    }
}

/// The body of an answer whose bytes go through the slot. The answer has to say its length itself.
pub(crate) struct SendfileBody {
    slot: SendfileSlot,
    delivery: Option<BlobRegion>,
}

impl SendfileBody {
    pub(crate) fn new(slot: SendfileSlot, delivery: BlobRegion) -> Self {
        Self { slot, delivery: Some(delivery) }
    }
}

impl MessageBody for SendfileBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if let Some(delivery) = self.delivery.take() {
            *self.slot.0.delivery.borrow_mut() = Some(delivery);
        }
        // The task that empties the slot is the task that waits here.
        if self.slot.0.delivery.borrow().is_some() { Poll::Pending } else { Poll::Ready(None) }
    }
}

impl Drop for SendfileBody {
    fn drop(&mut self) {
        *self.slot.0.delivery.borrow_mut() = None;
    }
}
