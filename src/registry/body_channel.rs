//! A request's body on its way from the connection to the task that writes it.
//!
//! Servers receive in pieces, of which many come before the writer, on another thread, is woken once for all of them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use tokio::sync::Notify;

use super::BodyError;

/// How many bytes wake the writer. Fewer do at the end of the body only.
const WAKE: usize = 256 * 1024;

/// How many bytes may wait before the receiver does: enough to keep the writer busy, few enough to keep memory flat.
const ROOM: usize = 2 * WAKE;

/// Pieces of fewer bytes are copied together: passing each on by itself, with the buffer that it is a part of, costs
/// more.
const SMALL: usize = 8 * 1024;

/// The end that the receiver of a request holds.
#[derive(Debug)]
pub struct BodySender(Arc<Shared>);

/// The end that the writer holds.
#[derive(Debug)]
pub struct Body(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Tells the writer that there is enough to write, or that no more comes.
    arrived: Notify,
    /// Tells the receiver that there is room, or that nothing more is wanted.
    taken: Notify,
}

#[derive(Debug, Default)]
struct State {
    pieces: VecDeque<Bytes>,
    /// The bytes after those.
    small: BytesMut,
    /// How many bytes that is.
    len: usize,
    /// Whether the writer has begun to take what there is, and takes all of it.
    is_draining: bool,
    end: Option<Result<(), BodyError>>,
    is_unwanted: bool,
}

/// The two ends of a body. If the sender is dropped before [`BodySender::end`], the writer sees
/// [`BodyError::Incomplete`] after what came: a client that goes away never looks like one that has finished.
#[must_use]
pub fn body() -> (BodySender, Body) {
    let shared = Arc::new(Shared::default());
    (BodySender(Arc::clone(&shared)), Body(shared))
}

impl BodySender {
    /// Passes on some bytes, once there is room; `false` if the writer wants no more.
    pub async fn send(&self, piece: Bytes) -> bool {
        loop {
            {
                let mut state = self.0.state();
                if state.is_unwanted {
                    return false;
                }
                if state.len < ROOM {
                    state.push(piece);
                    if state.len >= WAKE {
                        self.0.arrived.notify_one();
                    }
                    return true;
                }
            }
            self.0.taken.notified().await;
        }
    }

    /// Says that the body failed.
    pub fn fail(self, error: BodyError) {
        self.0.state().end = Some(Err(error));
    }

    /// Says that the body is complete.
    pub fn end(self) {
        self.0.state().end = Some(Ok(()));
    }
}

impl Drop for BodySender {
    fn drop(&mut self) {
        self.0.state().end.get_or_insert(Err(BodyError::Incomplete));
        self.0.arrived.notify_one();
    }
}

impl Body {
    /// A body that is complete and empty.
    #[must_use]
    pub fn empty() -> Self {
        let (sender, body) = body();
        sender.end();
        body
    }

    /// The pieces, ending in an error unless the body is complete.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Bytes, BodyError>> + Unpin + Send {
        Box::pin(stream::unfold(Some(self), |body| async move {
            let body = body?;
            loop {
                match body.0.take() {
                    Some(Ok(Some(bytes))) => return Some((Ok(bytes), Some(body))),
                    Some(Ok(None)) => return None,
                    Some(Err(error)) => return Some((Err(error), None)),
                    None => body.0.arrived.notified().await,
                }
            }
        }))
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.0.state().is_unwanted = true;
        self.0.taken.notify_one();
    }
}

impl Shared {
    /// What there is to write, or, as `None`, the end; nothing as long as it is too little.
    fn take(&self) -> Option<Result<Option<Bytes>, BodyError>> {
        let mut state = self.state();
        state.is_draining |= state.len >= WAKE || state.end.is_some();
        if !state.is_draining {
            return None;
        }
        let Some(piece) = state.pop() else {
            state.is_draining = false;
            return Some(state.end.take()?.map(|()| None));
        };
        if state.len < ROOM && state.len + piece.len() >= ROOM {
            self.taken.notify_one();
        }
        Some(Ok(Some(piece)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, piece: Bytes) {
        self.len += piece.len();
        if piece.len() < SMALL {
            self.small.extend_from_slice(&piece);
        } else {
            let small = self.small.split().freeze();
            self.pieces.extend([small, piece].into_iter().filter(|piece| !piece.is_empty()));
        }
    }

    fn pop(&mut self) -> Option<Bytes> {
        let small = || Some(self.small.split().freeze()).filter(|piece| !piece.is_empty());
        let piece = self.pieces.pop_front().or_else(small)?;
        self.len -= piece.len();
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use futures_util::{FutureExt as _, StreamExt as _};

    use super::*;

    async fn collect(body: Body) -> (Vec<u8>, Option<BodyError>) {
        let (mut bytes, mut error) = (Vec::new(), None);
        let mut pieces = body.into_stream();
        while let Some(piece) = pieces.next().await {
            match piece {
                Ok(piece) => bytes.extend_from_slice(&piece),
                Err(met) => error = Some(met),
            }
        }
        (bytes, error)
    }

    #[tokio::test]
    async fn what_came_is_seen_before_how_it_ended() {
        for ending in 0..3 {
            let (sender, body) = body();
            let large = Bytes::from(vec![7; SMALL]);
            for piece in [&b"hel"[..], b"", b"lo", &large, b"!"] {
                assert!(sender.send(Bytes::copy_from_slice(piece)).await);
            }
            match ending {
                0 => sender.end(),
                1 => sender.fail(BodyError::TooSlow),
                _ => drop(sender),
            }
            let (bytes, error) = collect(body).await;
            assert_eq!(bytes, [b"hello", &large[..], b"!"].concat());
            let is_right = match ending {
                0 => error.is_none(),
                1 => matches!(error, Some(BodyError::TooSlow)),
                _ => matches!(error, Some(BodyError::Incomplete)),
            };
            assert!(is_right, "{ending}: {error:?}");
        }
        assert_eq!(collect(Body::empty()).await.0, b"");
    }

    #[tokio::test]
    async fn a_receiver_waits_for_room_and_ends_when_nothing_is_wanted() {
        let (sender, body) = body();
        let piece = Bytes::from(vec![7; WAKE / 2]);
        for _ in 0..ROOM / piece.len() {
            assert!(sender.send(piece.clone()).now_or_never().unwrap());
        }
        let mut one_more = Box::pin(sender.send(piece.clone()));
        assert!(one_more.as_mut().now_or_never().is_none());
        let mut pieces = body.into_stream();
        assert_eq!(pieces.next().await.unwrap().unwrap().len(), piece.len());
        assert!(one_more.as_mut().now_or_never().unwrap());
        drop(one_more);
        for _ in 0..ROOM / piece.len() {
            pieces.next().now_or_never().unwrap().unwrap().unwrap();
        }
        assert!(pieces.next().now_or_never().is_none());
        assert!(sender.send(piece.clone()).now_or_never().unwrap());
        assert!(pieces.next().now_or_never().is_none(), "too little to wake for");
        drop(pieces);
        assert!(!sender.send(piece).await);
    }
}
