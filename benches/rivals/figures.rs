//! Figures of several turns, and what is claimed of them.

use super::contestant::Contestant;

/// What one server reached in one kind of work, turn by turn.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) contestant: Contestant,
    /// What was special about the server.
    pub(crate) note: &'static str,
    /// `answers/s`, `GB/s`, `images/s`: the more the better; `ms`, `MiB`: the less the better.
    pub(crate) unit: &'static str,
    pub(crate) values: Vec<f64>,
    /// Processor time of the server for each answer (in microseconds) or GB (in seconds). Empty if it was not measured.
    pub(crate) cpu: Vec<f64>,
}

/// What shall hold, and whether it does.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) target: String,
    /// `None` if it could not be measured here.
    pub(crate) reached: Option<f64>,
    pub(crate) unit: &'static str,
    pub(crate) holds: bool,
}

/// A kind of work.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) work: String,
    pub(crate) series: Vec<Series>,
    pub(crate) claims: Vec<Claim>,
}

impl Series {
    pub(crate) fn new(contestant: Contestant, unit: &'static str) -> Self {
        Self { contestant, note: "", unit, values: Vec::new(), cpu: Vec::new() }
    }
}

impl Claim {
    pub(crate) fn at_least(bound: f64, unit: &'static str, of: &str, reached: Option<f64>) -> Self {
        Self {
            target: format!("≥ {bound}{unit}{of}"),
            reached,
            unit,
            holds: reached.is_some_and(|value| value >= bound),
        }
    }

    pub(crate) fn at_most(bound: f64, unit: &'static str, of: &str, reached: Option<f64>) -> Self {
        Self {
            target: format!("≤ {bound}{unit}{of}"),
            reached,
            unit,
            holds: reached.is_some_and(|value| value <= bound),
        }
    }
}

impl Row {
    pub(crate) fn new(work: impl Into<String>, series: Vec<Series>) -> Self {
        Self { work: work.into(), series, claims: Vec::new() }
    }

    /// wharf's rate is at least so many times that of `rival`.
    pub(crate) fn faster(mut self, bound: f64, rival: Contestant) -> Self {
        let ratio = self.ratio(rival, |series| &series.values);
        self.claims.push(Claim::at_least(bound, "×", &format!(" {}", rival.name()), ratio));
        self
    }

    /// wharf's processor time is at most so many times that of `rival`.
    pub(crate) fn cheaper(mut self, bound: f64, rival: Contestant) -> Self {
        let ratio = self.ratio(rival, |series| &series.cpu);
        self.claims.push(Claim::at_most(bound, "×", &format!(" {}, CPU", rival.name()), ratio));
        self
    }

    pub(crate) fn claim(mut self, claim: Claim) -> Self {
        self.claims.push(claim);
        self
    }

    fn ratio(&self, rival: Contestant, figures: impl Fn(&Series) -> &Vec<f64>) -> Option<f64> {
        let of = |contestant| self.series.iter().find(|series| series.contestant == contestant);
        ratio(figures(of(Contestant::Wharf)?), figures(of(rival)?))
    }
}

/// The median of the ratios turn by turn, which a machine that is slow for a while does not change.
pub(crate) fn ratio(one: &[f64], other: &[f64]) -> Option<f64> {
    let pairs: Vec<_> =
        one.iter().zip(other).map(|(one, other)| one / other).filter(|ratio| ratio.is_finite()).collect();
    median(&pairs)
}

pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        Some(sorted[middle])
    } else {
        Some(f64::midpoint(*sorted.get(middle.wrapping_sub(1))?, sorted[middle]))
    }
}
