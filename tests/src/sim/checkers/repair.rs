//! What a primary sends beyond a cycle's own lines is bounded, whoever asks for however much.

use super::{Check, ensure};
use mirror_core::Epoch;
use mirror_core::primary::Published;

/// Frames that may still be sent on request before the next cycle, by reign.
#[derive(Debug, Default)]
pub struct Repair(Vec<(Epoch, u64)>);

impl Repair {
    /// `frames` frames were sent on request.
    ///
    /// # Errors
    /// More than a cycle may.
    pub fn answered(&mut self, epoch: Epoch, frames: u64) -> Check {
        let left = self.0.iter_mut().find(|(e, _)| *e == epoch).map(|(_, left)| left);
        let may = left.as_ref().map_or(0, |left| **left);
        ensure(frames <= may, "repair", || format!("{frames} frames sent on request where {may} were left"))?;
        if let Some(left) = left {
            *left -= frames;
        }
        Ok(())
    }

    /// The commit `done`, whose lines need `own` frames, sent `frames`, at most `budget`.
    ///
    /// # Errors
    /// More than its lines need, or than the budget.
    pub fn sent(&mut self, done: &Published, (own, frames): (u64, u64), budget: u64) -> Check {
        let again = 16.max(u64::from(done.frames).min(budget) / 2);
        match self.0.iter_mut().find(|(e, _)| *e == done.cut.epoch) {
            Some((_, left)) => *left = again,
            None => self.0.push((done.cut.epoch, again)),
        }
        ensure(frames <= budget && frames == u64::from(done.sent), "repair", || {
            format!("{frames} frames sent in one commit that may send {budget} and says {}", done.sent)
        })?;
        ensure(done.open || u64::from(done.frames) <= own, "repair", || {
            format!("{} frames for a cycle whose lines need {own}", done.frames)
        })
    }
}
