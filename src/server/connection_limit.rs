//! The limit of connections per address.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crate::{auth::network, http::TrustedProxies};

/// How often the log says that there are too many.
const SAID: Duration = Duration::from_secs(60);

/// The connections of each address.
#[derive(Debug)]
pub(super) struct ConnectionLimit {
    limit: usize,
    proxies: TrustedProxies,
    connected: Mutex<Connected>,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Connected {
    by_peer: HashMap<Ipv6Addr, usize>,
    said: Option<Instant>,
}

/// One connection's place, until it is dropped.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    /// `None` for a proxy.
    _counted: Option<Counted>,
}

#[derive(Debug)]
struct Counted {
    peers: Arc<ConnectionLimit>,
    peer: Ipv6Addr,
}

impl ConnectionLimit {
    /// Each address may have `limit` connections at a time, and those of `proxies` any number: they stand for many
    /// clients.
    pub(super) fn new(limit: usize, proxies: TrustedProxies) -> Arc<Self> {
        Arc::new(Self { limit, proxies, connected: Mutex::default(), refused: AtomicU64::new(0) })
    }

    /// How many connections were turned away.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// A place for one more connection from `address`, if that has one left.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<ConnectionPermit> {
        if self.proxies.trusts(address) {
            return Some(ConnectionPermit { _counted: None });
        }
        let peer = network(address);
        let mut connected = self.connected.lock().unwrap_or_else(PoisonError::into_inner);
        let count = connected.by_peer.entry(peer).or_default();
        if *count >= self.limit {
            self.refused.fetch_add(1, Relaxed);
            if connected.said.is_none_or(|said| said.elapsed() >= SAID) {
                connected.said = Some(Instant::now());
                tracing::warn!(%address, limit = self.limit, "more connections than limits.connections_per_address are turned away");
            }
            return None;
        }
        *count += 1;
        Some(ConnectionPermit { _counted: Some(Counted { peers: Arc::clone(self), peer }) })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut connected = self.peers.connected.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = connected.by_peer.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                connected.by_peer.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED))
    }

    #[test]
    fn an_address_has_so_many_places_and_they_come_back() {
        let peers = ConnectionLimit::new(2, TrustedProxies::default());
        let first = peers.admit(ip("192.0.2.1"));
        let second = peers.admit(ip("::ffff:192.0.2.1"));
        assert!(first.is_some() && second.is_some() && peers.admit(ip("192.0.2.1")).is_none());
        assert!(peers.admit(ip("192.0.2.2")).is_some());
        drop(first);
        assert!(peers.admit(ip("192.0.2.1")).is_some());
        drop(second);
        assert!(peers.connected.lock().is_ok_and(|connected| connected.by_peer.is_empty()));
    }

    #[test]
    fn a_proxy_has_as_many_as_it_likes() {
        let peers = ConnectionLimit::new(1, TrustedProxies { networks: vec![(ip("192.0.2.1"), 32)], unix: false });
        let seats: Vec<_> = (0..3).map(|_| peers.admit(ip("::ffff:192.0.2.1"))).collect();
        assert!(seats.iter().all(Option::is_some));
        let _other = peers.admit(ip("192.0.2.2"));
        assert!(peers.admit(ip("192.0.2.2")).is_none());
    }

    #[test]
    fn a_network_of_64_bits_is_one_address() {
        let peers = ConnectionLimit::new(1, TrustedProxies::default());
        let _one = peers.admit(ip("2001:db8:1:2::1"));
        assert!(peers.admit(ip("2001:db8:1:2:ffff::9")).is_none());
        assert!(peers.admit(ip("2001:db8:1:3::1")).is_some());
    }
}
