//! Counters of one histogram.

use std::time::Duration;

use super::count::Count;

/// The upper bounds of the first buckets of a histogram, from the least; the last bucket has none.
#[derive(Debug)]
pub(super) struct Bounds {
    /// The bounds, in the unit in which values are observed.
    pub(super) values: &'static [u64],
    /// The values of the label `le`.
    pub(super) labels: &'static [&'static str],
    /// How many of the observed unit are one of the unit that is exposed.
    pub(super) scale: f64,
}

const SECONDS: f64 = 1e9;

/// Nanoseconds, of which `labels` are seconds: the default buckets of clients of Prometheus, to 10 seconds.
#[rustfmt::skip]
pub(super) const ACTIONS: Bounds = Bounds {
    values: &[
        5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000, 250_000_000, 500_000_000, 1_000_000_000,
        2_500_000_000, 5_000_000_000, 10_000_000_000,
    ],
    labels: &["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10"],
    scale: SECONDS,
};

/// The same to 60 seconds.
#[rustfmt::skip]
pub(super) const LATENCIES: Bounds = Bounds {
    values: &[
        5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000, 250_000_000, 500_000_000, 1_000_000_000,
        2_500_000_000, 5_000_000_000, 10_000_000_000, 25_000_000_000, 60_000_000_000,
    ],
    labels: &["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "25", "60"],
    scale: SECONDS,
};

/// Bytes: 1 KiB, doubled up to 2 GiB. The labels are written as Go writes such numbers.
#[rustfmt::skip]
pub(super) const SIZES: Bounds = Bounds {
    values: &[
        1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 16, 1 << 17, 1 << 18, 1 << 19, 1 << 20, 1 << 21,
        1 << 22, 1 << 23, 1 << 24, 1 << 25, 1 << 26, 1 << 27, 1 << 28, 1 << 29, 1 << 30, 1 << 31,
    ],
    labels: &[
        "1024", "2048", "4096", "8192", "16384", "32768", "65536", "131072", "262144", "524288", "1.048576e+06",
        "2.097152e+06", "4.194304e+06", "8.388608e+06", "1.6777216e+07", "3.3554432e+07", "6.7108864e+07",
        "1.34217728e+08", "2.68435456e+08", "5.36870912e+08", "1.073741824e+09", "2.147483648e+09",
    ],
    scale: 1.0,
};

/// A time, as histograms of seconds take it.
pub(super) fn nanoseconds(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(time.subsec_nanos()))
}

/// The most bounds that a histogram has.
const MOST: usize = 22;

/// The counters of a histogram whose bounds the caller names.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// By bucket, each without those below it. The one after the last bound has none.
    buckets: [Count; MOST + 1],
    sum: Count,
}

impl Histogram {
    /// Counts a value.
    pub(super) fn observe(&self, bounds: &Bounds, value: u64) {
        // Most values are small.
        let is_least = bounds.values.first().is_some_and(|bound| value <= *bound);
        let bucket = if is_least { 0 } else { bounds.values.partition_point(|bound| *bound < value) };
        self.buckets[bucket].add(1);
        self.sum.add(value);
    }

    /// Adds what another histogram with the same bounds has counted.
    pub(super) fn add(&self, other: &Self) {
        self.buckets.iter().zip(&other.buckets).for_each(|(bucket, other)| bucket.add(other.get()));
        self.sum.add(other.sum.get());
    }

    /// How many values were observed up to each bound, and how many in all.
    pub(super) fn cumulative(&self, bounds: &Bounds) -> (Vec<u64>, u64) {
        let mut count = 0;
        let mut upto = |bucket: &Count| {
            count += bucket.get();
            count
        };
        let counts: Vec<u64> = self.buckets[..bounds.values.len()].iter().map(&mut upto).collect();
        let all = upto(&self.buckets[bounds.values.len()]);
        (counts, all)
    }

    /// The sum of all values, in the unit that is exposed.
    #[expect(clippy::cast_precision_loss, reason = "a sum of 2^53 nanoseconds is a hundred days of work")]
    pub(super) fn sum(&self, bounds: &Bounds) -> f64 {
        self.sum.get() as f64 / bounds.scale
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_precision_loss, reason = "a test")]

    use super::*;

    #[test]
    fn a_value_is_in_the_bucket_whose_bound_it_does_not_pass() {
        for bounds in [&ACTIONS, &LATENCIES, &SIZES] {
            assert_eq!(bounds.values.len(), bounds.labels.len());
            for (bound, label) in bounds.values.iter().zip(bounds.labels) {
                let written: f64 = label.parse().unwrap();
                assert!((*bound as f64 / bounds.scale - written).abs() < 1e-9, "{label}");
            }
            let histogram = Histogram::default();
            for bound in bounds.values {
                histogram.observe(bounds, *bound);
                histogram.observe(bounds, *bound + 1);
            }
            let (counts, all) = histogram.cumulative(bounds);
            let expected: Vec<u64> = (0..bounds.values.len() as u64).map(|at| 2 * at + 1).collect();
            assert_eq!((counts, all), (expected, 2 * bounds.values.len() as u64));
        }
    }
}
