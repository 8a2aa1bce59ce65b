//! A connected standby goes on exposing cuts, whatever single frames it loses.

use super::{Check, ensure};
use crate::sim::clock::Nanos;
use mirror_core::Epoch;

/// For how many commits each node has exposed nothing.
#[derive(Debug)]
pub struct Progress {
    waiting: Vec<u64>,
    epoch: Epoch,
    outage: Nanos,
}

impl Progress {
    /// For so many nodes.
    #[must_use]
    pub fn new(nodes: u64) -> Self {
        Self { waiting: vec![0; nodes as usize], epoch: Epoch::NONE, outage: 0 }
    }

    /// Node `place` holds a new cut.
    pub fn exposed(&mut self, place: usize) {
        self.waiting[place] = 0;
    }

    /// A commit under `epoch`. `outage`: when there was last more than a single loss; `up`: whether a node runs;
    /// `most`: commits that a node may go without a cut.
    ///
    /// # Errors
    /// A node waits for longer.
    pub fn committed(&mut self, epoch: Epoch, outage: Nanos, most: u64, up: impl Fn(usize) -> bool) -> Check {
        if (self.epoch, self.outage) != (epoch, outage) {
            (self.epoch, self.outage) = (epoch, outage);
            self.waiting.fill(0);
        }
        for (place, waiting) in self.waiting.iter_mut().enumerate() {
            *waiting = if up(place) { *waiting + 1 } else { 0 };
            ensure(*waiting <= most, "progress", || {
                format!("node {} is connected and exposed nothing in {waiting} cycles", place + 1)
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_counted_by_commits_and_ends_with_a_cut_an_outage_or_a_reign() {
        let reign = |n| Epoch::new(n, 1, 0);
        let mut progress = Progress::new(2);
        let mut commit = |epoch, outage, cut: bool| {
            let check = progress.committed(epoch, outage, 3, |place| place == 1);
            cut.then(|| progress.exposed(1));
            check
        };
        for cut in [false, false, true, false, false] {
            assert_eq!(commit(reign(1), 0, cut), Ok(()));
        }
        assert_eq!(commit(reign(1), 9, false), Ok(()));
        assert_eq!(commit(reign(2), 9, false), Ok(()));
        assert_eq!(commit(reign(2), 9, false), Ok(()));
        assert_eq!(commit(reign(2), 9, false), Ok(()));
        assert!(commit(reign(2), 9, false).is_err());
    }
}
