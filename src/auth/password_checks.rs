//! Checks passwords. Few are hashed at a time, equal credentials are hashed once, and results are remembered for a
//! short time.

use std::{
    collections::HashMap,
    num::NonZero,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::{OnceCell, Semaphore};

use super::{
    bounded_map::BoundedMap,
    secret::{Mark, MarkKey, Secret},
    users::{Users, is_checkable},
};

/// How long a verdict is remembered. A change of the file ends it earlier.
pub(super) const MEMORY: Duration = Duration::from_secs(60);
/// How many verdicts of each kind are remembered.
const REMEMBERED: usize = 10_000;
/// How many checks may wait for a thread.
const QUEUE: usize = 64;

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Right,
    Wrong,
}

/// Too many checks are waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Busy;

/// The password checks of a process.
pub(super) struct PasswordChecks {
    key: MarkKey,
    /// Bounds all checks, with those that wait.
    entrance: Arc<Semaphore>,
    /// Bounds the checks that compute.
    slots: Arc<Semaphore>,
    verdicts: Mutex<Verdicts>,
    in_progress: Mutex<HashMap<Mark, Arc<OnceCell<Verdict>>>>,
}

/// Right and wrong ones are kept apart, so that many wrong ones do not push out right ones.
struct Verdicts {
    right: BoundedMap<Mark, Instant>,
    wrong: BoundedMap<Mark, Instant>,
}

impl PasswordChecks {
    pub(super) fn new() -> Self {
        let slots = thread::available_parallelism().map_or(1, NonZero::get).saturating_sub(1).max(1);
        Self::with_limits(slots, QUEUE)
    }

    fn with_limits(slots: usize, queue: usize) -> Self {
        Self {
            key: MarkKey::random(),
            entrance: Arc::new(Semaphore::new(slots + queue)),
            slots: Arc::new(Semaphore::new(slots)),
            verdicts: Mutex::new(Verdicts { right: BoundedMap::new(REMEMBERED), wrong: BoundedMap::new(REMEMBERED) }),
            in_progress: Mutex::default(),
        }
    }

    /// The mark of a user and a password, the same for all versions of the file.
    pub(super) fn pair(&self, user: &str, password: &Secret) -> Mark {
        self.key.mark(&[b"pair", user.as_bytes(), password.reveal()])
    }

    /// Checks a password against one version of the file. `admitted` is asked once more before the password is hashed.
    ///
    /// `generation` is the number of the version. It is a part of the mark, so verdicts about an old version do not
    /// count for a new one.
    pub(super) async fn check(
        &self,
        users: &Arc<Users>,
        generation: u64,
        user: &str,
        password: &Secret,
        admitted: impl Fn() -> bool,
    ) -> Result<Verdict, Busy> {
        if !is_checkable(password) {
            return Ok(Verdict::Wrong);
        }
        let mark = self.key.mark(&[b"check", &generation.to_be_bytes(), user.as_bytes(), password.reveal()]);
        if let Some(verdict) = self.recall(&mark, Instant::now()) {
            return Ok(verdict);
        }
        let check = SharedCheck::join(self, mark);
        let verdict = check.cell.get_or_try_init(|| self.compute(users, user, password, admitted)).await.copied()?;
        self.remember(mark, verdict, Instant::now());
        Ok(verdict)
    }

    /// Hashes on a thread that may block. The permits stay with the hash: a client that goes away releases none before
    /// the hash is done.
    async fn compute(
        &self,
        users: &Arc<Users>,
        user: &str,
        password: &Secret,
        admitted: impl Fn() -> bool,
    ) -> Result<Verdict, Busy> {
        let entry = Arc::clone(&self.entrance).try_acquire_owned().map_err(|_| Busy)?;
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| Busy)?;
        // Attempts that came together were all admitted. Some of them may have failed since.
        if !admitted() {
            return Err(Busy);
        }
        let (users, user, password) = (Arc::clone(users), user.to_owned(), password.clone());
        let hashing = tokio::task::spawn_blocking(move || {
            let right = users.check(&user, &password);
            drop((slot, entry));
            if right { Verdict::Right } else { Verdict::Wrong }
        });
        hashing.await.map_err(|_| Busy)
    }

    fn recall(&self, mark: &Mark, now: Instant) -> Option<Verdict> {
        let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |since: &mut Instant| now.duration_since(*since) < MEMORY;
        if verdicts.right.get(mark).is_some_and(fresh) {
            return Some(Verdict::Right);
        }
        verdicts.wrong.get(mark).is_some_and(fresh).then_some(Verdict::Wrong)
    }

    fn remember(&self, mark: Mark, verdict: Verdict, now: Instant) {
        let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        match verdict {
            Verdict::Right => verdicts.right.insert(mark, now),
            Verdict::Wrong => verdicts.wrong.insert(mark, now),
        }
    }
}

/// A check that other requests may share (single flight). The last of them removes it from the map.
struct SharedCheck<'a> {
    checks: &'a PasswordChecks,
    mark: Mark,
    cell: Arc<OnceCell<Verdict>>,
}

impl<'a> SharedCheck<'a> {
    fn join(checks: &'a PasswordChecks, mark: Mark) -> Self {
        let mut in_progress = checks.in_progress.lock().unwrap_or_else(PoisonError::into_inner);
        let cell = Arc::clone(in_progress.entry(mark).or_default());
        Self { checks, mark, cell }
    }
}

impl Drop for SharedCheck<'_> {
    fn drop(&mut self) {
        let mut in_progress = self.checks.in_progress.lock().unwrap_or_else(PoisonError::into_inner);
        // These two are this one and that of the map. No other can join while the map is locked.
        if Arc::strong_count(&self.cell) == 2 {
            in_progress.remove(&self.mark);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

    use futures_util::future::join_all;

    use super::*;
    use crate::auth::hash_password;

    fn users(password: &str) -> Arc<Users> {
        let hash = hash_password(&Secret::new(password), 4).unwrap();
        Arc::new(Users::parse(format!("alice:{hash}").as_bytes()).unwrap())
    }

    async fn check(
        passwords: &PasswordChecks,
        users: &Arc<Users>,
        generation: u64,
        password: &str,
    ) -> Result<Verdict, Busy> {
        passwords.check(users, generation, "alice", &Secret::new(password), || true).await
    }

    #[tokio::test]
    async fn c5_a_new_version_of_the_file_knows_nothing_of_the_old_one() {
        let passwords = PasswordChecks::with_limits(1, 4);
        let (old, new) = (users("old"), users("new"));
        assert_eq!(check(&passwords, &old, 1, "old").await, Ok(Verdict::Right));
        assert_eq!(check(&passwords, &old, 1, "new").await, Ok(Verdict::Wrong));
        assert_eq!(check(&passwords, &new, 2, "old").await, Ok(Verdict::Wrong));
        assert_eq!(check(&passwords, &new, 2, "new").await, Ok(Verdict::Right));
    }

    #[tokio::test]
    async fn c5_what_is_remembered_needs_no_hash_and_is_forgotten_in_time() {
        let passwords = PasswordChecks::with_limits(1, 4);
        let users = users("pw");
        check(&passwords, &users, 1, "pw").await.unwrap();
        check(&passwords, &users, 1, "no").await.unwrap();
        // With the entrance shut, nothing can be computed any more.
        passwords.entrance.close();
        assert_eq!(check(&passwords, &users, 1, "pw").await, Ok(Verdict::Right));
        assert_eq!(check(&passwords, &users, 1, "no").await, Ok(Verdict::Wrong));
        assert_eq!(check(&passwords, &users, 1, "other").await, Err(Busy));
        let mark = passwords.key.mark(&[b"check", &1_u64.to_be_bytes(), b"alice", b"pw"]);
        assert_eq!(passwords.recall(&mark, Instant::now() + MEMORY), None);
    }

    #[tokio::test]
    async fn c9_the_queue_is_bounded_and_one_credential_takes_one_place() {
        let passwords = PasswordChecks::with_limits(1, 2);
        let users = users("pw");
        let same = (0..50).map(|_| check(&passwords, &users, 1, "pw"));
        assert!(join_all(same).await.into_iter().all(|verdict| verdict == Ok(Verdict::Right)));
        assert!(passwords.in_progress.lock().unwrap().is_empty());

        // All of them ask before the first is hashed: its place is kept from it for so long.
        let held = Arc::clone(&passwords.slots).acquire_owned().await.unwrap();
        let guesses: Vec<String> = (0..10).map(|number| format!("guess {number}")).collect();
        let asked = join_all(guesses.iter().map(|guess| check(&passwords, &users, 1, guess)));
        let (verdicts, ()) = futures_util::future::join(asked, async { drop(held) }).await;
        assert_eq!(verdicts.iter().filter(|verdict| **verdict == Ok(Verdict::Wrong)).count(), 3);
        assert_eq!(verdicts.iter().filter(|verdict| **verdict == Err(Busy)).count(), 7);
        assert!(passwords.in_progress.lock().unwrap().is_empty());
        assert_eq!(passwords.entrance.available_permits(), 3);
    }

    #[tokio::test]
    async fn a_client_that_goes_away_leaves_nothing_behind() {
        let passwords = PasswordChecks::with_limits(1, 2);
        let users = users("pw");
        {
            let check = std::pin::pin!(check(&passwords, &users, 1, "pw"));
            let mut context = std::task::Context::from_waker(futures_util::task::noop_waker_ref());
            assert!(check.poll(&mut context).is_pending());
        }
        assert!(passwords.in_progress.lock().unwrap().is_empty());
        // The hash goes on to its end, and then its place is free again.
        let _all = passwords.entrance.acquire_many(3).await.unwrap();
    }

    #[tokio::test]
    async fn c2_c4_what_bcrypt_would_cut_off_is_not_hashed() {
        let passwords = PasswordChecks::with_limits(1, 2);
        passwords.entrance.close();
        let users = users("pw");
        for password in ["a".repeat(73), "pw\0x".to_owned()] {
            assert_eq!(check(&passwords, &users, 1, &password).await, Ok(Verdict::Wrong));
        }
    }
}
