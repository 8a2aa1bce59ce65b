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
    /// Within so long after everybody is in step, the observers are, too.
    pub watched: Nanos,
}

impl Expect {
    /// Under the rules S1 to S8 and T1 to T6: what is lost is sent again while the records hold it; who misses more is swept.
    #[must_use]
    pub fn records(o: &Options) -> Self {
        let claims = o.patience + (o.nodes + 2) * o.silence;
        let full = o.full_frames();
        // A cut leaves in so many periods, and a lap of the sweep takes so many: a quarter of the budget is its own.
        let cut = full.div_ceil(o.send);
        let lap = full.div_ceil(4) + 4;
        // A lost frame, or chunk, comes with one of so many tries but once in 10^13 times.
        let loss = (o.loss_ppm + o.damage_ppm + o.truncate_ppm + o.late_ppm) as f64 / 1e6;
        let tries = (-30.0 / loss.clamp(1e-13, 0.9).ln()).ceil() as u64;
        Self {
            settle: (2 * claims + 3 * lap + 4 * cut + 20) * o.period * 103 / 100,
            lag: 2,
            operator: (claims + 5) * o.period * 103 / 100,
            behind: 1,
            overtaking_is_loss: false,
            progress: 4 * tries * lap + o.status_every + 10,
            // Until the others are known to be silent, a wish is repeated, and two laps within the budget.
            watched: (8 * o.status_every + full + 40) * o.period,
        }
    }
}
