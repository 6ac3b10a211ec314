//! Work that another thread may do.
//!
//! The thread that needs the result does the work itself if no other thread has begun it. So no thread waits for one
//! that is not available, and without spare threads the work is done sequentially.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use tokio::sync::Semaphore;

use super::super::{Result, StorageError};

/// How many threads may be used at a time. Many concurrent pushes have enough threads of their own, and reads need
/// some.
static EXTRA_THREADS: Semaphore = Semaphore::const_new(32);

/// The work of one job.
pub(super) type Work = Box<dyn FnOnce() -> Result<()> + Send>;

/// Some work, and how it ended.
pub(super) struct Job {
    /// `None` once a thread has begun it.
    work: Mutex<Option<Work>>,
    outcome: OnceLock<Result<()>>,
}

impl Job {
    /// Gives the work to another thread, if a permit is free.
    pub(super) fn begin(work: Work) -> Arc<Self> {
        let job = Arc::new(Self { work: Mutex::new(Some(work)), outcome: OnceLock::new() });
        if let Ok(runtime) = tokio::runtime::Handle::try_current()
            && let Ok(permit) = EXTRA_THREADS.try_acquire()
        {
            let job = job.clone();
            runtime.spawn_blocking(move || {
                job.run();
                drop(permit);
            });
        }
        job
    }

    /// How it ended, if it has.
    pub(super) fn outcome(&self) -> Option<Result<()>> {
        self.outcome.get().map(again)
    }

    /// Waits for the end of work that has begun. Work that has not begun is dropped.
    ///
    /// # Errors
    /// The error of the work.
    pub(super) fn end(&self) -> Result<()> {
        if self.take().is_some() { Ok(()) } else { again(self.outcome.wait()) }
    }

    fn run(&self) {
        if let Some(work) = self.take() {
            let outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
                Err(StorageError::io("run", Path::new("a blocking thread"), io::Error::other("it panicked")))
            });
            // Only the one who has taken the work sets it.
            let _ = self.outcome.set(outcome);
        }
    }

    fn take(&self) -> Option<Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Job").field("outcome", &self.outcome).finish_non_exhaustive()
    }
}

/// Does all of the work, in parallel if threads are available. All of it has ended when this returns.
///
/// # Errors
/// The first error.
pub(super) fn run_all(works: impl IntoIterator<Item = Work>) -> Result<()> {
    let mut works = works.into_iter();
    let Some(mine) = works.next() else { return Ok(()) };
    let others: Vec<_> = works.map(Job::begin).collect();
    let mine = mine();
    for job in &others {
        job.run();
    }
    others.iter().map(|job| again(job.outcome.wait())).fold(mine, Result::and)
}

fn again(outcome: &Result<()>) -> Result<()> {
    outcome.as_ref().map_err(StorageError::again).copied()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail that way")]

    use std::sync::mpsc;

    use super::*;

    fn failing() -> Work {
        Box::new(|| Err(StorageError::Full))
    }

    #[test]
    fn without_other_threads_all_is_done_here() {
        let (done, log) = mpsc::channel();
        let works = (0..3).map(|n| {
            let done = done.clone();
            Box::new(move || done.send((n, std::thread::current().id())).map_err(|_| StorageError::Busy)) as Work
        });
        run_all(works).unwrap();
        let here = std::thread::current().id();
        assert_eq!(log.try_iter().collect::<Vec<_>>(), [(0, here), (1, here), (2, here)]);
    }

    #[tokio::test]
    async fn one_failure_is_the_failure_of_all() {
        for failing_at in 0..3 {
            let (done, log) = mpsc::channel();
            let works = (0..3).map(move |n| {
                let done = done.clone();
                if n == failing_at {
                    return failing();
                }
                Box::new(move || done.send(n).map_err(|_| StorageError::Busy)) as Work
            });
            assert!(matches!(run_all(works), Err(StorageError::Full)));
            assert_eq!(log.try_iter().count(), 2, "the others have ended");
        }
        let panicking: Work = Box::new(|| panic!("on purpose"));
        assert!(run_all([Box::new(|| Ok(())) as Work, panicking]).is_err());
    }

    #[test]
    fn what_has_not_begun_can_be_left_out() {
        let job = Job::begin(failing());
        assert!(job.end().is_ok());
        let job = Job::begin(failing());
        job.run();
        assert!(job.end().is_err() && job.outcome().unwrap().is_err());
    }
}
