//! What a primary sends beyond a cycle's own lines is bounded, whoever asks for however much.

use super::{Check, ensure};
use crate::sim::expect::Extra;
use mirror_core::primary::Published;
use mirror_core::{Cut, Epoch};

/// Frames that may still be sent, in 1024ths, by reign.
#[derive(Debug, Default)]
pub struct Repair {
    left: Vec<(Epoch, u64)>,
    /// The last full cycle of a reign.
    full: Vec<Cut>,
    /// Frames that may still be sent again before the next cycle, by reign.
    again: Vec<(Epoch, u64)>,
}

/// Fewest cycles between two full ones.
const FULL_EVERY: u64 = 8;

impl Repair {
    /// `frames` frames were sent again on request.
    ///
    /// # Errors
    /// More than a cycle may.
    pub fn answered(&mut self, epoch: Epoch, frames: u64) -> Check {
        let left = self.again.iter_mut().find(|(e, _)| *e == epoch).map(|(_, left)| left);
        let may = left.as_ref().map_or(0, |left| **left);
        ensure(frames <= may, "repair", || format!("{frames} frames sent again where {may} were left"))?;
        if let Some(left) = left {
            *left -= frames;
        }
        Ok(())
    }

    /// The cycle `done`, whose own lines need `own` frames, sent `frames`.
    ///
    /// # Errors
    /// More than the bucket holds.
    pub fn sent(&mut self, done: &Published, (own, frames): (u64, u64), extra: Extra) -> Check {
        let (cut, epoch) = (done.cut, done.cut.epoch);
        if done.full {
            let last = self.full.iter_mut().find(|full| full.epoch == epoch);
            let since = last.as_ref().map_or(FULL_EVERY, |last| cut.cycle - last.cycle);
            ensure(since >= FULL_EVERY, "repair", || {
                format!("{cut} is full, {since} cycles after the last")
            })?;
            match last {
                Some(last) => *last = cut,
                None => self.full.push(cut),
            }
        }
        let again = 16.max(u64::from(done.frames) / 2);
        match self.again.iter_mut().find(|(e, _)| *e == epoch) {
            Some((_, left)) => *left = again,
            None => self.again.push((epoch, again)),
        }
        let full = extra.most * 1024;
        let at = self.left.iter().position(|(e, _)| *e == epoch).unwrap_or_else(|| {
            self.left.push((epoch, full));
            self.left.len() - 1
        });
        let left = &mut self.left[at].1;
        *left = (*left + extra.per_cycle_1024).min(full);
        let over = frames.saturating_sub(own) * 1024;
        // What fractions of a frame add up to is not held against anybody.
        ensure(over <= *left + 1024, "repair", || {
            format!("{frames} frames in a cycle whose lines need {own}; {} more were left", *left / 1024)
        })?;
        *left = left.saturating_sub(over);
        Ok(())
    }
}
