//! The record: the lines of one commit, taken out of the live memory or off the network before they are moved.
//!
//! It is what frames are encoded from and what a crash in the middle of a move is redone from. It lives in the
//! mapping, so it outlives the process.

use super::store;
use crate::line::{LINE, Run};
use crate::planted::{self, Bug};
use crate::wire::Cursor;

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
        self.push_all(core::iter::once((start, bytes)))
    }

    /// As [`push`](Self::push), one after the other; stops at the first that it does not take.
    #[inline]
    pub fn push_all<'b>(&mut self, all: impl IntoIterator<Item = (u32, &'b [u8])>) -> bool {
        // Kept in registers: the record's own bytes could be `fill`, for all the compiler knows.
        let mut fill = *self.fill;
        let mut end = fill.runs.checked_sub(1).map_or(u64::MAX, |last| self.runs[last].end().into());
        let mut fits = true;
        for (start, bytes) in all {
            let count = bytes.len() / LINE;
            let at = fill.lines * LINE;
            let Some(room) = self.packed.get_mut(at..at + count * LINE) else {
                fits = false;
                break;
            };
            store::private(room, &bytes[..count * LINE]);
            fill.lines += count;
            if u64::from(start) == end {
                self.runs[fill.runs - 1].count += count as u32;
            } else if count > 0 {
                // No run is empty, so there are never more runs than lines, and the table has room for as many.
                self.runs[fill.runs] = Run { start, count: count as u32 };
                fill.runs += 1;
                end = start.into();
            } else {
                continue;
            }
            end += count as u64;
        }
        *self.fill = fill;
        fits
    }

    /// Puts lines of `image` in between, see [`Region::widen`](super::Region::widen). From the end on, so that nothing is
    /// overwritten before it has moved.
    pub(super) fn merge(&mut self, extra: &[u32], image: &[u8]) -> u64 {
        const MOST: usize = u64::BITS as usize;
        let mut lines = [0; MOST];
        let had = self.fill.lines;
        let all = had + extra.len();
        let numbers = self.runs[..self.fill.runs].iter().flat_map(|run| run.start..run.end());
        for (to, line) in lines.iter_mut().zip(numbers) {
            *to = line;
        }
        if all > MOST || (all * LINE) > self.packed.len() {
            return 0; // never: the caller has counted
        }
        let (mut old, mut new, mut own) = (had, extra.len(), 0);
        for to in (0..all).rev() {
            let takes_old = new == 0 || old > 0 && lines[old - 1] > extra[new - 1];
            let (line, from) = if takes_old {
                old -= 1;
                own |= 1 << to;
                (lines[old], old * LINE)
            } else {
                new -= 1;
                let from =
                    if planted::is(Bug::RidesBeside) { extra[new].saturating_sub(1) } else { extra[new] };
                (extra[new], from as usize * LINE)
            };
            if takes_old {
                self.packed.copy_within(from..from + LINE, to * LINE);
            } else {
                self.packed[to * LINE..][..LINE].copy_from_slice(&image[from..from + LINE]);
            }
            lines[to] = line;
        }
        *self.fill = Fill { runs: 0, lines: all };
        for &line in &lines[..all] {
            match self.fill.runs.checked_sub(1).map(|last| &mut self.runs[last]) {
                Some(last) if last.end() == line => last.count += 1,
                _ => {
                    self.runs[self.fill.runs] = Run { start: line, count: 1 };
                    self.fill.runs += 1;
                }
            }
        }
        own
    }

    /// How far it is filled.
    pub(crate) fn at(&self) -> (usize, usize) {
        (self.fill.runs, self.fill.lines)
    }

    /// Where the lines stand that were pushed when it was filled up to `at`, the first of them line `start`: in a run of
    /// their own, or at the end of the one before, which they joined.
    pub(crate) fn cursor(&self, (runs, lines): (usize, usize), start: Option<u32>) -> Cursor {
        match (runs.checked_sub(1).map(|last| self.runs[last]), start) {
            (Some(last), Some(start)) if last.start < start && start < last.end() => {
                Cursor::new(runs - 1, start - last.start, lines)
            }
            _ => Cursor::new(runs, 0, lines),
        }
    }

    /// How many lines the record holds so far.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.fill.lines
    }
}
