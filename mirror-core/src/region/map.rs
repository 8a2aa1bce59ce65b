//! Where everything lies in a region's mapping.
//!
//! ```text
//! 0        4096                                                                          total
//! | header | counters + events | live | image | stamps | record runs | record lines |
//! ```
//!
//! Every part begins on a page, so that tools can map one alone and a tracker can protect `live` alone.

use crate::line::{LINE, MAX_LINES, Run, lines_for};

/// Parts begin at multiples of this many bytes.
pub const PAGE: usize = 4096;

/// Bytes kept for counters and for the event log, both in front of the live memory.
const TELEMETRY: usize = 5 * PAGE;

/// Offsets, in bytes from the start of the mapping, of the parts of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Map {
    /// Size of the caller's state in bytes.
    pub state_bytes: usize,
    /// Lines of the region.
    pub lines: usize,
    /// Counters and event log.
    pub telemetry: usize,
    /// The memory that the step works on.
    pub live: usize,
    /// The last committed copy of it.
    pub image: usize,
    /// One 64-bit cycle number a line: when it last changed.
    pub stamps: usize,
    /// The record's runs.
    pub runs: usize,
    /// The record's lines.
    pub packed: usize,
    /// Size of the whole mapping.
    pub total: usize,
}

/// Why a region of some size cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a state of {bytes} bytes cannot be a region: it must have 1 to {} bytes", MAX_LINES * LINE)]
pub struct SizeError {
    /// The size asked for, in bytes.
    pub bytes: usize,
}

impl Map {
    /// The map of a region for `state_bytes` bytes of state, 1 to 4 GiB.
    ///
    /// # Errors
    /// [`SizeError`] when the size is out of range.
    pub const fn new(state_bytes: usize) -> Result<Self, SizeError> {
        if state_bytes == 0 || state_bytes > MAX_LINES * LINE {
            return Err(SizeError { bytes: state_bytes });
        }
        let lines = lines_for(state_bytes);
        let telemetry = PAGE;
        let live = telemetry + TELEMETRY;
        let image = live + pages(lines * LINE);
        let stamps = image + pages(lines * LINE);
        let runs = stamps + pages(lines * size_of::<u64>());
        let packed = runs + pages(lines * size_of::<Run>());
        let total = packed + pages(lines * LINE);
        Ok(Self { state_bytes, lines, telemetry, live, image, stamps, runs, packed, total })
    }

    /// Bytes of `live` and of `image`: whole lines, the tail beyond the state always zero.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.lines * LINE
    }
}

const fn pages(bytes: usize) -> usize {
    bytes.next_multiple_of(PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_overlap_and_begin_on_pages() {
        for bytes in [1, 63, 64, 65, 4096, 65_536, 1 << 24, (1 << 24) + 1] {
            let m = Map::new(bytes).unwrap();
            let parts = [m.telemetry, m.live, m.image, m.stamps, m.runs, m.packed, m.total];
            assert!(parts.iter().all(|p| p % PAGE == 0));
            assert!(parts.is_sorted());
            assert!(m.live + m.bytes() <= m.image && m.image + m.bytes() <= m.stamps);
            assert!(m.stamps + m.lines * 8 <= m.runs && m.runs + m.lines * 8 <= m.packed);
            assert!(m.packed + m.bytes() <= m.total);
        }
    }

    #[test]
    fn sizes_out_of_range_are_refused() {
        assert!(Map::new(0).is_err());
        assert!(Map::new(MAX_LINES * LINE + 1).is_err());
    }
}
