//! The figures of one demo run. Contract: what `--json` writes and what the page shows is this and nothing else.
//!
//! Every name carries its unit. A value that was not measured is `None`, or in a [`Tick`] a NaN; JSON writes either
//! as `null` and reads it back. Counters are exact. Shares of span are fractions: 0.01 is one percent of the span.

use serde::{Deserialize, Deserializer, Serialize};

/// A whole run: what is asked, what came out of it, and where.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The answer in numbers.
    pub summary: Summary,
    /// One row for each kill, hot and cold.
    pub trials: Vec<Trial>,
    /// What the run was set to.
    pub settings: Settings,
    /// Where it ran.
    pub machine: Machine,
    /// When it ran, in any wording; shown as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// The milliseconds around a kill. The page draws the first hot and the first cold one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub traces: Vec<Trace>,
    /// Further remarks on how it was measured, one paragraph each; shown under "How it was measured".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The answer in numbers. [`Summary::of`](Summary::of) derives it from the trials.
///
/// Torn, refused and the Gate's counters cover every trial. Medians, maxima and lost axes leave out the trials in
/// `stalled_trials`, where this machine itself stood still for longer than the axis tolerates.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Seed of the run; the same seed kills at the same places.
    pub seed: u64,
    /// The `N` of `--trials N`; rows are counted apart, as one trial may have a hot and a cold kill.
    pub trials: u64,
    /// Takeovers that exposed anything but exactly one committed cycle.
    pub torn: u64,
    /// Takeovers that were refused because the standby was not complete.
    pub refused: u64,
    /// Outputs of an older epoch that the plant accepted.
    pub gate_violations: u64,
    /// Outputs of an older epoch that the Gate refused.
    pub gate_refused: u64,
    /// Hot: the most committed cycles of the dead primary that the successor did not hold.
    pub cycles_lost_max: Option<u64>,
    /// Hot: median from the last sign of life to silence declared, microseconds.
    pub detection_us_p50: Option<f64>,
    /// Hot: median from silence declared to the successor's first commit, microseconds.
    pub takeover_us_p50: Option<f64>,
    /// Hot: the largest bump, as a fraction of span.
    pub bump_hot_max: Option<f64>,
    /// Cold: the largest bump, as a fraction of span.
    pub bump_cold_max: Option<f64>,
    /// Hot trials that lost the axis.
    pub axis_lost_hot: u64,
    /// Cold trials that lost the axis.
    pub axis_lost_cold: u64,
    /// Trials with a recorded machine stall above the axis' tolerance.
    pub stalled_trials: u64,
}

/// What stood by when the primary was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A standby that held the state.
    Hot,
    /// A standby that started without any state.
    Cold,
}

impl Kind {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Cold => "cold",
        }
    }
}

/// Where in its cycle the primary was when the kill hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hit {
    /// Between two cycles.
    Idle,
    /// While the step was computing.
    Step,
    /// While the commit was publishing.
    Commit,
    /// At a random instant, from outside.
    Random,
}

impl Hit {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Step => "step",
            Self::Commit => "commit",
            Self::Random => "random",
        }
    }
}

/// A consistent state, named by who led and which commit it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cut {
    /// The reign: the epoch's counter.
    pub epoch: u64,
    /// The commit.
    pub cycle: u64,
}

/// How far the plant left the path of its undisturbed twin, as fractions of span.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Bump {
    /// The worst of the levels.
    pub levels: Option<f64>,
    /// The worst of the pumps.
    pub pumps: Option<f64>,
    /// The axis.
    pub axis: Option<f64>,
    /// The worst of all.
    pub max: Option<f64>,
}

/// One kill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Number of the trial; a hot and a cold kill may share it.
    pub index: u64,
    /// What stood by.
    pub kind: Kind,
    /// Where the kill hit.
    pub hit: Hit,
    /// The cut that the successor exposed; none if it started from nothing or refused.
    pub cut_exposed: Option<Cut>,
    /// The last cut that the dead primary had committed.
    pub cut_dead: Option<Cut>,
    /// Cycles of the dead primary that the exposed cut lacks.
    pub cycles_behind: Option<u64>,
    /// Last sign of life to silence declared, microseconds.
    pub detection_us: Option<f64>,
    /// Silence declared to the successor's first commit, microseconds.
    pub takeover_us: Option<f64>,
    /// Cycles in which the plant got no fresh output.
    pub cycles_missed: Option<u64>,
    /// The bump that the plant felt.
    pub bump: Bump,
    /// Whether the axis left its tolerance for good.
    pub axis_lost: bool,
    /// The longest stall of the machine itself seen in this trial, milliseconds.
    pub stall_ms_max: Option<f64>,
    /// Whether the exposed state was anything but exactly one committed cycle.
    pub torn: bool,
    /// Why the takeover was refused, if it was.
    pub refused: Option<String>,
    /// Outputs of an older epoch that the plant accepted.
    pub gate_stale_accepted: u64,
    /// Outputs of an older epoch that the Gate refused.
    pub gate_stale_refused: u64,
}

/// What the run was set to, and what it measured of its own load.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Period of the control cycle, microseconds.
    pub period_us: Option<f64>,
    /// Cycles without a sign of life after which silence is declared.
    pub silence_cycles: Option<f64>,
    /// Size of the mirrored region, bytes.
    pub region_bytes: Option<u64>,
    /// Changed bytes in a cycle, median.
    pub dirty_bytes_per_cycle_p50: Option<f64>,
    /// Frames sent in a cycle.
    pub frames_per_cycle: Option<f64>,
    /// How long the axis tolerates silence, milliseconds; a longer stall of the machine sets a trial apart.
    #[serde(default)]
    pub axis_tolerance_ms: Option<f64>,
}

/// Where the run took place.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Name of the processor.
    pub cpu: String,
    /// Kernel and its version.
    pub kernel: String,
    /// Cores that the run could use; 0 if not known.
    pub cores: u64,
}

/// The plant around one kill, tick by tick.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// [`Trial::index`] of the trial it belongs to.
    pub trial: u64,
    /// What stood by.
    pub kind: Kind,
    /// Silence declared, milliseconds after the kill.
    pub detected_ms: Option<f64>,
    /// First commit of the successor, milliseconds after the kill.
    pub takeover_ms: Option<f64>,
    /// Names of the four levels shown; empty: numbered.
    #[serde(default)]
    pub level_names: Vec<String>,
    /// One for each millisecond, in order of time.
    pub ticks: Vec<Tick>,
}

/// One millisecond of a [`Trace`]. A NaN says "not measured".
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tick {
    /// Milliseconds after the kill; negative before it.
    #[serde(deserialize_with = "number")]
    pub time_ms: f64,
    /// Axis position, millimetres.
    #[serde(deserialize_with = "number")]
    pub axis_real_mm: f64,
    /// Axis position of the undisturbed twin, millimetres.
    #[serde(deserialize_with = "number")]
    pub axis_twin_mm: f64,
    /// Where the axis was asked to be, millimetres.
    #[serde(deserialize_with = "number")]
    pub axis_reference_mm: f64,
    /// Four representative levels, centimetres.
    #[serde(deserialize_with = "numbers")]
    pub levels_real_cm: [f64; 4],
    /// The same of the twin, centimetres.
    #[serde(deserialize_with = "numbers")]
    pub levels_twin_cm: [f64; 4],
    /// Where they were asked to be, centimetres.
    #[serde(deserialize_with = "numbers")]
    pub levels_reference_cm: [f64; 4],
    /// Two pumps, volts.
    #[serde(deserialize_with = "numbers")]
    pub pumps_real_v: [f64; 2],
    /// The same of the twin, volts.
    #[serde(deserialize_with = "numbers")]
    pub pumps_twin_v: [f64; 2],
    /// The worst distance from the twin over all signals, as a fraction of span.
    #[serde(deserialize_with = "number")]
    pub deviation: f64,
    /// Epoch of the outputs that the plant applied.
    pub epoch: u64,
    /// Cycle of the outputs that the plant applied, if known.
    #[serde(default)]
    pub cycle: Option<u64>,
    /// Whether a fresh output was applied in this tick; otherwise the plant held the last one.
    pub fresh: bool,
}

/// A number, or NaN where JSON has `null`.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(from)?.unwrap_or(f64::NAN))
}

/// `N` numbers, each NaN where JSON has `null`.
fn numbers<'de, D: Deserializer<'de>, const N: usize>(from: D) -> Result<[f64; N], D::Error> {
    let read: Vec<f64> =
        Vec::<Option<f64>>::deserialize(from)?.into_iter().map(|v| v.unwrap_or(f64::NAN)).collect();
    let length = read.len();
    <[f64; N]>::try_from(read)
        .map_err(|_| serde::de::Error::invalid_length(length, &format!("{N} numbers").as_str()))
}
