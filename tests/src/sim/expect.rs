//! What is expected of the protocol, in numbers: the one place that changes when its rules become better.
//!
//! Nothing else in the simulator depends on how a standby that missed a frame is repaired.

use super::clock::Nanos;
use super::options::Options;

/// Bounds for the checkers.
#[derive(Clone, Copy, Debug)]
pub struct Expect {
    /// After so long without a fault, all nodes up, everybody is in step.
    pub settle: Nanos,
    /// Who is in step is at most so many cycles behind.
    pub lag: u64,
    /// After so long without a fault and without a primary, all refusing, an operator restarts the best member. 0: never.
    pub operator: Nanos,
    /// A successor that lost no frame is at most so many cycles behind what the dead primary committed.
    pub behind: u64,
    /// Frames of two cycles that overtake each other are as good as lost.
    pub overtaking_is_loss: bool,
    /// A connected standby exposes a cut at least once in so many cycles, the options' single losses notwithstanding.
    pub progress: u64,
    /// Frames beyond its own lines and one status that a cycle may send at once, and how many of these it may send
    /// again each cycle, in 1024ths.
    pub extra: Extra,
}

/// A bucket of frames.
#[derive(Clone, Copy, Debug)]
pub struct Extra {
    /// Its size.
    pub most: u64,
    /// What each cycle puts in, in 1024ths of a frame.
    pub per_cycle_1024: u64,
}

/// Whoever lacks a frame asks for a full cycle; fewest cycles between two of these.
const FULL_EVERY: u64 = 8;

impl Expect {
    /// Under the rules S1 to S8 and T1 to T6: what is lost is sent again while the records hold it; who misses more asks for
    /// a full cycle.
    #[must_use]
    pub fn records(o: &Options) -> Self {
        let ask = o.silence.min(o.status_every) + 1;
        let claims = o.patience + (o.nodes + 2) * o.silence;
        let full = o.full_frames();
        // A try needs the question and all frames of the answer. So many tries fail once in 10^13 windows.
        let loss = (o.loss_ppm + o.damage_ppm + o.truncate_ppm + o.late_ppm) as f64 / 1e6;
        let success = (1.0 - loss).max(0.0).powi(full as i32 + 1).min(1.0 - 1e-13);
        let tries = (-30.0 / (-success).ln_1p()).ceil().min(1e6) as u64;
        Self {
            settle: (2 * claims + 2 * (ask + FULL_EVERY) + 10) * o.period * 103 / 100,
            lag: 2,
            operator: (claims + 5) * o.period * 103 / 100,
            behind: 1,
            overtaking_is_loss: o.records == 1,
            progress: tries * (ask + FULL_EVERY + 2) + o.status_every + 10,
            extra: Extra { most: full, per_cycle_1024: full * 1024 / FULL_EVERY },
        }
    }
}
