//! Uploads: content on its way into a repository.

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};

use super::{
    Body, BodyError, RegistryError, Repository, SessionId,
    events::{Action, BlobTarget},
    layout,
    upload_sessions::Session,
};
use crate::{
    oci::{Algorithm, ContentRange, Digest},
    storage::{Staging, Step, StorageError, Verified},
};

/// Where an upload session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadStatus {
    /// The session.
    pub session: SessionId,
    /// How many bytes it has, all of them durable.
    pub offset: u64,
}

/// A chunk of an upload.
#[derive(Debug)]
pub struct Chunk {
    /// Where it says it belongs; `None`: at the end.
    pub range: Option<ContentRange>,
    /// How long its body says it is.
    pub len: Option<u64>,
    /// Its bytes.
    pub body: Body,
}

/// The state of an upload after a chunk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    /// More of it comes, perhaps after a restart.
    More,
    /// It is committed.
    Commit,
}

impl Repository {
    /// Begins an upload ([distribution-spec, pushing blobs]), to be hashed with `algorithm` while it comes.
    ///
    /// # Errors
    /// [`RegistryError::TooManyUploads`].
    ///
    /// [distribution-spec, pushing blobs]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-blobs
    pub async fn start_upload(&self, algorithm: Algorithm) -> Result<SessionId, RegistryError> {
        self.refuse_if_filled_by_upstream()?;
        let limit = self.rules().unfinished_limit;
        let session = SessionId::random();
        let key = layout::upload(&self.name, &session);
        let staging = self.storage().stage_among(&key, algorithm, limit).await?;
        let staging = staging.ok_or(RegistryError::TooManyUploads { limit })?;
        self.registry.0.sessions.begin(self.storage(), key, staging);
        self.notify(Action::UploadBegun(session));
        Ok(session)
    }

    /// How far an upload is.
    ///
    /// # Errors
    /// [`RegistryError::UploadUnknown`], [`RegistryError::UploadBusy`].
    pub async fn upload_status(&self, session: SessionId) -> Result<UploadStatus, RegistryError> {
        let mut locked = self.lock_session(session).await?;
        let offset = locked.staging().map_or(0, |staging| staging.offset());
        Ok(UploadStatus { session, offset })
    }

    /// Adds a chunk to an upload ([distribution-spec, pushing a blob in chunks]). What came is kept, durably, though
    /// the body fails or the caller is dropped.
    ///
    /// # Errors
    /// [`RegistryError::UploadOffset`] for a chunk out of order, [`RegistryError::Body`], …
    ///
    /// [distribution-spec, pushing a blob in chunks]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-a-blob-in-chunks
    pub async fn append_upload(&self, session: SessionId, chunk: Chunk) -> Result<UploadStatus, RegistryError> {
        // Had before the task begins that outlives the caller: a client that sees its connection end, and asks where
        // the upload is, is told of everything that will be kept.
        let mut locked = self.lock_session(session).await?;
        let this = self.clone();
        self.locks()
            .own(async move {
                let offset = this.append(&mut locked, chunk, After::More).await?;
                Ok(UploadStatus { session, offset })
            })
            .await
    }

    /// Ends an upload with its last chunk: its content becomes the blob `digest`, if that is its digest; else the
    /// upload stays as it was before the chunk.
    ///
    /// # Errors
    /// [`RegistryError::DigestMismatch`], [`RegistryError::UploadOffset`], [`RegistryError::Body`], …
    pub async fn finish_upload(&self, session: SessionId, digest: &Digest, last: Chunk) -> Result<(), RegistryError> {
        let mut locked = self.lock_session(session).await?;
        let (this, digest) = (self.clone(), digest.clone());
        self.locks()
            .own(async move {
                this.append(&mut locked, last, After::Commit).await?;
                let staging = locked.take().ok_or(RegistryError::UploadUnknown)?;
                match verified(staging, &digest).await? {
                    Ok(verified) => this.commit_blob(verified).await?,
                    Err((error, staging)) => {
                        locked.put_back(staging);
                        return Err(roll_back(&mut locked, error).await);
                    }
                }
                drop(locked);
                this.registry.0.sessions.forget(&layout::upload(&this.name, &session));
                Ok(())
            })
            .await
    }

    /// Takes a whole blob in one request ([distribution-spec, single POST]).
    ///
    /// # Errors
    /// [`RegistryError::DigestMismatch`], [`RegistryError::Body`], …; nothing of it is kept then.
    ///
    /// [distribution-spec, single POST]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#single-post
    pub async fn push_blob(&self, digest: &Digest, body: Body) -> Result<(), RegistryError> {
        self.refuse_if_filled_by_upstream()?;
        let (this, digest) = (self.clone(), digest.clone());
        self.locks()
            .own(async move {
                let key = layout::upload(&this.name, &SessionId::random());
                let mut staging = this.storage().stage(&key, digest.algorithm()).await?;
                if let Err(error) = this.receive(&mut staging, body, None).await {
                    staging.abort().await?;
                    return Err(error);
                }
                match verified(staging, &digest).await? {
                    Ok(verified) => this.commit_blob(verified).await,
                    Err((error, staging)) => {
                        staging.abort().await?;
                        Err(error)
                    }
                }
            })
            .await
    }

    /// Throws an upload away ([distribution-spec, cancel a blob upload]).
    ///
    /// # Errors
    /// [`RegistryError::UploadUnknown`], [`RegistryError::UploadBusy`].
    ///
    /// [distribution-spec, cancel a blob upload]: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#cancel-a-blob-upload
    pub async fn cancel_upload(&self, session: SessionId) -> Result<(), RegistryError> {
        let this = self.clone();
        self.locks()
            .own(async move {
                let staging = this.lock_session(session).await?.end().ok_or(RegistryError::UploadUnknown)?;
                this.registry.0.sessions.forget(&layout::upload(&this.name, &session));
                staging.abort().await?;
                this.notify(Action::UploadCancelled(session));
                Ok(())
            })
            .await
    }

    async fn lock_session(&self, session: SessionId) -> Result<Session, RegistryError> {
        let key = layout::upload(&self.name, &session);
        self.registry.0.sessions.lock(self.storage(), &key).await
    }

    /// Receives a chunk into a session. The status that it leaves is durable, whether all of the chunk came or not; but
    /// for one that came whole before a commit, which syncs it. A chunk that can't be kept leaves the session as it was
    /// before.
    async fn append(&self, locked: &mut Session, chunk: Chunk, after: After) -> Result<u64, RegistryError> {
        let staging = locked.staging().ok_or(RegistryError::UploadUnknown)?;
        let offset = staging.offset();
        if chunk.range.is_some_and(|range| range.first != offset) {
            return Err(RegistryError::UploadOffset { offset });
        }
        if let (Some(range), Some(len)) = (chunk.range, chunk.len)
            && range.len != len
        {
            return Err(RegistryError::LengthMismatch);
        }
        let received = self.receive(staging, chunk.body, chunk.range.map(|range| range.len)).await;
        if let Err(error @ (RegistryError::LengthMismatch | RegistryError::UploadTooLarge { .. })) = received {
            // The bytes are not the announced ones, or are too many: none of them is kept.
            return Err(roll_back(locked, error).await);
        }
        let synced = match &received {
            Err(RegistryError::Storage(_)) => Ok(()),
            Ok(()) if after == After::Commit => Ok(()),
            _ => staging.sync().await,
        };
        let offset = staging.offset();
        received.and(synced.map_err(RegistryError::from)).inspect_err(|error| {
            // The store threw the content away, unless it was only full.
            if matches!(error, RegistryError::Storage(error) if !matches!(error, StorageError::Full)) {
                locked.take();
            }
        })?;
        Ok(offset)
    }

    /// Receives a body into a session, within the bounds of an upload and of what its range says (`said`).
    async fn receive(&self, staging: &mut Staging, body: Body, said: Option<u64>) -> Result<(), RegistryError> {
        let begin = staging.offset();
        let limit = self.rules().upload_limit;
        let room = limit.map(|limit| limit.saturating_sub(begin));
        let most = said.unwrap_or(u64::MAX).min(room.unwrap_or(u64::MAX));
        match staging.append(within(most, body.into_stream())).await.map_err(RegistryError::from) {
            Err(RegistryError::Body(BodyError::TooLarge)) => Err(match limit {
                Some(limit) if Some(most) == room => RegistryError::UploadTooLarge { limit },
                _ => RegistryError::LengthMismatch,
            }),
            Ok(()) if said.is_some_and(|said| begin + said != staging.offset()) => Err(RegistryError::LengthMismatch),
            result => result,
        }
    }

    /// Makes received content a blob of this repository.
    pub(super) async fn commit_blob(&self, verified: Verified) -> Result<(), RegistryError> {
        let digest = &verified.digest().clone();
        let _pin = self.locks().pins().pin([digest.clone()]).await;
        let _shared = self.locks().shared(&self.name).await;
        let _alone = self.locks().content(digest).await;
        let action = Action::BlobPushed(BlobTarget { digest, size: verified.len() });
        let promotion = Step::Promote(verified, layout::data(digest));
        Ok(self.link_blob(action, Some(promotion), digest, digest).await?)
    }
}

/// Received content as verified, if it is what the digest says; else the error, and the content.
pub(super) async fn verified(
    staging: Staging,
    digest: &Digest,
) -> Result<Result<Verified, (RegistryError, Staging)>, StorageError> {
    let staged = staging.finish(digest.algorithm()).await?;
    Ok(staged.verify(digest).map_err(|staged| {
        let actual = staged.digest().clone();
        (RegistryError::DigestMismatch { claimed: digest.clone(), actual }, staged.reopen())
    }))
}

/// Leaves a session as it was before a chunk that is refused with `error`.
async fn roll_back(locked: &mut Session, error: RegistryError) -> RegistryError {
    let Some(staging) = locked.staging() else { return error };
    match staging.roll_back().await {
        Ok(()) => error,
        Err(failure) => {
            locked.take();
            failure.into()
        }
    }
}

/// `body`, failing where it has more than `room` bytes.
fn within(
    room: u64,
    body: impl Stream<Item = Result<Bytes, BodyError>> + Unpin,
) -> impl Stream<Item = Result<Bytes, BodyError>> + Unpin {
    let mut room = room;
    body.map(move |piece| {
        let piece = piece?;
        room = room.checked_sub(piece.len() as u64).ok_or(BodyError::TooLarge)?;
        Ok(piece)
    })
}
