//! How many bodies may come in at the same time: one client can't take the places of all others.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

use rand::Rng as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Exchange, HttpError, Limit, Service};
use crate::{auth, registry::StorageError};

/// The bounds, in seconds, of what a client is told to wait: spread, so that those who are sent away don't come back
/// together.
const RETRY_AFTER: std::ops::RangeInclusive<u64> = 1..=5;

/// The places for bodies.
#[derive(Debug)]
pub(super) struct Admission {
    places: Arc<Semaphore>,
    per_client: usize,
    clients: Arc<Mutex<HashMap<Client, usize>>>,
}

/// Whose body it is: a user's, else an address's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Client {
    User(String),
    Address(Ipv6Addr),
}

impl Client {
    /// Somebody without a name: who has one address of a network of IPv6 has all of them.
    pub(super) fn at(address: IpAddr) -> Self {
        Self::Address(auth::network(address))
    }
}

/// A place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    client: Client,
    clients: Arc<Mutex<HashMap<Client, usize>>>,
    _permit: OwnedSemaphorePermit,
}

impl Admission {
    pub(super) fn new(places: usize, per_client: usize) -> Self {
        let places = Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
        Self { places, per_client, clients: Arc::default() }
    }

    /// A place for one body.
    ///
    /// # Errors
    /// 429 if there is none left, or the client has all that are its.
    pub(super) fn admit(&self, client: Client) -> Result<Place, HttpError> {
        let full = || HttpError::TooManyRequests { limit: Limit::Uploads, retry_after: retry_after() };
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| full())?;
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = clients.entry(client.clone()).or_default();
        if *taken >= self.per_client {
            return Err(full());
        }
        *taken += 1;
        Ok(Place { client, clients: Arc::clone(&self.clients), _permit: place })
    }
}

/// How many seconds a client is told to wait.
pub(crate) fn retry_after() -> u64 {
    rand::rng().random_range(RETRY_AFTER)
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = clients.get_mut(&self.client) {
            *taken -= 1;
            if *taken == 0 {
                clients.remove(&self.client);
            }
        }
    }
}

impl Exchange<'_> {
    /// Refuses what would begin to fill the last of the store's room.
    ///
    /// # Errors
    /// 507 if less is free than the operator wants.
    pub(crate) async fn must_have_room(&self) -> Result<(), HttpError> {
        if self.service.has_room().await? { Ok(()) } else { Err(HttpError::NoRoom) }
    }
}

impl Service {
    /// Whether as much is free in the store as the operator wants.
    pub(super) async fn has_room(&self) -> Result<bool, StorageError> {
        let min_free = self.settings.min_free;
        if min_free == 0 {
            return Ok(true);
        }
        Ok(self.registry.free_space().await?.is_none_or(|free| free.bytes >= min_free))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn g6_places_are_bounded_and_come_back() {
        let admission = Admission::new(3, 2);
        let (a, b) = (Client::User("a".to_owned()), Client::at([127, 0, 0, 1].into()));
        let first = admission.admit(a.clone()).unwrap();
        let _second = admission.admit(a.clone()).unwrap();
        assert!(matches!(admission.admit(a.clone()), Err(HttpError::TooManyRequests { .. })));
        let _third = admission.admit(b.clone()).unwrap();
        assert!(matches!(admission.admit(b), Err(HttpError::TooManyRequests { .. })));
        drop(first);
        admission.admit(a).unwrap();
        assert_eq!(admission.clients.lock().unwrap().len(), 2);
    }
}
