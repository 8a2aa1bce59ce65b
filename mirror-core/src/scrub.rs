//! Integrity from end to end: what a primary tells of its lines, and what a standby makes of it.
//!
//! # Contract
//! - Each cycle tells the digest of one *slice* of the region as of that very cycle. The slices follow one another and go round,
//!   so a lap is at most [`SLICES`] cycles. A standby that exposes the cycle compares the slice in its image and in its live memory.
//! - Each cycle tells the digest of the lines that the cycle before it carried. A standby that applied that cycle from a
//!   record of its own compares what its image then held of them.
//! - What is slow is done while nothing waits: the sum of a cycle at the latest before the next is committed or applied.
//! - Lines that differ are lacked with nothing known of them: the standby leaves hot, is swept, and exposes a whole cut again.
//!   They stay suspect until then, whoever leads meanwhile.
//! - [`Proof`] is the bound: a difference between the primary and a hot standby arose after the cycle as of which every line was
//!   compared last. Proofs of one primary are worth nothing under the next, which may itself differ from the one before.
//!
//! No call allocates or blocks. A commit and an exposed cut cost the digest of one slice: four lines of a region of up to 1 MiB.
//!
//! # What is not covered
//! - The primary's own live memory: it is the truth, and what alters it there is a change like any other. Its image is not
//!   trusted: `Diff` takes a line in which they differ for a change, and of a slice that is due so does a commit with any
//!   other tracker, which thereby finds forgotten marks. So what the primary sweeps is what it tells.
//! - A difference younger than the proof. In particular that of the last cycle before the primary dies, which nobody tells of.
//! - A difference that was found and not repaired when the standby's process ends: the next lap finds it again.
//! - Stamps, records, the header, and what the caller keeps outside of the region.

use crate::digest::of_lines;
use crate::line::{LINE, Run};
use crate::planted::{self, Bug};
use crate::region::{Counter, EventKind};
use crate::wire::Slice;
use crate::{Cut, Region, Tracker};
use alloc::boxed::Box;
use alloc::vec;

/// The most slices of a region: cycles of a lap.
pub const SLICES: usize = 4096;

/// The fewest lines of a slice, but for the last.
const LEAST: usize = 4;

/// How old the proof is that a standby holds what its primary holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Every line was compared with the primary's, and was equal, as of the cut held or at most so many cycles before it.
    pub cycles: u64,
    /// Slices of the region. `cycles` does not exceed it while every cycle is applied from its own frames; each slice that is
    /// missed, because its cycle was jumped over or swept, is waited for for another lap.
    pub lap: u64,
}

/// Lines in which a standby's memory was not what the primary's is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The first line.
    pub first: u32,
    /// How many, of which one or more differ.
    pub lines: u32,
    /// The cut held when it was found.
    pub cut: Cut,
}

/// Lines of a slice in a region of `lines` lines.
const fn slice_lines(lines: usize) -> usize {
    let even = lines.div_ceil(SLICES);
    if even > LEAST { even } else { LEAST }
}

/// What a primary tells. One for each reign.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Teller {
    /// The first line of the next slice.
    next: usize,
    /// The last cycle, while its sum is due.
    due: Option<u64>,
    /// The sum of the last cycle.
    sum: u64,
}

impl Teller {
    /// Has told nothing.
    pub(crate) const fn new() -> Self {
        Self { next: 0, due: None, sum: 0 }
    }

    /// Adds up what the last cycle carried, if that is still due.
    pub(crate) fn rest(&mut self, region: &Region) {
        if let Some(cycle) = self.due.take() {
            let source = region.recorded(cycle);
            let mut packed = source.packed;
            self.sum = source.runs.iter().fold(0u64, |sum, run| {
                let (bytes, rest) = packed.split_at(packed.len().min(run.count as usize * LINE));
                packed = rest;
                sum.wrapping_add(of_lines(run.start, bytes))
            });
        }
    }

    /// What cycle `cycle` tells: the digest of the cycle before, and the next slice. Call it after the step and before the capture.
    pub(crate) fn tell(&mut self, region: &Region, tracker: &mut dyn Tracker, cycle: u64) -> (u64, Slice) {
        self.rest(region);
        self.due = Some(cycle);
        let lines = region.map().lines;
        let first = self.next;
        let end = lines.min(first + slice_lines(lines));
        self.next = if end == lines { 0 } else { end };
        let bytes = first * LINE..end * LINE;
        let (live, image) = (&region.live()[bytes.clone()], &region.image()[bytes]);
        // What is told of these lines is what a sweep sends of them: nothing else may ever be in the image.
        for (line, (live, image)) in (first..).zip(live.chunks(LINE).zip(image.chunks(LINE))) {
            if live != image {
                tracker.mark(line * LINE, LINE);
            }
        }
        let digest = of_lines(first as u32, live);
        (self.sum, Slice { first: first as u32, lines: (end - first) as u32, digest })
    }
}

/// What a standby compares.
#[derive(Clone, Debug)]
pub(crate) struct Scrub {
    lines: usize,
    last: Option<Last>,
    /// As of which cycle each slice was compared last; 0: not in this reign.
    compared: Box<[u64]>,
    /// Found different, and not repaired yet.
    suspects: Run,
    found: Option<Difference>,
}

/// The last cycle, applied from its record.
#[derive(Clone, Copy, Debug)]
struct Last {
    cycle: u64,
    /// The sum over the lines that it carried, as the image held them then; none: due.
    sum: Option<u64>,
    /// To be compared; without lines: it was, or none is told.
    slice: Slice,
    /// Nobody rested since it was applied.
    fresh: bool,
}

impl Scrub {
    /// For a region of `lines` lines.
    pub(crate) fn new(lines: usize) -> Self {
        let compared = vec![0; lines.div_ceil(slice_lines(lines))].into_boxed_slice();
        Self { lines, last: None, compared, suspects: Run::default(), found: None }
    }

    /// A reign begins: nothing is proven.
    pub(crate) fn begin(&mut self, region: &Region) {
        self.last = None;
        self.compared.fill(0);
        region.set_counter(Counter::ProvenCycle, 0);
    }

    /// What comes next does not follow on the last cycle.
    pub(crate) fn pause(&mut self) {
        self.last = None;
    }

    /// Cycle `cycle`, which tells of `slice`, was applied from its record.
    pub(crate) fn took(&mut self, cycle: u64, slice: Slice) {
        self.last = Some(Last { cycle, sum: None, slice, fresh: true });
    }

    /// Whether there is anything to do in a moment without work. The first one after a cut is not taken for it: the caller has not
    /// seen that cut yet.
    pub(crate) fn rests(&mut self) -> bool {
        let Some(last) = &mut self.last else { return false };
        let fresh = core::mem::take(&mut last.fresh);
        !fresh && (last.sum.is_none() || last.slice.lines > 0)
    }

    /// Adds up what the last cycle carried, if that is still due: its record will soon be another's.
    pub(crate) fn add_up(&mut self, region: &Region) {
        let Some(last @ Last { sum: None, .. }) = &mut self.last else { return };
        let image = region.image();
        let sum = region.recorded(last.cycle).runs.iter().fold(0u64, |sum, run| {
            let at = run.start as usize * LINE;
            let bytes = image.get(at..at + run.count as usize * LINE).unwrap_or_default();
            sum.wrapping_add(of_lines(run.start, bytes))
        });
        last.sum = Some(sum);
    }

    /// Whether the record of `cycle` is the last cycle's as well.
    pub(crate) fn shares(&self, region: &Region, cycle: u64) -> bool {
        let record = |cycle| region.map().record_of(cycle);
        self.last.is_some_and(|last| last.sum.is_none() && record(last.cycle) == record(cycle))
    }

    /// Does what is due of the last cycle. Gives the slice if it differs.
    pub(crate) fn look(&mut self, region: &Region) -> Option<Run> {
        self.add_up(region);
        let last = self.last.as_mut()?;
        let Slice { first, lines, digest } = core::mem::take(&mut last.slice);
        if lines == 0 {
            return None;
        }
        region.count(Counter::SlicesCompared, 1);
        let at = first as usize * LINE;
        let bytes = at..at + lines as usize * LINE;
        let mut copies = [region.image(), region.live()].into_iter();
        // The frame was checked: the slice lies in the region.
        let equal = copies.all(|copy| of_lines(first, copy.get(bytes.clone()).unwrap_or_default()) == digest);
        if !equal && !planted::is(Bug::SliceSkipped) {
            return Some(Run { start: first, count: lines });
        }
        let size = slice_lines(self.lines);
        let slot = first as usize / size;
        // A slice of another cut than this crate's is compared, and proves nothing about the lap.
        let whole = lines as usize == size.min(self.lines - (slot * size).min(self.lines));
        if (first as usize).is_multiple_of(size) && whole {
            let before = core::mem::replace(&mut self.compared[slot], last.cycle);
            // Shown when a first proof is complete, and then now and then.
            if before == 0 || slot.is_multiple_of(64) {
                region.set_counter(Counter::ProvenCycle, self.oldest());
            }
        }
        None
    }

    /// Compares the last cycle with what cycle `cycle` tells of it. Gives all lines if it differs: where the cycle's lines
    /// went, if not where they belong, is not known.
    pub(crate) fn compare(&self, cycle: u64, digest: u64) -> Option<Run> {
        let Last { cycle: last, sum, .. } = self.last?;
        let differs = last + 1 == cycle && digest != 0 && sum.is_some_and(|sum| sum != digest);
        (differs && !planted::is(Bug::DigestSkipped)).then_some(self.all())
    }

    fn all(&self) -> Run {
        Run { start: 0, count: self.lines as u32 }
    }

    /// Notes that these lines differ.
    pub(crate) fn differs(&mut self, region: &Region, run: Run, now: u64) {
        let size = slice_lines(self.lines);
        self.compared[run.start as usize / size..(run.end() as usize).div_ceil(size)].fill(0);
        self.suspects = match self.suspects {
            Run { count: 0, .. } => run,
            Run { start, .. } if start == run.start => {
                Run { start, count: run.count.max(self.suspects.count) }
            }
            _ => self.all(),
        };
        self.found = Some(Difference { first: run.start, lines: run.count, cut: region.cut() });
        region.set_counter(Counter::ProvenCycle, 0);
        region.count(Counter::DifferencesFound, 1);
        region.event(now, EventKind::Difference, u64::from(run.count) << 32 | u64::from(run.start));
    }

    /// Lines of which nothing may be believed, in what the region holds; none: no lines.
    pub(crate) fn suspects(&self) -> Run {
        self.suspects
    }

    /// A whole cut is exposed that was filled anew where it had to be.
    pub(crate) fn repaired(&mut self, region: &Region) {
        self.last = None;
        if core::mem::take(&mut self.suspects).count > 0 {
            region.count(Counter::DifferencesRepaired, 1);
        }
    }

    fn oldest(&self) -> u64 {
        self.compared.iter().copied().min().unwrap_or(0)
    }

    /// How far back every line is proven, from `cycle` on, if all were compared.
    pub(crate) fn proven(&self, cycle: u64) -> Option<Proof> {
        let oldest = Some(self.oldest()).filter(|&oldest| oldest > 0)?;
        Some(Proof { cycles: cycle.saturating_sub(oldest), lap: self.compared.len() as u64 })
    }

    /// What was found last.
    pub(crate) fn found(&self) -> Option<Difference> {
        self.found
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::region::CutInfo;
    use crate::region::tests::Memory;
    use crate::track::{Diff, Marked};
    use crate::{Epoch, line};
    use std::vec::Vec;

    /// Three slices, the last of two lines.
    const LINES: usize = 10;

    fn info(cycle: u64) -> CutInfo {
        let cut = Cut { epoch: Epoch::new(1, 1, 1), cycle };
        CutInfo { cut, base: Cut::NONE, plant: cycle, at: cycle }
    }

    /// Commits what `step` writes as cycle `cycle`; gives what it tells.
    fn commit(
        teller: &mut Teller,
        region: &mut Region,
        tracker: &mut dyn Tracker,
        cycle: u64,
        step: impl FnOnce(&mut [u8]),
    ) -> (u64, Slice) {
        step(region.live_mut());
        let told = teller.tell(region, tracker, cycle);
        region.capture(tracker, cycle);
        region.seal(&info(cycle));
        region.settle(false);
        told
    }

    /// Applies to `to` what the record of `cycle` in `from` holds.
    fn apply(scrub: &mut Scrub, to: &mut Region, from: &Region, cycle: u64, slice: Slice) {
        let source = from.recorded(cycle);
        let mut packed = source.packed;
        let mut record = to.record(cycle);
        for run in source.runs {
            let (bytes, rest) = packed.split_at(run.count as usize * LINE);
            packed = rest;
            assert!(record.push(run.start, bytes));
        }
        to.seal(&info(cycle));
        to.settle(true);
        scrub.took(cycle, slice);
    }

    #[test]
    fn a_lap_of_any_region_has_at_most_so_many_slices() {
        for lines in (1..200).chain([16_384, 16_385, 100_000, 1 << 20, line::MAX_LINES]) {
            let size = slice_lines(lines);
            assert!(lines.div_ceil(size) <= SLICES, "{lines} lines");
            assert!(size == LEAST || lines.div_ceil(size) > SLICES / 2, "{lines} lines: slices of {size}");
        }
    }

    #[test]
    fn slices_go_round_and_tell_what_the_cut_holds() {
        let mut memory = Memory::new(LINES * LINE);
        let (mut region, _) = memory.attach();
        let mut teller = Teller::new();
        let mut last = 0;
        for cycle in 1..=7 {
            let step = |live: &mut [u8]| live[cycle as usize * LINE..][..70].fill(cycle as u8);
            let (digest, slice) = commit(&mut teller, &mut region, &mut Diff::new(), cycle, step);
            assert_eq!((slice.first, slice.lines), [(0, 4), (4, 4), (8, 2)][(cycle as usize - 1) % 3]);
            let bytes = slice.first as usize * LINE..(slice.first + slice.lines) as usize * LINE;
            assert_eq!(slice.digest, of_lines(slice.first, &region.image()[bytes]));
            assert_eq!(digest, last, "the cycle before");
            last = of_lines(cycle as u32, &region.image()[cycle as usize * LINE..][..2 * LINE]);
            if cycle % 2 == 0 {
                teller.rest(&region);
            }
        }
    }

    #[test]
    fn a_forgotten_mark_is_sent_when_its_slice_is_due() {
        let mut memory = Memory::new(LINES * LINE);
        let (mut region, _) = memory.attach();
        let (mut teller, mut tracker) = (Teller::new(), Marked::new(LINES));
        let mut sent = Vec::new();
        for cycle in 1..=3 {
            let step = |live: &mut [u8]| live[5 * LINE] = 1;
            commit(&mut teller, &mut region, &mut tracker, cycle, step);
            sent.push(region.recorded(cycle).runs.to_vec());
        }
        assert_eq!(sent, [Vec::new(), std::vec![Run { start: 5, count: 1 }], Vec::new()]);
    }

    #[test]
    fn the_proof_is_as_old_as_the_slice_that_was_compared_first() {
        let (mut ours, mut theirs) = (Memory::new(LINES * LINE), Memory::new(LINES * LINE));
        let ((mut ours, _), (mut theirs, _)) = (ours.attach(), theirs.attach());
        let (mut teller, mut scrub) = (Teller::new(), Scrub::new(LINES));
        let mut ages = Vec::new();
        for cycle in 1..=11 {
            let step = |live: &mut [u8]| live.fill(cycle as u8);
            let (digest, slice) = commit(&mut teller, &mut ours, &mut Diff::new(), cycle, step);
            assert_eq!(scrub.look(&theirs), None);
            assert_eq!(scrub.compare(cycle, digest), None);
            // One slice in between is told to nobody: the lap goes round to it again.
            let slice = if cycle == 6 { Slice::default() } else { slice };
            apply(&mut scrub, &mut theirs, &ours, cycle, slice);
            assert_eq!(scrub.look(&theirs), None);
            ages.push(scrub.proven(cycle).map(|proof| proof.cycles));
        }
        let expected =
            [None, None, Some(2), Some(2), Some(2), Some(3), Some(4), Some(5), Some(2), Some(2), Some(2)];
        assert_eq!(ages, expected);
        assert_eq!(theirs.counter(Counter::SlicesCompared), 10);
        assert_eq!(theirs.counter(Counter::ProvenCycle), 8, "shown when the first slice is compared");
        scrub.begin(&theirs);
        assert_eq!((scrub.proven(11), theirs.counter(Counter::ProvenCycle)), (None, 0));
    }

    #[test]
    fn a_flipped_bit_is_found_in_its_slice_whichever_copy_it_is_in() {
        for (line, live_only) in (0..LINES).flat_map(|line| [(line, false), (line, true)]) {
            let (mut ours, mut theirs) = (Memory::new(LINES * LINE), Memory::new(LINES * LINE));
            let ((mut ours, _), (mut theirs, _)) = (ours.attach(), theirs.attach());
            let (mut teller, mut scrub) = (Teller::new(), Scrub::new(LINES));
            let mut found = Vec::new();
            for cycle in 1..=4 {
                let (_, slice) = commit(&mut teller, &mut ours, &mut Diff::new(), cycle, |_| ());
                apply(&mut scrub, &mut theirs, &ours, cycle, slice);
                scrub.add_up(&theirs);
                if cycle == 1 && live_only {
                    theirs.live_mut()[line * LINE + 9] ^= 4;
                } else if cycle == 1 {
                    // The same cut again, with one line that nobody sent.
                    let mut bytes = [0; LINE];
                    bytes[9] ^= 4;
                    assert!(theirs.record(cycle).push(line as u32, &bytes));
                    theirs.seal(&info(cycle));
                    theirs.settle(false);
                }
                found.extend(scrub.look(&theirs).map(|run| (cycle, run.start, run.count)));
            }
            let slice = line / 4;
            let at = (slice as u64 + 1, slice as u32 * 4, if slice == 2 { 2 } else { 4 });
            let again = (slice == 0).then_some((4, 0, 4));
            assert_eq!(found, [at].into_iter().chain(again).collect::<Vec<_>>(), "line {line}");
        }
    }

    #[test]
    fn a_cycle_that_was_spoiled_before_it_was_applied_is_found_with_the_next() {
        let (mut ours, mut theirs) = (Memory::new(LINES * LINE), Memory::new(LINES * LINE));
        let ((mut ours, _), (mut theirs, _)) = (ours.attach(), theirs.attach());
        let (mut teller, mut scrub) = (Teller::new(), Scrub::new(LINES));
        let step = |live: &mut [u8]| live[9 * LINE] = 7;
        commit(&mut teller, &mut ours, &mut Diff::new(), 1, step);
        let mut spoiled = ours.recorded(1).packed.to_vec();
        spoiled[3] ^= 1;
        theirs.record(1).push(9, &spoiled);
        theirs.seal(&info(1));
        theirs.settle(true);
        scrub.took(1, Slice::default());
        let (digest, _) = commit(&mut teller, &mut ours, &mut Diff::new(), 2, |_| ());
        assert_eq!(scrub.look(&theirs), None);
        assert_eq!(scrub.compare(3, digest), None, "it tells of another cycle");
        assert_eq!(scrub.compare(2, digest), Some(Run { start: 0, count: LINES as u32 }));
        assert_eq!(scrub.compare(2, 0), None, "none is told");
    }

    #[test]
    fn what_differs_is_suspect_until_it_is_repaired() {
        let mut memory = Memory::new(LINES * LINE);
        let (region, _) = memory.attach();
        let mut scrub = Scrub::new(LINES);
        let slice = |start| Run { start, count: 4 };
        scrub.differs(&region, slice(4), 1);
        assert_eq!(scrub.suspects(), slice(4));
        scrub.differs(&region, slice(4), 2);
        assert_eq!(scrub.suspects(), slice(4));
        scrub.begin(&region);
        scrub.differs(&region, slice(0), 3);
        assert_eq!(scrub.suspects(), Run { start: 0, count: LINES as u32 });
        assert_eq!(scrub.found(), Some(Difference { first: 0, lines: 4, cut: region.cut() }));
        scrub.repaired(&region);
        assert_eq!(scrub.suspects().count, 0);
        let counters = [Counter::DifferencesFound, Counter::DifferencesRepaired].map(|c| region.counter(c));
        assert_eq!(counters, [3, 1]);
        let events: Vec<_> = region.events().map(|event| (event.kind, event.a)).collect();
        let kind = EventKind::Difference as u64;
        assert_eq!(events, [4, 4, 0].map(|first| (kind, 4 << 32 | first)));
    }
}
