//! A body on its way from whoever receives it to the task that writes it.

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::sync::mpsc;

use super::BodyError;

/// How many pieces may be under way: enough to keep the writer busy, few enough to keep memory flat.
const PIECES: usize = 16;

/// The end that the receiver of a request holds.
#[derive(Debug)]
pub struct BodySender(mpsc::Sender<Piece>);

/// The end that the writer holds.
#[derive(Debug)]
pub struct Body(mpsc::Receiver<Piece>);

#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    Failed(BodyError),
    End,
}

/// The two ends of a body. If the sender is dropped before [`BodySender::end`], the writer sees [`BodyError::Incomplete`]: a client
/// that goes away never looks like one that has finished.
#[must_use]
pub fn body() -> (BodySender, Body) {
    let (sender, receiver) = mpsc::channel(PIECES);
    (BodySender(sender), Body(receiver))
}

impl BodySender {
    /// Passes on some bytes; `false` if the writer wants no more.
    pub async fn send(&self, bytes: Bytes) -> bool {
        self.0.send(Piece::Bytes(bytes)).await.is_ok()
    }

    /// Says that the body failed.
    pub async fn fail(self, error: BodyError) {
        // A writer that is gone has nothing to be told.
        let _ = self.0.send(Piece::Failed(error)).await;
    }

    /// Says that the body is complete.
    pub async fn end(self) {
        let _ = self.0.send(Piece::End).await;
    }
}

impl Body {
    /// A body that is complete and empty.
    #[must_use]
    pub fn empty() -> Self {
        let (sender, body) = body();
        // There is room for one piece, always.
        let _ = sender.0.try_send(Piece::End);
        body
    }

    /// The pieces, ending in an error unless the body is complete.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Bytes, BodyError>> + Unpin + Send {
        Box::pin(stream::unfold(Some(self.0), |receiver| async move {
            let mut receiver = receiver?;
            match receiver.recv().await {
                Some(Piece::Bytes(bytes)) => Some((Ok(bytes), Some(receiver))),
                Some(Piece::Failed(error)) => Some((Err(error), None)),
                Some(Piece::End) => None,
                None => Some((Err(BodyError::Incomplete), None)),
            }
        }))
    }
}
