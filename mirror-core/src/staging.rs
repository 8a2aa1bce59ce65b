//! Staging: the live memory of a standby that does not hold a whole cut yet.
//!
//! # The rule
//! Of each line it is known as of which cycle of the reign its staged content is right (`right`; 0: nothing is known), and
//! whether that cycle lies in the window that is followed (`lacks`: it does not). All cycles after `start` are merged in their
//! order, each whole, up to some cycle `floor`. A line is filled by
//! - a cycle `c` that carries it: right as of `c`;
//! - a chunk as of `m >= start` that carries it: right as of `m`, unless it is already right as of a newer cycle;
//! - a chunk as of `m >= start` since `s` that covers and does not carry it, if it was right as of `s` or later: it has not
//!   changed from there to `m`. With `s = 0`, if nothing was known: it was never written, so it is zero.
//!
//! When no line is lacked and `floor` has reached the greatest `m` that was taken (`high`), every line is right as of `floor`:
//! after the cycle as of which it was filled, all cycles up to `floor` were merged, and one that changed it was taken. (A cycle
//! before `m` that is merged after the chunk puts older content into the line; the last that changed it up to `m` puts the
//! chunk's back, before `floor` reaches `high`.) Only then is the whole exposed, as cut `floor`. A chunk for a line that is filled already has no effect, so it makes
//! no difference how late, how often or in which order chunks come.

use crate::planted::{self, Bug};
use crate::wire::{Runs, SweepHeader, SweepWant};
use crate::{LINE, Region, Run};
use alloc::boxed::Box;
use alloc::vec;

/// What is known of each line.
#[derive(Clone, Debug)]
pub(crate) struct Staging {
    lines: usize,
    /// As of which cycle the staged line is right; 0: unknown. Only kept while lines are lacked.
    right: Box<[u64]>,
    /// Bit per line: to be filled.
    lacks: Box<[u64]>,
    /// Bit per line: nothing was known of it when it began to be lacked.
    unknown: Box<[u64]>,
    /// What is known of the other lacked lines is right as of this cycle at least.
    since: u64,
    /// How many these are.
    lacking: usize,
    /// Chunks of older cycles are not taken.
    start: u64,
    /// The greatest cycle as of which a chunk was taken.
    high: u64,
    /// Where the last chunk ended: what lies before it comes last.
    cursor: u32,
    /// How often was asked.
    asked: u32,
}

impl Staging {
    pub(crate) fn new(lines: usize) -> Self {
        Self {
            lines,
            right: vec![0; lines].into_boxed_slice(),
            lacks: vec![0; lines.div_ceil(64)].into_boxed_slice(),
            unknown: vec![0; lines.div_ceil(64)].into_boxed_slice(),
            since: 0,
            lacking: 0,
            start: 0,
            high: 0,
            cursor: 0,
            asked: 0,
        }
    }

    /// How many lines the region has.
    pub(crate) fn lines(&self) -> usize {
        self.lines
    }

    /// How many lines are lacked.
    pub(crate) fn lacking(&self) -> usize {
        self.lacking
    }

    /// Whether everything is right as of `floor`.
    pub(crate) fn is_whole(&self, floor: u64) -> bool {
        let high = if planted::is(Bug::SweepTop) { 0 } else { self.high };
        self.lacking == 0 && floor >= high
    }

    /// Nothing is lacked.
    pub(crate) fn fill(&mut self) {
        self.lacks.fill(0);
        (self.lacking, self.high) = (0, 0);
    }

    /// Every line is lacked; what is staged of each is right as of `right` of it. Cycles after `start` will be merged.
    pub(crate) fn lack_all(&mut self, start: u64, right: impl Fn(usize) -> u64) {
        for (line, known) in self.right.iter_mut().enumerate() {
            *known = right(line);
        }
        self.empty(start);
    }

    /// As [`lack_all`](Self::lack_all), after everything up to `floor` was merged and what followed will never be.
    pub(crate) fn restart(&mut self, start: u64, floor: u64) {
        for line in 0..self.lines {
            if !self.is_lacked(line) {
                self.right[line] = self.right[line].max(floor);
            }
        }
        // Of some lines more may be known than merging from `start` on will tell for a while.
        let high = self.high;
        self.empty(start);
        self.high = high;
    }

    /// These lines are lacked and nothing is known of them. All others are right as of `floor`, if nothing was lacked.
    pub(crate) fn lack(&mut self, range: Run, floor: u64) {
        if self.lacking == 0 {
            self.right.fill(floor);
            self.unknown.fill(0);
            (self.since, self.start, self.high) = (floor, floor, floor);
        }
        for line in range.start as usize..range.end() as usize {
            let (word, bit) = (line / 64, 1 << (line % 64));
            self.lacking += usize::from(self.lacks[word] & bit == 0);
            self.lacks[word] |= bit;
            self.unknown[word] |= bit;
            self.right[line] = 0;
        }
    }

    fn empty(&mut self, start: u64) {
        (self.lacking, self.start, self.high) = (self.lines, start, 0);
        self.since = u64::MAX;
        self.lacks.fill(0);
        self.unknown.fill(0);
        for (line, &right) in self.right.iter().enumerate() {
            self.lacks[line / 64] |= 1 << (line % 64);
            if right == 0 {
                self.unknown[line / 64] |= 1 << (line % 64);
            } else {
                self.since = self.since.min(right);
            }
        }
    }

    fn is_lacked(&self, line: usize) -> bool {
        self.lacks[line / 64] >> (line % 64) & 1 == 1
    }

    fn filled(&mut self, line: usize) {
        let (word, bit) = (line / 64, 1 << (line % 64));
        self.lacking -= usize::from(self.lacks[word] & bit != 0);
        self.lacks[word] &= !bit;
    }

    /// Merges the next cycle, whose record is whole.
    pub(crate) fn merge(&mut self, region: &mut Region, cycle: u64) {
        let runs = region.recorded(cycle).runs.len();
        let mut at = 0;
        for run in 0..runs {
            let run = region.recorded(cycle).runs[run];
            for line in run.start as usize..run.end() as usize {
                self.right[line] = cycle;
                region.stage_recorded(cycle, at, line);
                self.filled(line);
                at += 1;
            }
        }
    }

    /// Takes a chunk. Gives how many lines it filled.
    pub(crate) fn chunk(&mut self, region: &mut Region, sweep: &SweepHeader, runs: Runs<'_>) -> usize {
        let range = Run { start: sweep.first, count: sweep.lines };
        let mut filled = 0;
        if self.lacking > 0 {
            self.cursor = range.end() % self.lines as u32;
        }
        if self.lacking == 0 || sweep.cycle < self.start && !planted::is(Bug::SweepStart) {
            return 0;
        }
        let as_of = sweep.cycle;
        let mut next = range.start;
        for (run, bytes) in runs {
            filled += self.unchanged(region, Run { start: next, count: run.start - next }, sweep);
            for (line, bytes) in (run.start as usize..).zip(bytes.chunks_exact(LINE)) {
                if !self.is_lacked(line) && !planted::is(Bug::SweepOverwrites) {
                    continue;
                }
                if self.right[line] <= as_of || planted::is(Bug::SweepOverwrites) {
                    region.stage(line, bytes);
                    self.right[line] = as_of;
                }
                self.filled(line);
                filled += 1;
            }
            next = run.end();
        }
        filled += self.unchanged(region, Run { start: next, count: range.end() - next }, sweep);
        if filled > 0 {
            self.high = self.high.max(as_of);
        }
        filled
    }

    /// The part of a chunk that says: these have not changed.
    fn unchanged(&mut self, region: &mut Region, range: Run, sweep: &SweepHeader) -> usize {
        let mut filled = 0;
        for line in range.start as usize..range.end() as usize {
            let known = self.right[line];
            if !self.is_lacked(line) || (known < sweep.since && !planted::is(Bug::SinceIgnored)) {
                continue;
            }
            if known == 0 {
                region.stage(line, &[0; LINE]);
            }
            self.right[line] = known.max(sweep.cycle);
            self.filled(line);
            filled += 1;
        }
        filled
    }

    /// What to ask for, what lies behind the last chunk heard before the rest. Mostly the lines of which something is known,
    /// because little of them will have changed; now and then the others, or those would wait for as long as cycles go missing.
    /// At most `most` ranges.
    pub(crate) fn want(&mut self, most: usize) -> SweepWant {
        let mut want = SweepWant::default();
        let most = most.min(want.ranges.len());
        self.asked = self.asked.wrapping_add(1);
        let known = |word: usize| self.lacks[word] & !self.unknown[word];
        let unknown = |word: usize| self.lacks[word] & self.unknown[word];
        let any = |of: &dyn Fn(usize) -> u64| (0..self.lacks.len()).any(|word| of(word) != 0);
        if any(&known) && !(self.asked.is_multiple_of(4) && any(&unknown)) {
            want.since = self.since;
            list(&mut want.ranges[..most], self.lines, self.cursor as usize, known);
        } else if self.lacking > 0 {
            list(&mut want.ranges[..most], self.lines, self.cursor as usize, unknown);
        }
        want
    }
}

/// Lines between two runs that are listed as one: a chunk that ends within its frame goes on over as many anyway.
const NEAR: usize = 16;

/// Lists the runs of set bits among the first `bits`, those from `split` on before the others. Runs that are near each other
/// are one. If there are more than places, the last one takes all to the end, so that nobody waits for the next list.
fn list(places: &mut [Run], bits: usize, split: usize, word: impl Fn(usize) -> u64) {
    let mut used = 0_usize;
    for (mut at, end) in [(split, bits), (0, split)] {
        // Only runs of one part are joined, or the order would be lost.
        let first = used;
        while let Some((start, next)) = run_from(at, end, &word) {
            at = next;
            let last = places[first..used].last_mut();
            if let Some(last) = last
                && start - last.end() as usize <= NEAR
            {
                last.count = next as u32 - last.start;
                continue;
            }
            if used == places.len() {
                if let Some(last) = places[first..].last_mut() {
                    last.count = end as u32 - last.start;
                }
                return;
            }
            places[used] = Run { start: start as u32, count: (next - start) as u32 };
            used += 1;
        }
    }
}

/// The first run of set bits from bit `at` on, before `end`.
fn run_from(mut at: usize, end: usize, word: impl Fn(usize) -> u64) -> Option<(usize, usize)> {
    while at < end {
        let rest = word(at / 64) >> (at % 64);
        if rest != 0 {
            break;
        }
        at = (at / 64 + 1) * 64;
    }
    if at >= end {
        return None;
    }
    at += (word(at / 64) >> (at % 64)).trailing_zeros() as usize;
    let start = at;
    while at < end {
        let clear = !(word(at / 64) >> (at % 64));
        let set = (clear.trailing_zeros() as usize).min(64 - at % 64);
        at += set;
        if set == 0 || !at.is_multiple_of(64) {
            break;
        }
    }
    (start < end).then_some((start, at.min(end)))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::region::tests::Memory;
    use crate::wire::{Frame, Ids, Sender, SweepWriter};
    use crate::{Cut, Epoch};
    use std::vec;
    use std::vec::Vec;

    const LINES: u32 = 8;

    /// A chunk over `range` as of `cycle` that carries `lines`, each filled with that cycle's number.
    fn take(staging: &mut Staging, region: &mut Region, cycle: u64, range: Run, lines: &[u32]) -> usize {
        let (base, epoch) = (Cut { epoch: Epoch::new(1, 1, 1), cycle: 1 }, Epoch::new(2, 1, 1));
        let sweep = SweepHeader { base, cycle, plant: 0, since: 2, first: range.start, lines: range.count };
        let mut frame = vec![0; 1472];
        let mut writer = SweepWriter::new(&mut frame);
        assert!(lines.iter().all(|&line| writer.push(line, &[cycle as u8; LINE])));
        let header = Sender::new(Ids { group: 1, layout: 1, node: 1 }).header(epoch, 0);
        let length = writer.finish(crate::wire::FrameKind::Sweep, &header, &sweep);
        let Ok(Frame::Sweep(_, sweep, runs)) = Frame::decode(&frame[..length], LINES as usize) else {
            panic!("a chunk is decoded")
        };
        staging.chunk(region, &sweep, runs)
    }

    /// What is staged, one number a line.
    fn staged(region: &Region) -> Vec<u8> {
        region.live().chunks(LINE).map(|line| line[0]).collect()
    }

    #[test]
    fn what_was_filled_as_of_a_later_cycle_keeps_the_whole_waiting_for_it() {
        let mut memory = Memory::new(LINES as usize * LINE);
        let (mut region, _) = memory.attach();
        let all = Run { start: 0, count: LINES };
        let mut staging = Staging::new(LINES as usize);
        staging.lack_all(10, |_| 5);
        assert_eq!(take(&mut staging, &mut region, 20, Run { start: 0, count: 2 }, &[0, 1]), 2);
        // A hole: nothing is filled any more, but the two lines still stand as of cycle 20.
        staging.restart(12, 11);
        assert_eq!(take(&mut staging, &mut region, 15, all, &[2]), 8);
        assert_eq!((staging.lacking(), staging.is_whole(15), staging.is_whole(19)), (0, false, false));
        assert!(staging.is_whole(20));
        assert_eq!(staged(&region), [20, 20, 15, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn chunks_of_before_the_window_and_for_those_who_know_too_little_fill_nothing() {
        let mut memory = Memory::new(LINES as usize * LINE);
        let (mut region, _) = memory.attach();
        let all = Run { start: 0, count: LINES };
        let mut staging = Staging::new(LINES as usize);
        // Of the first line it is known as of cycle 1, of the others nothing: since 2 tells neither anything.
        staging.lack_all(10, |line| u64::from(line == 0));
        assert_eq!(take(&mut staging, &mut region, 9, all, &[0, 1, 2, 3, 4, 5, 6, 7]), 0);
        assert_eq!(take(&mut staging, &mut region, 10, all, &[3]), 1);
        assert_eq!((staging.lacking(), staging.is_whole(10)), (7, false));
        // What is filled stays as it is, whatever comes late.
        assert_eq!(take(&mut staging, &mut region, 11, Run { start: 3, count: 1 }, &[3]), 0);
        assert_eq!(staged(&region), [0, 0, 0, 10, 0, 0, 0, 0]);
    }

    #[test]
    fn runs_of_bits_are_listed_from_the_split_on() {
        let words = [0b1011, u64::MAX, 1, 1 << 63];
        let runs = |split, places| {
            let mut runs = [Run::default(); 8];
            list(&mut runs[..places], 250, split, |word| words[word]);
            runs.map(|run| (run.start, run.count))
        };
        assert_eq!(runs(0, 8)[..3], [(0, 4), (64, 65), (0, 0)]);
        assert_eq!(runs(100, 8)[..4], [(100, 29), (0, 4), (64, 36), (0, 0)]);
        assert_eq!(runs(249, 8)[..3], [(0, 4), (64, 65), (0, 0)]);
        assert_eq!(runs(0, 1)[..2], [(0, 250), (0, 0)], "the last one takes all to the end");
        assert_eq!(runs(100, 2)[..3], [(100, 29), (0, 100), (0, 0)]);
    }

    #[test]
    fn a_run_is_found_wherever_it_lies() {
        for start in 0..200 {
            for end in start + 1..=200 {
                let set = |bit: usize| u64::from((start..end).contains(&bit));
                let word = |word: usize| (0..64).fold(0, |w, bit| w | set(word * 64 + bit) << bit);
                assert_eq!(run_from(0, 200, word), Some((start, end)));
                assert_eq!(run_from(start, 200, word), Some((start, end)));
                assert_eq!(run_from(end, 200, word), None);
                assert_eq!(run_from(0, start, word), None);
            }
        }
    }
}
