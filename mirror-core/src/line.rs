//! Lines: the one unit of tracking, of the wire, of stamps and of repair.

use bytemuck::{Pod, Zeroable};

/// Bytes in a line.
pub const LINE: usize = 64;

/// The most lines a region may have (2^26 lines, 4 GiB): keeps every line number in 32 bits and every size sum in
/// range on all targets.
pub const MAX_LINES: usize = 1 << 26;

/// Lines needed for `bytes` bytes.
#[must_use]
pub const fn lines_for(bytes: usize) -> usize {
    bytes.div_ceil(LINE)
}

/// Consecutive lines `start .. start + count`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Run {
    /// The first line, counted from the region's start.
    pub start: u32,
    /// How many lines.
    pub count: u32,
}

impl Run {
    /// The line after the last one.
    #[must_use]
    pub const fn end(self) -> u32 {
        self.start + self.count
    }
}

/// Copies whole lines. A single line, which is what scattered changes are made of, goes without a call.
#[inline(always)]
pub(crate) fn copy(to: &mut [u8], from: &[u8]) {
    match (<&mut [u8; LINE]>::try_from(&mut *to), <&[u8; LINE]>::try_from(from)) {
        (Ok(to), Ok(from)) => *to = *from,
        _ => to.copy_from_slice(from),
    }
}
