//! A cycle in: whole or not at all.
//!
//! # The rules (each number is named where it is coded)
//! - S1 Frames of an older epoch than the newest known are refused.
//! - S2 A newer epoch begins a reign: what was staged is dropped. Who holds exactly the reign's base stays or becomes hot;
//!   anybody else is cold.
//! - S3 A cycle at or below the cut held, or a frame heard twice, has no effect.
//! - S4 A standby at cut `k` stages the cycles `k + 1` to `k + R`, each in its own record, R being the number of records. A
//!   frame of a later cycle means that `k + 1` can be healed no more, because the primary has as many records: cold.
//! - S5 Who is cold takes nothing before a full cycle; from that one on it stages as in S4. A full cycle that is whole
//!   may be exposed at once, whatever was missing before it. One that says it is full and lacks a line is dropped.
//! - S6 A cycle with all its frames, after all cycles before it, is sealed and moved as one (see [`crate::region`]);
//!   only then is it the cut.
//! - S7 Who may lead: holds a cut, and has heard of at most `max_age` cycles after it, the newest not counted, which
//!   the primary's death may have cut short.
//!   And has heard a frame since its link last lost some unseen (it was stalled, and its buffer overran): what was lost
//!   last, nothing later tells of.
//! - S8 What is missing is asked for: of the newest cycle only after a pause, because its burst may still be arriving.
//!
//! Why no cut with an old frame missing is ever exposed: by S2 and S6 the region always holds exactly one committed cut `k`.
//! It changes only by S6: either by all frames of `k + 1` of the same reign, which are all that distinguishes cut
//! `k + 1` from `k`; or by a full cycle (S5), which depends on nothing held. A frame that is sent again is the frame that
//! was sent, so it makes no difference when it comes.
//!
//! Frames may come in any order, within the cycles of S4.

use crate::planted::{self, Bug};
use crate::region::{Counter, CutInfo, MAX_RECORDS, Phase};
use crate::wire::{DataHeader, Header, MAX_WANTS, Runs, SyncState, Want, Wants};
use crate::{Cut, Epoch, LINE, Region};
use alloc::boxed::Box;
use alloc::vec;

/// A standby's state machine.
#[derive(Clone, Debug)]
pub struct Standby {
    epoch: Epoch,
    /// The cut that `epoch` began from.
    base: Cut,
    /// What is being followed; `None`: cold.
    follows: Option<Follows>,
    /// The newest cycle of `epoch` heard of.
    newest: u64,
    /// When a frame was last heard of it.
    newest_at: u64,
    /// The highest sequence heard in `epoch`.
    seen: u64,
    max_age: u64,
    /// Frames were lost unseen, and none was heard since (S7).
    blind: bool,
    staged: [Staged; MAX_RECORDS],
    records: usize,
    /// Bit per frame, `words` words for each record.
    got: Box<[u64]>,
    words: usize,
}

/// How far a standby that is not cold has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Follows {
    /// The next cycle to expose.
    next: u64,
    /// The region holds cut `next - 1`; else `next` is a full cycle.
    whole: bool,
}

/// The cycle whose frames stand in a record; cycle 0: none.
#[derive(Clone, Copy, Debug, Default)]
struct Staged {
    cycle: u64,
    full: bool,
    plant: u64,
    count: u32,
    missing: u32,
}

/// What a frame brought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Took {
    /// Nothing visible.
    Nothing,
    /// A new cut is exposed.
    Cut(CutInfo),
}

impl Standby {
    /// For a region of `lines` lines with `records` records.
    #[must_use]
    pub fn new(lines: usize, records: usize, max_age: u64) -> Self {
        // A cycle has at most one frame a line.
        let words = lines.div_ceil(64);
        Self {
            epoch: Epoch::NONE,
            base: Cut::NONE,
            follows: None,
            newest: 0,
            newest_at: 0,
            seen: 0,
            max_age,
            blind: false,
            staged: [Staged::default(); MAX_RECORDS],
            records,
            got: vec![0; words * records].into_boxed_slice(),
            words,
        }
    }

    /// Cold, joining (also: behind by more than `max_age`) or hot.
    #[must_use]
    pub fn state(&self) -> SyncState {
        match self.follows {
            None => SyncState::Cold,
            Some(Follows { next, whole: true }) if !self.blind && self.newest <= next + self.max_age => {
                SyncState::Hot
            } // S7
            Some(_) => SyncState::Joining,
        }
    }

    /// Whether nothing but a full cycle helps.
    #[must_use]
    pub fn needs_full(&self) -> bool {
        self.follows.is_none()
    }

    /// The newest cycle of the reign followed that was heard of.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// The highest sequence heard of the reign followed.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Frames were lost that nothing heard so far tells of (S7).
    pub fn lost_unseen(&mut self) {
        self.blind = true;
    }

    /// Begins to follow after this node's own reign: it holds `held` whole. Whether that cut is part of what the
    /// successor leads, the successor's first frame says (S2).
    pub fn follow(&mut self, held: Cut) {
        self.begin(held.epoch, held.cycle, true);
    }

    /// Drops what was staged.
    fn begin(&mut self, epoch: Epoch, cycle: u64, whole: bool) {
        self.epoch = epoch;
        self.newest = cycle;
        self.seen = 0;
        if !planted::is(Bug::StagedKept) {
            self.staged = [Staged::default(); MAX_RECORDS];
        }
        self.follows = whole.then_some(Follows { next: cycle + 1, whole });
    }

    /// One checked data frame of the right group and layout, of an epoch not older than the newest known (S1, which
    /// the caller checks because it knows of reigns from other frames too).
    pub fn data(
        &mut self,
        region: &mut Region,
        header: &Header,
        data: &DataHeader,
        runs: Runs<'_>,
        now: u64,
    ) -> Took {
        if header.epoch > self.epoch {
            let stays = planted::is(Bug::BaseIgnored) && self.state() == SyncState::Hot;
            self.begin(header.epoch, data.base.cycle, region.cut() == data.base || stays); // S2
            self.base = data.base;
        }
        if data.base != self.base {
            region.count(Counter::Unfit, 1); // a reign has one base
            return Took::Nothing;
        }
        self.seen = self.seen.max(header.sequence);
        self.blind = false;
        if data.cycle >= self.newest && !planted::is(Bug::NewestForgotten) {
            (self.newest, self.newest_at) = (data.cycle, now);
        }
        let Some(record) = self.place(region, data) else { return Took::Nothing };
        let Some(whole) = self.add(region, record, data, runs) else { return Took::Nothing };
        if !whole {
            region.count(Counter::DataTaken, 1);
            return Took::Nothing;
        }
        if data.full && !self.carries_all(region, record, data.cycle) {
            region.count(Counter::Unfit, 1);
            self.staged[record] = Staged::default(); // S5
            self.follows = self.follows.filter(|follows| follows.whole || follows.next != data.cycle);
            return Took::Nothing;
        }
        region.count(Counter::DataTaken, 1);
        self.expose(region, record, now)
    }

    /// The record that the frame's cycle is staged in, if it may be.
    fn place(&mut self, region: &mut Region, data: &DataHeader) -> Option<usize> {
        let held = region.cut();
        if held.epoch == self.epoch && data.cycle <= held.cycle && !planted::is(Bug::OldCycleTaken) {
            region.count(Counter::Late, 1); // S3
            return None;
        }
        if let Some(follows) = self.follows
            && data.cycle >= follows.next + self.records as u64
        {
            self.follows = None; // S4
            region.count(Counter::Gaps, 1);
        }
        if self.follows.is_none() && (data.full || planted::is(Bug::FullIgnored)) {
            self.follows = Some(Follows { next: data.cycle, whole: false }); // S5
        }
        match self.follows {
            None => {
                region.count(Counter::Unusable, 1);
                return None;
            }
            Some(Follows { next, .. }) if data.cycle < next => {
                region.count(Counter::Late, 1); // S3
                return None;
            }
            Some(_) => {}
        }
        let record = region.map().record_of(data.cycle);
        let DataHeader { cycle, full, plant, count, .. } = *data;
        let staged = &mut self.staged[record];
        if staged.cycle != cycle {
            *staged = Staged { cycle, full, plant, count, missing: count };
            if !planted::is(Bug::GotKept) {
                self.got[record * self.words..][..(count as usize).div_ceil(64)].fill(0);
            }
            region.record(cycle);
        } else if (staged.full, staged.plant, staged.count) != (full, plant, count) {
            region.count(Counter::Unfit, 1);
            return None;
        }
        Some(record)
    }

    /// Puts the frame's lines into the record, if it may, and says whether the cycle is now whole.
    fn add(&mut self, region: &mut Region, record: usize, data: &DataHeader, runs: Runs<'_>) -> Option<bool> {
        let (word, bit) = (record * self.words + data.index as usize / 64, 1 << (data.index % 64));
        if self.got[word] & bit != 0 && !planted::is(Bug::DuplicateCounted) {
            region.count(Counter::Late, u64::from(!planted::is(Bug::LateUncounted))); // S3
            return None;
        }
        let lines = region.map().lines;
        let mut into = region.extend_record(data.cycle);
        // Checked for the frame as a whole before its first line is taken: a frame has all its effect or none. More
        // lines than the region has can only come from a sender that repeats lines.
        if into.lines() + runs.lines() > lines {
            region.count(Counter::Unfit, 1);
            return None;
        }
        into.push_all(runs.iter().map(|(run, bytes)| (run.start, bytes)));
        self.got[word] |= bit;
        let staged = &mut self.staged[record];
        staged.missing = staged.missing.saturating_sub(1);
        if planted::is(Bug::FrameMissing) && staged.missing == 1 {
            staged.missing = 0;
        }
        Some(staged.missing == 0)
    }

    /// Whether the record of a cycle that has all its frames holds every line of the region. Overwrites its bits.
    fn carries_all(&mut self, region: &Region, record: usize, cycle: u64) -> bool {
        let bits = &mut self.got[record * self.words..][..self.words];
        bits.fill(0);
        for run in region.recorded(cycle).runs {
            for line in run.start as usize..run.end() as usize {
                bits[line / 64] |= 1 << (line % 64);
            }
        }
        bits.iter().map(|word| word.count_ones() as usize).sum::<usize>() == region.map().lines
    }

    /// S6, beginning with the cycle in `record`, which has just become whole, if it is its turn.
    fn expose(&mut self, region: &mut Region, record: usize, now: u64) -> Took {
        let Some(follows) = &mut self.follows else { return Took::Nothing };
        let whole = self.staged[record];
        if whole.full {
            follows.next = whole.cycle; // S5
        }
        let mut took = Took::Nothing;
        loop {
            let staged = self.staged[region.map().record_of(follows.next)];
            if staged.cycle != follows.next || staged.missing > 0 || !(follows.whole || staged.full) {
                if planted::is(Bug::CycleSkipped) && follows.next < whole.cycle {
                    follows.next += 1;
                    continue;
                }
                return took;
            }
            region.set_phase(Phase::Apply);
            let cut = Cut { epoch: self.epoch, cycle: staged.cycle };
            let info = CutInfo { cut, base: self.base, plant: staged.plant, at: now };
            region.seal(&info);
            region.settle(true);
            region.set_phase(Phase::Idle);
            region.count(Counter::Cuts, 1);
            let lines = region.recorded(staged.cycle).packed.len() / LINE;
            region.count(Counter::LinesApplied, lines as u64);
            *follows = Follows { next: staged.cycle + 1, whole: true };
            took = Took::Cut(info);
        }
    }

    /// Whether frames are missing that another would help (S8). `pause`: for how long nothing may have come of the newest
    /// cycle before its missing frames count, nanoseconds.
    #[must_use]
    pub fn lacks(&self, now: u64, pause: u64) -> bool {
        self.wanted(now, pause).next().is_some()
    }

    /// The list of what is missing, oldest first, as much as fits.
    #[must_use]
    pub fn wants(&self, now: u64, pause: u64) -> Wants {
        let mut wants = [Want::default(); MAX_WANTS];
        for (want, lacked) in wants.iter_mut().zip(self.wanted(now, pause)) {
            *want = lacked;
        }
        wants
    }

    fn wanted(&self, now: u64, pause: u64) -> impl Iterator<Item = Want> {
        let newest = if now.saturating_sub(self.newest_at) >= pause { self.newest + 1 } else { self.newest };
        let cycles = self.follows.map_or(0..0, |follows| follows.next..newest);
        cycles.flat_map(move |cycle| {
            let record = (cycle % self.records as u64) as usize;
            let staged = self.staged[record];
            let unheard = staged.cycle != cycle;
            let words = if unheard { 1 } else { (staged.count as usize).div_ceil(64) };
            let whole = !unheard && staged.missing == 0;
            (0..if whole { 0 } else { words }).filter_map(move |word| {
                if unheard {
                    return Some(Want { cycle, all: true, ..Want::default() });
                }
                let first = word as u32 * 64;
                let in_word = u64::MAX >> (64 - (staged.count - first).min(64));
                let bits = !self.got[record * self.words + word] & in_word;
                (bits != 0).then_some(Want { cycle, first, all: false, bits })
            })
        })
    }
}
