//! What a standby lacks, as it stands in its status.

use super::{put_u32, put_u64, u32_at, u64_at};
use crate::Run;

/// Bytes of one entry.
const ENTRY: usize = 24;
/// The most entries of a status: they fit the smallest frame.
pub const MAX_WANTS: usize = 12;
/// Bytes of the list at its longest.
pub(super) const BYTES: usize = MAX_WANTS * ENTRY;

/// Frames of one cycle that a standby lacks: up to 64 from `first` on, or all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// The cycle; 0 stands for no entry.
    pub cycle: u64,
    /// The frame that bit 0 of `bits` means.
    pub first: u32,
    /// Nothing of the cycle was heard: all its frames, however many.
    pub all: bool,
    /// Which frames.
    pub bits: u64,
}

impl Want {
    /// The frames of a cycle of `count` among which those that are wanted lie.
    #[must_use]
    pub fn frames(&self, count: u32) -> core::ops::Range<u32> {
        if self.all { 0..count } else { self.first.min(count)..self.first.saturating_add(64).min(count) }
    }

    /// Whether frame `index` is wanted.
    #[must_use]
    pub fn has(&self, index: u32) -> bool {
        self.all || index.checked_sub(self.first).is_some_and(|bit| bit < 64 && self.bits >> bit & 1 == 1)
    }
}

/// The list: entries up to the first with cycle 0.
pub type Wants = [Want; MAX_WANTS];

/// Any bytes are a list: what makes no sense is asked of nobody.
pub(super) fn decode(bytes: &[u8]) -> Wants {
    let mut wants = Wants::default();
    for (want, entry) in wants.iter_mut().zip(bytes.chunks_exact(ENTRY)) {
        *want = Want {
            cycle: u64_at(entry, 0),
            first: u32_at(entry, 8),
            all: u32_at(entry, 12) & 1 != 0,
            bits: u64_at(entry, 16),
        };
    }
    wants
}

pub(super) fn encode(wants: &Wants, bytes: &mut [u8]) {
    for (want, entry) in wants.iter().zip(bytes.chunks_exact_mut(ENTRY)) {
        put_u64(entry, 0, want.cycle);
        put_u32(entry, 8, want.first);
        put_u32(entry, 12, u32::from(want.all));
        put_u64(entry, 16, want.bits);
    }
}

/// Bytes of one range.
pub(super) const RANGE: usize = 8;
/// The most ranges of a status; a small frame carries fewer.
pub const MAX_RANGES: usize = 64;

/// Parts of the region that a standby lacks: a sweep of them since cycle `since` would help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweepWant {
    /// What it holds of these lines is right as of this cycle; 0: it knows nothing of them.
    pub since: u64,
    /// The parts, in the order in which they would best come. The first without lines ends the list.
    pub ranges: [Run; MAX_RANGES],
}

impl Default for SweepWant {
    fn default() -> Self {
        Self { since: 0, ranges: [Run::default(); MAX_RANGES] }
    }
}

impl SweepWant {
    /// The ranges in their order.
    pub fn iter(&self) -> impl Iterator<Item = Run> {
        self.ranges.iter().copied().take_while(|range| range.count > 0)
    }

    /// Whether anything is wanted.
    #[must_use]
    pub fn any(&self) -> bool {
        self.ranges[0].count > 0
    }

    /// Reads as many ranges as are there.
    pub(super) fn decode(since: u64, bytes: &[u8]) -> Self {
        let mut want = Self { since, ..Self::default() };
        for (range, entry) in want.ranges.iter_mut().zip(bytes.chunks_exact(RANGE)) {
            *range = Run { start: u32_at(entry, 0), count: u32_at(entry, 4) };
        }
        want
    }

    /// Writes as many ranges as fit, and gives the bytes used.
    pub(super) fn encode(&self, bytes: &mut [u8]) -> usize {
        let mut used = 0;
        for (range, entry) in self.iter().zip(bytes.chunks_exact_mut(RANGE)) {
            put_u32(entry, 0, range.start);
            put_u32(entry, 4, range.count);
            used += RANGE;
        }
        used
    }
}
