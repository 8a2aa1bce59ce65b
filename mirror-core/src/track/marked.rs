//! `Marked`: the writer says what it wrote.
//!
//! Costs per marked line, independent of the region's size. Blind to what nobody marked: a forgotten mark is a
//! change that the standbys do not get before the scrub comes to its line ([`crate::scrub`]).

use super::Tracker;
use super::diff::take;
use crate::line::{LINE, lines_for};
use crate::planted::{self, Bug};
use crate::region::Recorder;
use alloc::boxed::Box;
use alloc::vec;

/// The tracker that is told. One bit a line, and one bit a word of those, so that an empty 16 MiB region costs 64 words.
#[derive(Clone, Debug)]
pub struct Marked {
    /// Bit `l % 64` of word `l / 64`: line `l` was written.
    lines: Box<[u64]>,
    /// Bit `w % 64` of word `w / 64`: word `w` of `lines` is not zero.
    summary: Box<[u64]>,
    /// Lines of the region; marks beyond are ignored.
    count: usize,
}

impl Marked {
    /// For a region of `lines` lines.
    #[must_use]
    pub fn new(lines: usize) -> Self {
        let words = lines.div_ceil(64);
        Self {
            lines: vec![0; words].into_boxed_slice(),
            summary: vec![0; words.div_ceil(64)].into_boxed_slice(),
            count: lines,
        }
    }
}

impl Tracker for Marked {
    fn name(&self) -> &'static str {
        "marked"
    }

    #[inline]
    fn mark(&mut self, at: usize, bytes: usize) {
        let first = at / LINE;
        let end = lines_for(at.saturating_add(bytes)).min(self.count);
        if bytes == 0 {
            return;
        }
        for line in first..end {
            self.lines[line / 64] |= 1 << (line % 64);
            self.summary[line / 64 / 64] |= 1 << (line / 64 % 64);
        }
    }

    fn capture(&mut self, live: &[u8], _image: &[u8], record: &mut Recorder<'_>) {
        for (at, summary) in self.summary.iter_mut().enumerate() {
            let mut words = core::mem::take(summary);
            while words != 0 {
                let word = at * 64 + words.trailing_zeros() as usize;
                words &= words - 1;
                let mut bits = core::mem::take(&mut self.lines[word]);
                if planted::is(Bug::MarkForgotten) {
                    bits &= bits - 1;
                }
                take(bits, word * 64, &live[word * 64 * LINE..], record);
            }
        }
    }

    fn reset(&mut self) {
        for (at, summary) in self.summary.iter_mut().enumerate() {
            let mut words = core::mem::take(summary);
            while words != 0 {
                self.lines[at * 64 + words.trailing_zeros() as usize] = 0;
                words &= words - 1;
            }
        }
    }
}
