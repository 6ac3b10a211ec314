//! The entries in a bucket by which processes know of each other, and the leases that they stand for.
//!
//! A node that serves a bucket has an entry below `wharf/nodes/`. A process that must have the bucket alone, for a
//! collection, has the entry `wharf/alone`. The owner writes its entry again every minute. All dates are those that the
//! store gave to the entries.
//!
//! A request that changes something has the date of its sender's entry. The store refuses a request that is more than
//! 15 minutes late. So an owner whose entry is [`DEAD`] can change nothing, whatever it believes. It learns that at its
//! next renewal, and begins another lease. A change that began under one lease is not ended under another
//! ([`Storage::under_one_lease`](crate::storage::Storage::under_one_lease)), because what it looked at may be gone.
//!
//! A node writes its entry and then looks for `wharf/alone`. A collection writes `wharf/alone` and then looks for nodes.
//! So one of the two sees the other. `tests/s3/lease_model.rs` tries all orders of these steps.

use std::{
    sync::{Arc, Weak},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use tokio::time::sleep;
use uuid::Uuid;

use super::{
    super::{
        Condition, Key, OWN_PREFIX, Result, StorageError,
        stat::{ETag, Identity, Version},
    },
    lease::{Entry, Phase},
    request::{Bucket, Call, CallDate},
};
use crate::client::{Method, StatusCode};

/// How often an entry is written again.
const RENEWAL: Duration = Duration::from_secs(60);

/// The wait after a renewal that failed, and of a node that waits for the end of a collection.
const RETRY: Duration = Duration::from_secs(5);

/// For how long the store accepts a request, after its date.
const SIGNATURE: Duration = Duration::from_secs(15 * 60);

/// The age at which an entry counts for nothing. It is longer than [`SIGNATURE`], because the clocks of the parts of a
/// store may differ, and a request may take some time after it was accepted.
const DEAD: Duration = Duration::from_secs(20 * 60);

const ANOTHER: &str = "another process has the bucket alone (its entry is wharf/alone): wait until it ends; one that was \
                       killed counts as ended after 20 minutes";

fn alone() -> Key {
    Key::new(OWN_PREFIX).then("alone")
}

fn nodes() -> Key {
    Key::new(OWN_PREFIX).then("nodes")
}

/// How much later `now` is than `date`.
fn age(now: SystemTime, date: SystemTime) -> Duration {
    now.duration_since(date).unwrap_or_default()
}

impl Bucket {
    /// Takes a node's lease, and keeps it while the bucket is used. While another process has the bucket alone, there
    /// is none, and changes are refused.
    ///
    /// # Errors
    /// The error of the store.
    pub(super) async fn serve(self: &Arc<Self>) -> Result<()> {
        self.lease.set(Phase::Waiting);
        self.enter().await?;
        self.keep();
        Ok(())
    }

    fn keep(self: &Arc<Self>) {
        tokio::spawn(keep(Arc::downgrade(self)));
    }

    /// Takes the bucket alone.
    ///
    /// # Errors
    /// [`StorageError::Open`]: a node serves it, another process has it alone, or the store takes late requests.
    pub(super) async fn take_alone(self: &Arc<Self>) -> Result<()> {
        let mark = super::probe_key();
        let (_, now) = self.write_entry(&mark, Condition::Any).await?;
        let late = CallDate::At(now - SIGNATURE - RENEWAL);
        let answer = self.send(Call::new("write", Method::PUT, mark.as_str()).dated(late)).await?;
        self.remove(mark.as_str()).await?;
        if answer.status() != StatusCode::FORBIDDEN {
            let why = "the object store takes requests that are 16 minutes late";
            return Err(answer.success().map_or_else(|error| error, |_| StorageError::Open(why.to_owned())));
        }
        self.dead_nodes(now).await?;
        let condition = match self.date_of(alone().as_str()).await? {
            None => Condition::IfAbsent,
            Some((date, stat)) if age(now, date) >= DEAD => Condition::IfVersion(stat.version),
            Some(_) => return Err(StorageError::Open(ANOTHER.to_owned())),
        };
        let (version, date) = self.write_entry(&alone(), condition).await.map_err(|error| match error {
            StorageError::Exists | StorageError::Changed => StorageError::Open(ANOTHER.to_owned()),
            error => error,
        })?;
        // A node that begins from now on finds the entry.
        let dead = match self.dead_nodes(date).await {
            Ok(dead) => dead,
            Err(error) => {
                self.remove(alone().as_str()).await?;
                return Err(error);
            }
        };
        self.lease.begin(Entry { key: alone(), date, version: Some(version) });
        self.keep();
        for key in dead {
            self.remove(&key).await?;
        }
        Ok(())
    }

    /// Ends the lease. The entry stays if a request may still be carried out: then it counts until it is dead.
    ///
    /// # Errors
    /// The error of the store.
    pub(super) async fn release(&self) -> Result<()> {
        let Some(entry) = self.lease.entry() else { return Ok(()) };
        let doubt = self.lease.state().doubt;
        if doubt.is_none_or(|doubt| age(entry.date, doubt) >= DEAD) {
            self.remove(entry.key.as_str()).await?;
        }
        self.lease.set(Phase::Over);
        Ok(())
    }

    /// Begins a node's lease, unless another process has the bucket alone.
    async fn enter(&self) -> Result<()> {
        // Each lease has an entry of its own, so an entry that is dead is never written again.
        let key = nodes().then(&Uuid::new_v4().to_string());
        let (_, date) = self.write_entry(&key, Condition::Any).await?;
        if self.date_of(alone().as_str()).await?.is_some_and(|(other, _)| age(date, other) < DEAD) {
            tracing::warn!("a collection has the bucket alone: changes are refused until it ends");
            let call = Call::new("delete", Method::DELETE, key.as_str()).dated(CallDate::Now);
            return self.send(call).await.map(|_| ());
        }
        self.lease.begin(Entry { key, date, version: None });
        Ok(())
    }

    /// Renews the lease; without one, a node begins another.
    pub(super) async fn keep_lease(&self) -> Result<()> {
        let phase = self.lease.state().phase.clone();
        match phase {
            Phase::Held(entry) => self.renew(entry).await,
            Phase::Waiting => self.enter().await,
            Phase::Unneeded | Phase::Over => Ok(()),
        }
    }

    /// Writes the own entry again.
    async fn renew(&self, entry: Entry) -> Result<()> {
        let condition = entry.version.map_or(Condition::Any, |etag| Condition::IfVersion(Version(Identity::S3(etag))));
        let written = self.write_entry(&entry.key, condition).await;
        let is_taken = matches!(written, Err(StorageError::Changed));
        let is_late = matches!(&written, Ok((_, date)) if age(*date, entry.date) >= SIGNATURE);
        if is_taken || is_late {
            tracing::warn!("the lease of the bucket was not renewed in time: changes that are under way are refused");
            self.lease.set(if entry.version.is_some() { Phase::Over } else { Phase::Waiting });
            return Ok(());
        }
        let (etag, date) = written?;
        let version = entry.version.map(|_| etag);
        self.lease.set(Phase::Held(Entry { date, version, ..entry }));
        Ok(())
    }

    /// Writes an entry; its version and its date.
    async fn write_entry(&self, key: &Key, condition: Condition) -> Result<(ETag, SystemTime)> {
        let nonce = Bytes::from(Uuid::new_v4().to_string());
        let etag = self.store_dated(key.as_str(), nonce, condition, CallDate::Now).await?;
        let (date, _) = self.date_of(key.as_str()).await?.ok_or(StorageError::Changed)?;
        Ok((etag, date))
    }

    /// The keys of the entries of nodes, if all of them are dead.
    async fn dead_nodes(&self, now: SystemTime) -> Result<Vec<String>> {
        let keys = self.keys_under(&nodes()).await?;
        for key in &keys {
            let date = self.date_of(key).await?.map(|(date, _)| age(now, date));
            if let Some(age) = date.filter(|age| *age < DEAD) {
                return Err(StorageError::Open(format!(
                    "a node serves the bucket (its entry {key} is {} seconds old): stop all nodes; one that was killed \
                     counts as stopped after 20 minutes",
                    age.as_secs()
                )));
            }
        }
        Ok(keys)
    }
}

/// Renews a lease for as long as its bucket is used.
async fn keep(bucket: Weak<Bucket>) {
    let mut is_renewed = true;
    loop {
        let Some(is_held) = bucket.upgrade().map(|bucket| bucket.lease.term() > 0) else { return };
        sleep(if is_held && is_renewed { RENEWAL } else { RETRY }).await;
        let Some(bucket) = bucket.upgrade() else { return };
        if matches!(bucket.lease.state().phase, Phase::Over) {
            return;
        }
        let renewed = bucket.keep_lease().await;
        is_renewed = renewed.is_ok();
        if let Err(error) = renewed {
            tracing::warn!(%error, "the lease of the bucket can't be renewed");
        }
    }
}
