//! Damaged and foreign frames have no effect, and are counted as refused.

use super::{Check, ensure};
use crate::sim::node::Running;
use mirror_core::region::Counter;
use mirror_core::takeover::{Heard, Why};
use mirror_core::wire::SyncState;
use mirror_core::{Cut, Epoch};

const NAME: &str = "foreign";

/// The causes of refusal that such frames have.
const REFUSALS: &[Counter] = Counter::REJECTS;

/// What such a frame may not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    cut: Cut,
    seen: Epoch,
    state: SyncState,
    leader: u8,
    why: Why,
    refused: u64,
}

impl Before {
    /// As it is now.
    #[must_use]
    pub fn of(node: &Running) -> Self {
        let (region, member) = (&node.region, &node.member);
        Self {
            cut: region.cut(),
            seen: region.epoch_seen(),
            state: member.state(),
            leader: member.leader(),
            // A starting node may say that a foreign layout leads the group: that is all that it makes of it.
            why: match member.why(region, 0) {
                Why::ForeignLayout | Why::Blank => Why::Starting,
                why => why,
            },
            refused: node.sum(REFUSALS),
        }
    }

    /// Compares, after the frame.
    ///
    /// # Errors
    /// What changed.
    pub fn check(mut self, node: &Running, place: usize, heard: &Heard) -> Check {
        self.refused += 1;
        let now = Self::of(node);
        let quiet = matches!(heard, Heard::Nothing | Heard::Layout(_));
        ensure(quiet && now == self, NAME, || {
            format!("a frame that node {} must refuse left {now:?} instead of {self:?}", place + 1)
        })
    }
}
