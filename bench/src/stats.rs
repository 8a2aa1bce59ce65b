//! Medians, and how sure they are.
//!
//! Contract: an interval is that of the median by order statistics: the k-th smallest and the k-th largest value, with the
//! largest k that leaves a confidence of at least 95 %. It assumes nothing of how the values are distributed (Hahn and Meeker,
//! Statistical Intervals, section 5.2). Below six values even the least and the most are not that sure; `confidence` says
//! what they are.

use crate::report::Row;
use hdrhistogram::Histogram;

/// What is aimed at.
const CONFIDENCE: f64 = 0.95;

/// A median and where it lies.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub least: f64,
    /// The median.
    pub median: f64,
    /// Upper end.
    pub most: f64,
    /// Probability, 0 to 1, that both ends include the true median.
    pub confidence: f64,
}

impl Interval {
    /// Puts the four figures into a row, under `key`, `key_least`, `key_most` and `key_confidence`.
    pub fn put(&self, row: &mut Row, key: &str) {
        row.set(key, self.median);
        row.set(&format!("{key}_least"), self.least).set(&format!("{key}_most"), self.most);
        row.set(&format!("{key}_confidence"), self.confidence);
    }
}

/// The median of `values`; of none: zero.
#[must_use]
pub fn interval(values: &[f64]) -> Interval {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len();
    let Some(&last) = sorted.last() else { return Interval::default() };
    let median = (sorted[n / 2] + sorted[(n - 1) / 2]) / 2.0;
    // Terms of the binomial distribution of n fair coins: how many values lie below the true median.
    let (mut term, mut below) = (0.5_f64.powi(n as i32), 0.0);
    let mut best = Interval { least: sorted[0], median, most: last, confidence: 1.0 - 2.0 * term };
    for k in 1..=n / 2 {
        below += term;
        term *= (n + 1 - k) as f64 / k as f64;
        let confidence = 1.0 - 2.0 * below;
        if confidence < CONFIDENCE {
            break;
        }
        best = Interval { least: sorted[k - 1], median, most: sorted[n - k], confidence };
    }
    Interval { confidence: best.confidence.max(0.0), ..best }
}

/// Value by value, `a` over `b`; what has no positive counterpart is left out.
#[must_use]
pub fn ratios(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).filter(|(_, b)| **b > 0.0).map(|(a, b)| a / b).collect()
}

/// A histogram of three digits that takes any value.
#[must_use]
pub fn histogram(values: impl IntoIterator<Item = u64>) -> Histogram<u64> {
    let mut histogram = Histogram::new(3).expect("three digits are possible");
    for value in values {
        histogram.record(value).expect("it grows as needed");
    }
    histogram
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_tables() {
        // The ranks that tables of the sign test give for 95 %.
        for (n, k) in [(6, 1), (8, 1), (9, 2), (12, 3), (15, 4), (20, 6), (25, 8)] {
            let values: Vec<f64> = (1..=n).rev().map(f64::from).collect();
            let got = interval(&values);
            assert_eq!((got.least, got.most), (f64::from(k), f64::from(n + 1 - k)), "{n} values");
            assert_eq!(got.median, f64::from(n + 1) / 2.0);
            assert!(got.confidence >= CONFIDENCE);
        }
        let few = interval(&[3.0, 1.0, 2.0]);
        assert_eq!((few.least, few.median, few.most, few.confidence), (1.0, 2.0, 3.0, 0.75));
        assert_eq!(interval(&[]), Interval::default());
        assert_eq!(interval(&[5.0]).confidence, 0.0);
    }

    #[test]
    fn ratios_leave_out_what_has_no_floor() {
        assert_eq!(ratios(&[2.0, 3.0], &[1.0, 0.0]), [2.0]);
    }
}
