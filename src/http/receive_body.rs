//! Bodies of requests.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use actix_web::{dev::Payload, http::header, web};
use bytes::{Bytes, BytesMut};
use futures_util::{
    StreamExt as _,
    future::{Either, select},
};

use super::{
    Exchange, HttpError, Service,
    admission::{Client, Place},
    caller::{Caller, UNNAMED},
    unread_body::UnreadBody,
};
use crate::registry::{Body, BodyError, BodySender, body};

/// After how many bytes it is looked again whether the store has room for more.
const LOOK: u64 = 64 * 1024 * 1024;

/// How fast a body has to come.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// So many bytes a second; 0: as slowly as it likes.
    pub bytes: u64,
    /// On average over this time, of which only what is spent waiting counts.
    pub window: Duration,
}

impl Default for Rate {
    fn default() -> Self {
        Self { bytes: 1024, window: Duration::from_secs(60) }
    }
}

impl Rate {
    /// Whether `came` bytes in a window are too few.
    fn is_missed_by(self, came: u64) -> bool {
        u128::from(came) * 1000 < u128::from(self.bytes) * self.window.as_millis()
    }
}

/// The body of a request, read piece by piece and within limits of time: the server itself sets none.
pub(crate) struct Receiver {
    /// `None` once it has been read to its end.
    payload: Option<Payload>,
    unread: UnreadBody,
    idle: Duration,
    waited: Duration,
    came: u64,
    rate: Rate,
    /// How many bytes are left until it is looked whether there is room.
    until_look: u64,
    service: web::Data<Service>,
    _place: Place,
}

impl Exchange<'_> {
    /// The length of the body, if the client says it.
    pub(crate) fn content_length(&self) -> Option<u64> {
        let value = self.request.headers().get(header::CONTENT_LENGTH)?;
        value.to_str().ok()?.parse().ok()
    }

    /// The body, if there is a place for it. Places are counted for each user, or for each address of those who are
    /// nobody.
    ///
    /// # Errors
    /// 429 if there is none; 415 for an encoded body.
    pub(crate) fn receiver(&self) -> Result<Receiver, HttpError> {
        let encodings = self.request.headers().get_all(header::CONTENT_ENCODING);
        if !encodings.into_iter().all(|encodings| is_identity(encodings.as_bytes())) {
            return Err(HttpError::ContentEncoding);
        }
        let client = match self.caller.as_ref().and_then(Caller::user) {
            Some(user) => Client::User(user.to_owned()),
            None => Client::at(self.address.unwrap_or(UNNAMED)),
        };
        let (place, settings) = (self.service.admission.admit(client)?, &self.service.settings);
        Ok(Receiver {
            payload: self.unread.take(),
            unread: self.unread.clone(),
            idle: settings.body_idle,
            waited: Duration::ZERO,
            came: 0,
            rate: settings.body_rate,
            until_look: LOOK,
            service: self.service.clone(),
            _place: place,
        })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.payload.take().into_iter().for_each(|payload| self.unread.put(payload));
    }
}

/// Whether a `Content-Encoding` says that the content is as it is (RFC 9110, section 8.4): a list of nothing, or of
/// `identity`.
fn is_identity(encodings: &[u8]) -> bool {
    let mut encodings = encodings.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    encodings.all(|encoding| encoding.is_empty() || encoding.eq_ignore_ascii_case(b"identity"))
}

impl Receiver {
    /// The whole of a small body.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] if it has more than `limit` bytes.
    pub(crate) async fn whole(mut self, limit: u64) -> Result<Bytes, BodyError> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.next().await? {
            if whole.len() as u64 + piece.len() as u64 > limit {
                return Err(BodyError::TooLarge);
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// Passes the body on to `work`, which runs beside and to its end: if the request is given up meanwhile, it sees a
    /// body that broke off.
    pub(crate) async fn feed<T>(self, work: impl AsyncFnOnce(Body) -> T) -> T {
        let (sender, body) = body();
        let (work, pump) = (pin!(work(body)), pin!(self.pump(sender)));
        // Bytes that have arrived are there when the work begins, so it need not be woken for them.
        match select(pump, work).await {
            Either::Left(((), work)) => work.await,
            // An answer does not wait for the rest of a body that nobody reads.
            Either::Right((done, _)) => done,
        }
    }

    async fn pump(mut self, sender: BodySender) {
        loop {
            match self.next().await {
                Ok(Some(piece)) => {
                    if !sender.send(piece).await {
                        // The work ended early, with an answer of its own.
                        return;
                    }
                }
                Ok(None) => return sender.end(),
                Err(error) => return sender.fail(error),
            }
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        let asked = Instant::now();
        let Some(payload) = &mut self.payload else { return Ok(None) };
        let piece = tokio::time::timeout(self.idle, payload.next()).await.map_err(|_| BodyError::TooSlow)?;
        let Some(piece) = piece else {
            self.payload = None;
            return Ok(None);
        };
        let piece = piece.map_err(|_| BodyError::Incomplete)?;
        self.waited += asked.elapsed();
        self.came += piece.len() as u64;
        if self.waited > self.rate.window {
            if self.rate.is_missed_by(self.came) {
                return Err(BodyError::TooSlow);
            }
            (self.waited, self.came) = (Duration::ZERO, 0);
        }
        self.until_look = self.until_look.saturating_sub(piece.len() as u64);
        if self.until_look == 0 {
            self.until_look = LOOK;
            // An error of this look is no reason to break off.
            if !self.service.has_room().await.unwrap_or(true) {
                return Err(BodyError::NoRoom);
            }
        }
        Ok(Some(piece))
    }
}
