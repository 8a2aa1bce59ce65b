//! What a primary sends beyond a cycle's own lines is bounded, whoever asks for however much.

use super::{Check, ensure};
use crate::sim::expect::Extra;
use mirror_core::Epoch;

/// Frames that may still be sent, in 1024ths, by reign.
#[derive(Debug, Default)]
pub struct Repair {
    left: Vec<(Epoch, u64)>,
}

impl Repair {
    /// A cycle whose own lines need `own` frames sent `frames`.
    ///
    /// # Errors
    /// More than the bucket holds.
    pub fn sent(&mut self, epoch: Epoch, own: u64, frames: u64, extra: Extra) -> Check {
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
