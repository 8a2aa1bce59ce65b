//! What a standby lacks, as it stands in its status.

use super::{put_u32, put_u64, u32_at, u64_at};

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
