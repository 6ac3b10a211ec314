//! Slows down guesses of passwords.
//!
//! The throttle counts how many *different* wrong pairs of user and password come from an address within a minute. A
//! client that repeats an old password, as many do dozens of times, has guessed once. The count of a user locks nobody
//! out. It lowers the number of guesses that each address has for this user, so guesses from many addresses are slow
//! too, while the user can still log in.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::{bounded_map::BoundedMap, secret::Mark};

/// How many different wrong pairs an address has in a minute.
pub(super) const GUESSES: usize = 10;
/// How many it has for a user that other addresses guess too.
const GUESSES_AT_A_BLOCKED_USER: usize = 3;
const WINDOW: Duration = Duration::from_secs(60);
/// The first block; each further one is twice as long.
const FIRST_BLOCK: Duration = Duration::from_secs(15);
const LONGEST_BLOCK: Duration = Duration::from_secs(300);
/// After so long without a failure, blocks begin with the first length again.
const FORGIVEN: Duration = Duration::from_secs(900);
/// How many addresses, and how many users, are remembered.
const REMEMBERED: usize = 20_000;

/// Counts failures by address and by user.
pub(super) struct Throttle {
    counts: Mutex<Counts>,
    /// Whether no login has failed yet. Then requests need no lock.
    untouched: AtomicBool,
}

struct Counts {
    addresses: BoundedMap<Ipv6Addr, Count>,
    users: BoundedMap<String, Count>,
}

#[derive(Default)]
struct Count {
    wrong: Vec<Mark>,
    window: Option<Instant>,
    blocks: u32,
    blocked_until: Option<Instant>,
}

impl Throttle {
    pub(super) fn new() -> Self {
        let counts = Counts { addresses: BoundedMap::new(REMEMBERED), users: BoundedMap::new(REMEMBERED) };
        Self { counts: Mutex::new(counts), untouched: AtomicBool::new(true) }
    }

    /// How long a request with credentials of `user` must wait, if at all. It is asked before a password is hashed, and
    /// not for requests without credentials.
    pub(super) fn wait(&self, address: IpAddr, user: &str, now: Instant) -> Option<Duration> {
        if self.untouched.load(Ordering::Relaxed) {
            return None;
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.addresses.get(&network(address))?;
        let remaining = count.remaining(now);
        if remaining.is_some() || count.guesses(now) < GUESSES_AT_A_BLOCKED_USER {
            return remaining;
        }
        counts.users.get(&skeleton(user)).and_then(|count| count.remaining(now))
    }

    /// Counts a wrong pair.
    pub(super) fn failed(&self, address: IpAddr, user: &str, pair: Mark, now: Instant) {
        self.untouched.store(false, Ordering::Relaxed);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.addresses.get_or_default(network(address)).failed(pair, now);
        counts.users.get_or_default(skeleton(user)).failed(pair, now);
    }
}

impl Count {
    fn failed(&mut self, pair: Mark, now: Instant) {
        let age = self.window.map(|start| now.duration_since(start));
        if age.is_none_or(|age| age >= WINDOW) && self.remaining(now).is_none() {
            if age.is_none_or(|age| age >= FORGIVEN) {
                self.blocks = 0;
            }
            self.wrong.clear();
            self.window = Some(now);
        }
        if self.wrong.contains(&pair) {
            return;
        }
        self.wrong.push(pair);
        if self.wrong.len() >= GUESSES {
            let block = FIRST_BLOCK.saturating_mul(1 << self.blocks.min(8)).min(LONGEST_BLOCK);
            self.blocks = self.blocks.saturating_add(1);
            self.blocked_until = Some(now + block);
            // One more guess after the block begins the next block.
            self.wrong.remove(0);
            self.window = Some(now + block);
        }
    }

    fn remaining(&self, now: Instant) -> Option<Duration> {
        self.blocked_until.and_then(|until| until.checked_duration_since(now)).filter(|remaining| !remaining.is_zero())
    }

    fn guesses(&self, now: Instant) -> usize {
        let current = self.window.is_some_and(|start| now.duration_since(start) < WINDOW);
        if current { self.wrong.len() } else { 0 }
    }
}

/// An IPv4 address, or the /64 of an IPv6 address: a client that has one address of it has all.
pub(crate) fn network(address: IpAddr) -> Ipv6Addr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)),
    }
}

/// A name without the differences that a reader may not see: case, spaces, control characters, and how accents are
/// composed. Two names may have the same skeleton, which does no harm.
fn skeleton(user: &str) -> String {
    let mut text = String::new();
    for c in user.chars().filter(|c| !c.is_control() && !c.is_whitespace()).flat_map(char::to_lowercase) {
        match c {
            // A combining accent belongs to the letter before it.
            '\u{300}'..='\u{36f}' => {
                text.pop();
                text.push('?');
            }
            _ if c.is_ascii() => text.push(c),
            _ => text.push('?'),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

    use super::*;
    use crate::auth::secret::MarkKey;

    struct Guesser {
        throttle: Throttle,
        key: MarkKey,
        now: Instant,
    }

    impl Guesser {
        fn new() -> Self {
            Self { throttle: Throttle::new(), key: MarkKey::random(), now: Instant::now() }
        }

        fn wait(&self, address: &str, user: &str) -> Option<u64> {
            self.throttle.wait(address.parse().unwrap(), user, self.now).map(|wait| wait.as_secs())
        }

        fn guess(&self, address: &str, user: &str, number: u32) {
            let pair = self.key.mark(&[user.as_bytes(), &number.to_be_bytes()]);
            self.throttle.failed(address.parse().unwrap(), user, pair, self.now);
        }
    }

    #[test]
    fn ten_different_guesses_and_no_more() {
        let guesser = Guesser::new();
        for number in 0..10 {
            assert_eq!(guesser.wait("192.0.2.1", "alice"), None, "{number}");
            guesser.guess("192.0.2.1", "alice", number);
        }
        assert_eq!(guesser.wait("192.0.2.1", "alice"), Some(15));
        assert_eq!(guesser.wait("192.0.2.1", "bob"), Some(15));
        assert_eq!(guesser.wait("192.0.2.2", "bob"), None);
    }

    #[test]
    fn a_stale_password_counts_once_however_often_it_comes() {
        let guesser = Guesser::new();
        for _ in 0..1000 {
            guesser.guess("192.0.2.1", "alice", 1);
        }
        assert_eq!(guesser.wait("192.0.2.1", "alice"), None);
    }

    #[test]
    fn blocks_grow_to_five_minutes_and_are_forgiven() {
        let mut guesser = Guesser::new();
        (0..10).for_each(|number| guesser.guess("192.0.2.1", "alice", number));
        for (number, expected) in (10..).zip([15, 30, 60, 120, 240, 300, 300, 300]) {
            assert_eq!(guesser.wait("192.0.2.1", "alice"), Some(expected));
            guesser.now += Duration::from_secs(expected);
            assert_eq!(guesser.wait("192.0.2.1", "alice"), None);
            guesser.guess("192.0.2.1", "alice", number);
        }
        guesser.now += Duration::from_secs(300) + FORGIVEN;
        (100..110).for_each(|number| guesser.guess("192.0.2.1", "alice", number));
        assert_eq!(guesser.wait("192.0.2.1", "alice"), Some(15));
    }

    #[test]
    fn slow_mistakes_never_block() {
        let mut guesser = Guesser::new();
        for number in 0..200 {
            guesser.guess("192.0.2.1", "alice", number);
            assert_eq!(guesser.wait("192.0.2.1", "alice"), None);
            guesser.now += Duration::from_secs(7);
        }
    }

    #[test]
    fn the_count_of_a_user_alone_locks_nobody_out() {
        let guesser = Guesser::new();
        for number in 0..100 {
            guesser.guess(&format!("192.0.2.{number}"), "alice", number);
        }
        assert_eq!(guesser.wait("198.51.100.1", "alice"), None);
        guesser.guess("198.51.100.1", "alice", 1000);
        guesser.guess("198.51.100.1", "alice", 1001);
        assert_eq!(guesser.wait("198.51.100.1", "alice"), None);
        guesser.guess("198.51.100.1", "alice", 1002);
        assert!(guesser.wait("198.51.100.1", "alice").is_some());
        assert_eq!(guesser.wait("198.51.100.1", "bob"), None);
    }

    #[test]
    fn an_ipv6_network_is_one_guesser() {
        let guesser = Guesser::new();
        for number in 0..10 {
            guesser.guess(&format!("2001:db8:0:1::{number}"), "alice", number);
        }
        assert!(guesser.wait("2001:db8:0:1:ffff::1", "bob").is_some());
        assert_eq!(guesser.wait("2001:db8:0:2::1", "bob"), None);
        (0..10).for_each(|number| guesser.guess("::ffff:192.0.2.1", "alice", number));
        assert!(guesser.wait("192.0.2.1", "bob").is_some());
    }

    #[test]
    fn c7_spellings_of_a_name_count_together() {
        for other in ["Alice", "alice ", "alice\t", "alice\0", "ALICE"] {
            assert_eq!(skeleton(other), skeleton("alice"));
        }
        assert_eq!(skeleton("jos\u{e9}"), skeleton("jose\u{301}"));
        assert_ne!(skeleton("alice"), skeleton("bob"));
    }
}
