//! How fast a check reads.

use std::{fmt, time::Duration};

use tokio::time::{Instant, sleep_until};

/// How often a wait looks whether it is still for something.
const LOOK: Duration = Duration::from_millis(100);

/// No more than so many bytes a second, from its beginning on.
pub(in crate::registry) struct RateLimit {
    rate: Option<u64>,
    /// When what was read so far may have been read.
    due: Instant,
    is_over: Box<dyn Fn() -> bool + Send + Sync>,
}

impl RateLimit {
    /// `rate` bytes a second; `None`: as fast as can be. Nothing waits any more once `is_over`.
    pub(in crate::registry) fn new(rate: Option<u64>, is_over: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { rate: rate.filter(|rate| *rate > 0), due: Instant::now(), is_over: Box::new(is_over) }
    }

    /// As fast as can be.
    pub(in crate::registry) fn free() -> Self {
        Self::new(None, || false)
    }

    /// Waits until `bytes` more may be read. Time in which nothing was read is not made up for.
    pub(in crate::registry) async fn take(&mut self, bytes: usize) {
        let Some(rate) = self.rate else { return };
        #[expect(clippy::cast_precision_loss, reason = "a pace need not be exact to the byte")]
        let takes = Duration::from_secs_f64(bytes as f64 / rate as f64);
        self.due = self.due.max(Instant::now()) + takes;
        while Instant::now() < self.due && !(self.is_over)() {
            sleep_until(self.due.min(Instant::now() + LOOK)).await;
        }
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit").field("rate", &self.rate).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_bytes_a_second_and_no_more() {
        let (begun, mut pace) = (Instant::now(), RateLimit::new(Some(1000), || false));
        for _ in 0..10 {
            pace.take(500).await;
        }
        assert_eq!(begun.elapsed().as_secs(), 5);
        tokio::time::sleep(Duration::from_secs(60)).await;
        pace.take(1000).await;
        assert_eq!(begun.elapsed().as_secs(), 66);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_nothing_waits() {
        let begun = Instant::now();
        RateLimit::free().take(usize::MAX).await;
        RateLimit::new(Some(0), || false).take(usize::MAX).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_for_nothing_ends() {
        let begun = Instant::now();
        RateLimit::new(Some(1), move || begun.elapsed().as_secs() >= 3).take(1_000_000).await;
        assert_eq!(begun.elapsed().as_secs(), 3);
    }
}
