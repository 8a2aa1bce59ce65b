//! S9: what a standby asks for.

use super::Standby;
use crate::wire::{MAX_WANTS, Want, Wants};

impl Standby {
    /// Whether frames are missing that another would help (S9). `pause`: for how long nothing may have come of the newest
    /// cycle before its missing frames count, `overdue`: before the cycle after it does, nanoseconds.
    #[must_use]
    pub fn lacks(&self, now: u64, pause: u64, overdue: u64) -> bool {
        self.wanted(now, pause, overdue).next().is_some()
    }

    /// The list of what is missing, oldest first, as much as fits.
    #[must_use]
    pub fn wants(&self, now: u64, pause: u64, overdue: u64) -> Wants {
        let mut wants = [Want::default(); MAX_WANTS];
        for (want, lacked) in wants.iter_mut().zip(self.wanted(now, pause, overdue)) {
            *want = lacked;
        }
        wants
    }

    pub(super) fn wanted(&self, now: u64, pause: u64, overdue: u64) -> impl Iterator<Item = Want> {
        let quiet = now.saturating_sub(self.newest_at);
        let newest = self.newest + u64::from(quiet >= pause) + u64::from(quiet >= overdue);
        let newest = newest.min(self.next + self.records as u64);
        let cycles = if self.follows { self.next..newest } else { 0..0 };
        cycles.flat_map(move |cycle| {
            let record = (cycle % self.records as u64) as usize;
            let staged = self.staged[record];
            let unheard = staged.cycle != cycle;
            let words = if unheard { 1 } else { (staged.count as usize).div_ceil(64) };
            let whole = !unheard && staged.missing == 0;
            (0..if whole { 0 } else { words }).filter_map(move |word| {
                if unheard {
                    return Some(Want { cycle, all: true, ..Want::default() });
                }
                let first = word as u32 * 64;
                let in_word = u64::MAX >> (64 - (staged.count - first).min(64));
                let bits = !self.got[record * self.words + word] & in_word;
                (bits != 0).then_some(Want { cycle, first, all: false, bits })
            })
        })
    }
}
