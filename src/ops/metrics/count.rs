//! Counts that are added to without waiting for other threads.

use std::{
    fmt::Debug,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use thread_local::ThreadLocal;

/// A count. Only one thread adds to it; others may read it. It wraps around.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, count: u64) {
        // One thread writes, so that no locked addition is needed, which costs more than all the rest of a count.
        self.0.store(self.get().wrapping_add(count), Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Counts of one kind for each thread.
#[derive(Debug)]
pub(super) struct PerThread<T: Send>(ThreadLocal<Box<T>>);

/// Counts that can be added up.
pub(super) trait Counts: Default + Send + Sync {
    /// Adds another thread's counts. Both must not be counted to by others than the caller, or be read only.
    fn add(&self, other: &Self);
}

impl<T: Send> Default for PerThread<T> {
    fn default() -> Self {
        Self(ThreadLocal::new())
    }
}

impl<T: Counts> PerThread<T> {
    /// Those of the calling thread.
    pub(super) fn own(&self) -> &T {
        self.0.get_or_default()
    }

    /// The sums over all threads, also those that have ended.
    pub(super) fn total(&self) -> T {
        let total = T::default();
        self.0.iter().for_each(|counts| total.add(counts));
        total
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    impl Counts for Count {
        fn add(&self, other: &Self) {
            Self::add(self, other.get());
        }
    }

    #[test]
    fn no_count_of_a_thread_is_lost() {
        let counts = PerThread::<Count>::default();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..1000).for_each(|_| Count::add(counts.own(), 1)));
            }
        });
        assert_eq!(counts.total().get(), 8000);
    }
}
