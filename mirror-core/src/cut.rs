//! Epochs, cycles and cuts: the names of consistent states.
//!
//! Contract: a [`Cut`] is always compared as a pair, epoch first. Two different reigns never share an [`Epoch`],
//! because it carries the node and the incarnation that began it; so two different states never share a cut.

use bytemuck::{Pod, Zeroable};
use core::fmt;

/// One reign of one primary, 64 bits: `counter (32) | node (8) | nonce (24)`, compared as one number.
///
/// Zero means "no reign yet".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
#[repr(transparent)]
pub struct Epoch(pub u64);

/// The bits of [`Epoch`] that hold the incarnation nonce.
const NONCE_BITS: u32 = 24;
const NONCE_MASK: u64 = (1 << NONCE_BITS) - 1;

impl Epoch {
    /// No reign yet; older than every reign.
    pub const NONE: Epoch = Epoch(0);

    /// The epoch with this counter, begun by `node`; of `nonce` the low 24 bits count.
    #[must_use]
    pub const fn new(counter: u32, node: u8, nonce: u32) -> Self {
        Epoch((counter as u64) << 32 | (node as u64) << NONCE_BITS | (nonce as u64 & NONCE_MASK))
    }

    /// The next reign after this one, begun by `node` in its incarnation `nonce`.
    ///
    /// `None` when the counter is used up (after 2^32 - 1 reigns): it must never wrap, because older would then
    /// compare as newer.
    #[must_use]
    pub const fn next(self, node: u8, nonce: u32) -> Option<Self> {
        match self.counter().checked_add(1) {
            Some(counter) => Some(Self::new(counter, node, nonce)),
            None => None,
        }
    }

    /// How many reigns there were up to and including this one (at least).
    #[must_use]
    pub const fn counter(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The node that began this reign.
    #[must_use]
    pub const fn node(self) -> u8 {
        (self.0 >> NONCE_BITS) as u8
    }
}

impl fmt::Display for Epoch {
    /// `counter.node.nonce`, as in `3.1.04a2f1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{:06x}", self.counter(), self.node(), self.0 & NONCE_MASK)
    }
}

/// A consistent state: what cycle `cycle` of reign `epoch` committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
#[repr(C)]
pub struct Cut {
    /// The reign that committed it.
    pub epoch: Epoch,
    /// The number of the commit. It goes on across reigns: a successor's first commit is its base's cycle + 1.
    pub cycle: u64,
}

impl Cut {
    /// The state before the first commit: all bytes zero.
    pub const NONE: Cut = Cut { epoch: Epoch::NONE, cycle: 0 };
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {})", self.epoch, self.cycle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_reigns_compare_greater_whoever_begins_them() {
        let a = Epoch::NONE.next(255, 0xff_ffff).unwrap();
        let b = a.next(1, 0).unwrap();
        assert!(Epoch::NONE < a && a < b);
        assert_eq!((b.counter(), b.node()), (2, 1));
        assert!(Cut { epoch: a, cycle: 900 } < Cut { epoch: b, cycle: 1 });
    }

    #[test]
    fn one_counter_used_by_two_nodes_or_incarnations_gives_two_epochs() {
        let e = Epoch::new(7, 1, 5);
        assert_ne!(e.next(1, 5), e.next(2, 5));
        assert_ne!(e.next(1, 5), e.next(1, 6));
    }

    #[test]
    fn the_counter_never_wraps() {
        assert_eq!(Epoch::new(u32::MAX, 1, 0).next(1, 0), None);
    }
}
