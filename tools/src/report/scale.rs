//! From values to pixels. Contract: total (a value off the scale lands on its edge, NaN nowhere), and ticks are round.

use plotters::coord::ranged1d::Ranged;
use plotters::coord::types::RangedCoordf64;

/// One axis: values `lo..hi` between the pixels `from..to`, evenly or by decades.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    lo: f64,
    hi: f64,
    from: f64,
    to: f64,
    decades: bool,
}

impl Scale {
    pub(super) fn linear((lo, hi): (f64, f64), (from, to): (f64, f64)) -> Self {
        let hi = if hi > lo { hi } else { lo + 1.0 };
        Self { lo, hi, from, to, decades: false }
    }

    /// By decades, widened to whole ones; `lo` must be above zero.
    pub(super) fn log((lo, hi): (f64, f64), px: (f64, f64)) -> Self {
        let lo = lo.max(1e-12).log10().floor();
        let hi = hi.max(1e-12).log10().ceil().max(lo + 1.0);
        Self { decades: true, ..Self::linear((lo, hi), px) }
    }

    /// The pixel of a value; none for NaN.
    pub(super) fn at(&self, value: f64) -> Option<f64> {
        let v = match self.decades {
            true if value <= 0.0 => self.lo,
            true => value.log10(),
            false => value,
        };
        if v.is_nan() {
            return None;
        }
        let share = ((v - self.lo) / (self.hi - self.lo)).clamp(0.0, 1.0);
        Some(self.from + share * (self.to - self.from))
    }

    pub(super) fn within(&self, value: f64) -> bool {
        let v = if self.decades { value.log10() } else { value };
        (self.lo..=self.hi).contains(&v)
    }

    /// At most about `wanted` round values on the scale.
    pub(super) fn ticks(&self, wanted: usize) -> Vec<f64> {
        if self.decades {
            let step = ((self.hi - self.lo) / wanted.max(1) as f64).ceil().max(1.0) as usize;
            return (self.lo as i32..=self.hi as i32).step_by(step).map(|d| 10f64.powi(d)).collect();
        }
        RangedCoordf64::from(self.lo..self.hi)
            .key_points(wanted)
            .into_iter()
            .map(|v| if v.abs() < 1e-9 * (self.hi - self.lo) { 0.0 } else { v })
            .collect()
    }
}

/// The least and the greatest finite value, with a share of room on both sides.
pub(super) fn extent(values: impl Iterator<Item = f64>, room: f64) -> Option<(f64, f64)> {
    let (lo, hi) = values
        .filter(|v| v.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
    if lo > hi {
        return None;
    }
    let span = if hi > lo { hi - lo } else { lo.abs().max(1.0) * 0.1 };
    Some((lo - room * span, hi + room * span))
}
