//! The primary's ticks: a grid on the host's monotonic clock.
//!
//! Contract: slot `n` begins at `anchor + n * period`. Each slot is run at most once, late rather than not at all, and the slots
//! that went by are reported: the step is told how much control time passed, never how late it is.

use mirror_transport::Nanos;

/// Slots of a fixed period.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pacer {
    period: Nanos,
    anchor: Nanos,
    /// The last slot that was run.
    slot: u64,
}

impl Pacer {
    /// Slots of `period` ns (at least 1), beginning at `anchor` or one period or more before it.
    pub(crate) fn new(period: Nanos) -> Self {
        Self { period, anchor: 0, slot: 0 }
    }

    /// Starts a grid through `anchor`; everything up to and including the slot of `ran` counts as run.
    pub(crate) fn start(&mut self, anchor: Nanos, ran: Nanos) {
        // The grid reaches back to the clock's zero, so that no time lies before it.
        self.anchor = anchor % self.period;
        self.slot = self.slot_of(ran);
    }

    fn slot_of(&self, now: Nanos) -> u64 {
        now.saturating_sub(self.anchor) / self.period
    }

    /// When the next slot begins.
    pub(crate) fn next(&self) -> Nanos {
        self.anchor + (self.slot + 1) * self.period
    }

    /// If a slot not yet run has begun: runs it, and gives how many periods passed since the last (1: none was missed).
    pub(crate) fn tick(&mut self, now: Nanos) -> Option<u64> {
        let passed = self.slot_of(now).checked_sub(self.slot).filter(|&n| n > 0)?;
        self.slot += passed;
        Some(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_runs_once_and_missed_ones_are_reported() {
        let mut pacer = Pacer::new(1000);
        pacer.start(5_300, 5_300);
        assert_eq!(pacer.next(), 6_300);
        assert_eq!(pacer.tick(6_299), None);
        assert_eq!(pacer.tick(6_300), Some(1));
        assert_eq!(pacer.tick(6_301), None);
        assert_eq!(pacer.tick(10_000), Some(3));
        assert_eq!(pacer.next(), 10_300);
    }

    #[test]
    fn a_grid_by_phase_is_the_same_on_every_node_of_a_host() {
        let (mut a, mut b) = (Pacer::new(1000), Pacer::new(1000));
        a.start(300, 77_777);
        b.start(300, 78_111);
        assert_eq!(a.next(), b.next());
    }
}
