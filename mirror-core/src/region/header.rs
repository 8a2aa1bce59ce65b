//! The words at the front of a region's mapping, shared with every process that looks at it.
//!
//! Contract: all words are atomics, so any process may read them at any time; only the owner writes. Two words seal
//! a commit (see the parent module): `open` and `done`.

use super::map::PAGE;
use crate::layout::Layout;
use crate::{Cut, Epoch};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// First word of every initialised region; the digit is the version of the mapping.
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"MIRRORg1");

/// A cut with what belongs to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CutInfo {
    /// The cut.
    pub cut: Cut,
    /// The cut that its reign began from.
    pub base: Cut,
    /// Control time, nanoseconds.
    pub plant: u64,
    /// When this host committed or applied it, nanoseconds of this host's monotonic clock.
    pub at: u64,
}

/// [`CutInfo`] as words.
#[repr(C)]
#[derive(Default)]
pub(super) struct CutWords {
    epoch: AtomicU64,
    cycle: AtomicU64,
    base_epoch: AtomicU64,
    base_cycle: AtomicU64,
    plant: AtomicU64,
    at: AtomicU64,
    spare: [AtomicU64; 2],
}

impl CutWords {
    pub(super) fn load(&self) -> CutInfo {
        CutInfo {
            cut: Cut { epoch: Epoch(self.epoch.load(Relaxed)), cycle: self.cycle.load(Relaxed) },
            base: Cut { epoch: Epoch(self.base_epoch.load(Relaxed)), cycle: self.base_cycle.load(Relaxed) },
            plant: self.plant.load(Relaxed),
            at: self.at.load(Relaxed),
        }
    }

    pub(super) fn words(&self, info: &CutInfo) -> [(&AtomicU64, u64); 6] {
        [
            (&self.epoch, info.cut.epoch.0),
            (&self.cycle, info.cut.cycle),
            (&self.base_epoch, info.base.epoch.0),
            (&self.base_cycle, info.base.cycle),
            (&self.plant, info.plant),
            (&self.at, info.at),
        ]
    }
}

/// What the owner of a region is doing, for tools that look from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Phase {
    /// Waiting for the tick or for frames.
    Idle = 0,
    /// The caller's step is running on the live memory.
    Step = 1,
    /// A commit is under way.
    Commit = 2,
    /// A received cycle is being applied.
    Apply = 3,
}

/// The header page.
#[repr(C, align(64))]
pub(super) struct Header {
    /// [`MAGIC`], stored last when a region is made: without it nothing else in the mapping counts.
    pub(super) magic: AtomicU64,
    pub(super) state_bytes: AtomicU64,
    pub(super) total_bytes: AtomicU64,
    pub(super) group: AtomicU64,
    pub(super) layout: [AtomicU64; size_of::<Layout>() / 8],
    pub(super) node: AtomicU64,
    /// Process id of the owner, or 0; a hint for messages, the lock on the memory decides.
    pub(super) owner: AtomicU64,
    /// First half of the boot id under which the owner ran.
    pub(super) boot: AtomicU64,
    /// How many records the mapping has.
    pub(super) records: AtomicU64,
    /// The newest cycle that the owner knew of and did not hold when it stopped being hot; 0: it lacked nothing.
    pub(super) lacking: AtomicU64,
    // A line of its own for each word that others spin on or that the hot path writes.
    pub(super) open: Line<AtomicU64>,
    pub(super) done: Line<AtomicU64>,
    /// The cut sealed by generation `g` stands in `cuts[g % 2]`.
    pub(super) cuts: [CutWords; 2],
    pub(super) record: Line<[AtomicU64; 2]>,
    pub(super) phase: Line<AtomicU64>,
    /// [`crate::wire::SyncState`] of the owner.
    pub(super) state: Line<AtomicU64>,
    /// The greatest epoch that this member ever heard of or led.
    pub(super) epoch_seen: AtomicU64,
    pub(super) events_written: AtomicU64,
}

#[repr(C, align(64))]
#[derive(Default)]
pub(super) struct Line<T>(pub(super) T);

const _: () = assert!(size_of::<Header>() <= PAGE && size_of::<CutWords>() == 64);
