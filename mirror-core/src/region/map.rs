//! Where everything lies in a region's mapping.
//!
//! ```text
//! 0        4096                                                                    total
//! | header | counters + events | live | image | stamps | record 0 | record 1 | ... |
//! ```
//!
//! The records are a ring: cycle `c` has record `c % records`. A primary keeps its last cycles there to send their frames
//! again, a standby the cycles that are not whole yet.
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
    /// How many records there are, 1 to [`MAX_RECORDS`].
    pub records: usize,
    /// The first record.
    first_record: usize,
    /// Size of the whole mapping.
    pub total: usize,
}

/// The most records that a region has.
pub const MAX_RECORDS: usize = 64;

/// Why a region of some size cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a state of {bytes} bytes cannot be a region: it must have 1 to {} bytes", MAX_LINES * LINE)]
pub struct SizeError {
    /// The size asked for, in bytes.
    pub bytes: usize,
}

impl Map {
    /// The map of a region for `state_bytes` bytes of state, 1 to 4 GiB, with `records` records (brought into their range).
    ///
    /// # Errors
    /// [`SizeError`] when the size is out of range.
    pub const fn new(state_bytes: usize, records: usize) -> Result<Self, SizeError> {
        if state_bytes == 0 || state_bytes > MAX_LINES * LINE {
            return Err(SizeError { bytes: state_bytes });
        }
        let lines = lines_for(state_bytes);
        let telemetry = PAGE;
        let live = telemetry + TELEMETRY;
        let image = live + pages(lines * LINE);
        let stamps = image + pages(lines * LINE);
        let first_record = stamps + pages(lines * size_of::<u64>());
        let records = if records < 1 {
            1
        } else if records > MAX_RECORDS {
            MAX_RECORDS
        } else {
            records
        };
        let mut map =
            Self { state_bytes, lines, telemetry, live, image, stamps, records, first_record, total: 0 };
        map.total = map.runs(records);
        Ok(map)
    }

    /// How many records usually serve a state of this size: as many as 256 KiB hold, 2 to [`MAX_RECORDS`]. More would heal
    /// longer losses, and take each cycle's record out of the core's own cache.
    #[must_use]
    pub const fn usual_records(state_bytes: usize) -> usize {
        let fit = (256 << 10) / if state_bytes == 0 { 1 } else { state_bytes };
        if fit < 2 {
            2
        } else if fit > MAX_RECORDS {
            MAX_RECORDS
        } else {
            fit
        }
    }

    /// Where the runs of a record begin.
    pub(super) const fn runs(&self, record: usize) -> usize {
        self.first_record + record * (pages(self.lines * size_of::<Run>()) + pages(self.lines * LINE))
    }

    /// Where the lines of a record begin.
    pub(super) const fn packed(&self, record: usize) -> usize {
        self.runs(record) + pages(self.lines * size_of::<Run>())
    }

    /// The record of a cycle.
    #[must_use]
    pub const fn record_of(&self, cycle: u64) -> usize {
        (cycle % self.records as u64) as usize
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
            let m = Map::new(bytes, 3).unwrap();
            let records = [0, 1, 2].map(|r| [m.runs(r), m.packed(r)]);
            let parts = [m.telemetry, m.live, m.image, m.stamps];
            let parts: alloc::vec::Vec<usize> =
                parts.into_iter().chain(records.into_iter().flatten()).chain([m.total]).collect();
            assert!(parts.iter().all(|p| p % PAGE == 0));
            assert!(parts.is_sorted());
            assert!(m.live + m.bytes() <= m.image && m.image + m.bytes() <= m.stamps);
            assert!(m.stamps + m.lines * 8 <= m.runs(0));
            for r in 0..3 {
                assert!(m.runs(r) + m.lines * 8 <= m.packed(r) && m.packed(r) + m.bytes() <= m.runs(r + 1));
            }
        }
    }

    #[test]
    fn sizes_out_of_range_are_refused() {
        assert!(Map::new(0, 1).is_err());
        assert!(Map::new(MAX_LINES * LINE + 1, 1).is_err());
    }
}
