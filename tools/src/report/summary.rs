//! From the trials to the summary. Contract: pure, and the one place where trials are counted and ranked, so that
//! the page, `--json` and any check of them cannot disagree.

use super::data::{Kind, Report, Settings, Summary, Trial};

impl Trial {
    /// Whether this machine stood still for longer than the axis tolerates, which sets the trial apart.
    pub fn stalled(&self, settings: &Settings) -> bool {
        matches!((self.stall_ms_max, settings.axis_tolerance_ms), (Some(stall), Some(limit)) if stall > limit)
    }
}

impl Summary {
    /// Derives the summary; `trials` is the `N` of `--trials N`.
    pub fn of(seed: u64, trials: u64, rows: &[Trial], settings: &Settings) -> Self {
        let hot = Group::of(rows, settings, Kind::Hot);
        let cold = Group::of(rows, settings, Kind::Cold);
        Self {
            seed,
            trials,
            torn: rows.iter().filter(|t| t.torn).count() as u64,
            refused: rows.iter().filter(|t| t.refused.is_some()).count() as u64,
            gate_violations: rows.iter().map(|t| t.gate_stale_accepted).sum(),
            gate_refused: rows.iter().map(|t| t.gate_stale_refused).sum(),
            cycles_lost_max: hot.behind_max,
            detection_us_p50: hot.detection_us_p50,
            takeover_us_p50: hot.takeover_us_p50,
            bump_hot_max: hot.bump_max,
            bump_cold_max: cold.bump_max,
            axis_lost_hot: hot.axis_lost,
            axis_lost_cold: cold.axis_lost,
            stalled_trials: hot.stalled + cold.stalled,
        }
    }
}

/// The trials of one kind. All but the counters `rows`, `stalled` and `torn` leave the stalled ones out.
#[derive(Debug, Clone, Default)]
pub(super) struct Group {
    pub(super) rows: u64,
    pub(super) stalled: u64,
    pub(super) torn: u64,
    pub(super) refused: u64,
    pub(super) stale_accepted: u64,
    pub(super) stale_refused: u64,
    pub(super) axis_lost: u64,
    pub(super) axis_lost_stalled: u64,
    pub(super) behind_max: Option<u64>,
    pub(super) missed_p50: Option<f64>,
    pub(super) missed_max: Option<u64>,
    pub(super) detection_us_p50: Option<f64>,
    pub(super) takeover_us_p50: Option<f64>,
    pub(super) bump_p50: Option<f64>,
    pub(super) bump_max: Option<f64>,
    /// The same with the stalled ones.
    pub(super) bump_max_all: Option<f64>,
    pub(super) missed_max_all: Option<u64>,
}

impl Group {
    pub(super) fn of(rows: &[Trial], settings: &Settings, kind: Kind) -> Self {
        let all: Vec<&Trial> = rows.iter().filter(|t| t.kind == kind).collect();
        let (stalled, fair): (Vec<&Trial>, Vec<&Trial>) = all.iter().partition(|t| t.stalled(settings));
        let most = |from: &[&Trial], of: fn(&Trial) -> Option<u64>| from.iter().filter_map(|t| of(t)).max();
        Self {
            rows: all.len() as u64,
            stalled: stalled.len() as u64,
            torn: all.iter().filter(|t| t.torn).count() as u64,
            refused: all.iter().filter(|t| t.refused.is_some()).count() as u64,
            stale_accepted: all.iter().map(|t| t.gate_stale_accepted).sum(),
            stale_refused: all.iter().map(|t| t.gate_stale_refused).sum(),
            axis_lost: fair.iter().filter(|t| t.axis_lost).count() as u64,
            axis_lost_stalled: stalled.iter().filter(|t| t.axis_lost).count() as u64,
            behind_max: most(&fair, |t| t.cycles_behind),
            missed_p50: median(fair.iter().filter_map(|t| t.cycles_missed).map(|n| n as f64)),
            missed_max: most(&fair, |t| t.cycles_missed),
            detection_us_p50: median(fair.iter().filter_map(|t| t.detection_us)),
            takeover_us_p50: median(fair.iter().filter_map(|t| t.takeover_us)),
            bump_p50: median(fair.iter().filter_map(|t| t.bump.max)),
            bump_max: largest(fair.iter().filter_map(|t| t.bump.max)),
            bump_max_all: largest(all.iter().filter_map(|t| t.bump.max)),
            missed_max_all: most(&all, |t| t.cycles_missed),
        }
    }
}

impl Report {
    pub(super) fn group(&self, kind: Kind) -> Group {
        Group::of(&self.trials, &self.settings, kind)
    }
}

/// The upper median of the finite values.
pub(super) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.filter(|v| v.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

/// The largest finite value.
fn largest(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.filter(|v| v.is_finite()).max_by(f64::total_cmp)
}
