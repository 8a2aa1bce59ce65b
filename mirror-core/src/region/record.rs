//! The record: the lines of one commit, taken out of the live memory or off the network before they are moved.
//!
//! It is what frames are encoded from and what a crash in the middle of a move is redone from. It lives in the
//! mapping, so it outlives the process.

use super::store;
use crate::line::{LINE, Run};

/// Fills the record of the commit being prepared. Nothing counts until the region seals it.
#[derive(Debug)]
pub struct Recorder<'a> {
    pub(super) runs: &'a mut [Run],
    pub(super) packed: &'a mut [u8],
    pub(super) fill: &'a mut Fill,
}

/// How far the record is filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fill {
    pub(super) runs: usize,
    pub(super) lines: usize,
}

impl Recorder<'_> {
    /// Appends lines `start ..` with their bytes (whole lines). A run that follows the last one is joined to it.
    ///
    /// Returns `false`, and takes nothing, when the record would then hold more lines than the region has.
    #[inline]
    pub fn push(&mut self, start: u32, bytes: &[u8]) -> bool {
        let count = bytes.len() / LINE;
        let at = self.fill.lines * LINE;
        let Some(room) = self.packed.get_mut(at..at + count * LINE) else { return false };
        store::private(room, &bytes[..count * LINE]);
        self.fill.lines += count;
        match self.fill.runs.checked_sub(1).map(|last| &mut self.runs[last]) {
            Some(last) if last.end() == start => last.count += count as u32,
            // No run is empty, so there are never more runs than lines, and the table has room for as many.
            _ if count > 0 => {
                self.runs[self.fill.runs] = Run { start, count: count as u32 };
                self.fill.runs += 1;
            }
            _ => {}
        }
        true
    }

    /// How many lines the record holds so far.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.fill.lines
    }
}
