//! A cycle in: whole or not at all.
//!
//! # The rules (until recovery stands; each number is named where it is coded)
//! - S1 Frames of an older epoch than the newest known are refused.
//! - S2 A newer epoch begins a reign: what was staged is dropped. Who holds exactly the reign's base stays or becomes hot;
//!   anybody else is cold.
//! - S3 A cycle at or below the cut held, or a frame heard twice, has no effect.
//! - S4 Who is hot at cut `k` stages cycle `k + 1` only. A frame of a later cycle while `k + 1` is not whole means
//!   that a frame was missed: cold.
//! - S5 Who is cold takes nothing but a full cycle, the newest it hears of. Once that is whole, it is hot.
//! - S6 A cycle with all its frames is sealed and moved as one (see [`crate::region`]); only then is it the cut.
//!
//! Why no cut with an old frame missing is ever exposed: by S2 and S6 the region always holds exactly one committed cut `k`.
//! It changes only by S6: either by all frames of `k + 1` of the same reign (S4), which are all that distinguishes
//! cut `k + 1` from `k`; or by a full cycle (S5), which depends on nothing held.
//!
//! Frames of one cycle may come in any order. Frames of different cycles that overtake each other look like loss here.

use crate::planted::{self, Bug};
use crate::region::{Counter, CutInfo, Phase};
use crate::wire::{DataHeader, Header, Runs, SyncState};
use crate::{Cut, Epoch, Region};
use alloc::boxed::Box;
use alloc::vec;

/// A standby's state machine.
#[derive(Clone, Debug)]
pub struct Standby {
    state: SyncState,
    epoch: Epoch,
    /// The newest cycle of `epoch` heard of.
    newest: u64,
    staged: Option<Staged>,
    /// Bit per frame of the staged cycle.
    got: Box<[u64]>,
}

/// The cycle whose frames stand in the record.
#[derive(Clone, Copy, Debug)]
struct Staged {
    cycle: u64,
    full: bool,
    plant: u64,
    base: Cut,
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
    /// A frame was missed, or a reign began elsewhere: this standby is cold now.
    Cold,
}

impl Standby {
    /// For a region of `lines` lines.
    #[must_use]
    pub fn new(lines: usize) -> Self {
        Self {
            state: SyncState::Cold,
            epoch: Epoch::NONE,
            newest: 0,
            staged: None,
            // A cycle has at most one frame a line.
            got: vec![0; lines.div_ceil(64)].into_boxed_slice(),
        }
    }

    /// Cold, joining or hot.
    #[must_use]
    pub fn state(&self) -> SyncState {
        self.state
    }

    /// The newest cycle of the reign followed that was heard of.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// The reign followed.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether the cut held may be led from: hot, and no cycle older than the newest is missing. (The newest may have
    /// been cut short by the primary's death.)
    #[must_use]
    pub fn may_lead(&self, held: Cut) -> bool {
        self.state == SyncState::Hot && self.newest <= held.cycle + 1 || planted::is(Bug::ColdLeads)
    }

    /// Begins to follow after this node's own reign: it holds `held` whole. Whether that cut is part of what the
    /// successor leads, the successor's first frame says (S2).
    pub fn follow(&mut self, held: Cut) {
        self.state = SyncState::Hot;
        self.epoch = held.epoch;
        self.newest = held.cycle;
        self.staged = None;
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
        let mut took = Took::Nothing;
        if header.epoch > self.epoch {
            self.epoch = header.epoch;
            self.newest = data.base.cycle;
            self.staged = self.staged.filter(|_| planted::is(Bug::StagedKept));
            let stays = planted::is(Bug::BaseIgnored) && self.state == SyncState::Hot;
            let hot = region.cut() == data.base || stays; // S2
            if !hot && self.state == SyncState::Hot {
                took = Took::Cold;
            }
            self.state = if hot { SyncState::Hot } else { SyncState::Cold };
        }
        self.newest = if planted::is(Bug::NewestForgotten) { 0 } else { self.newest.max(data.cycle) };
        let held = region.cut();
        let old = held.epoch == self.epoch && data.cycle <= held.cycle && !planted::is(Bug::OldCycleTaken);
        if old {
            region.count(Counter::Late, 1); // S3
            return took;
        }
        if !self.stage(region, held, data) {
            return if self.notice_gap(region, held) { Took::Cold } else { took };
        }
        match self.add(region, data, runs) {
            Some(whole) => Took::Cut(self.expose(region, whole, now)),
            None => took,
        }
    }

    /// Makes the staged cycle the one that `data` belongs to, if it may be; says whether it is.
    fn stage(&mut self, region: &mut Region, held: Cut, data: &DataHeader) -> bool {
        if let Some(staged) = self.staged
            && staged.cycle == data.cycle
        {
            let same = (staged.count, staged.full, staged.plant, staged.base)
                == (data.count, data.full, data.plant, data.base)
                || planted::is(Bug::StagedKept);
            region.count(Counter::Unfit, u64::from(!same));
            return same;
        }
        let whole = data.full || planted::is(Bug::FullIgnored);
        let wanted = match self.state {
            SyncState::Hot if planted::is(Bug::CycleSkipped) => data.cycle <= held.cycle + 2,
            SyncState::Hot => data.cycle == held.cycle + 1, // S4
            _ => whole && self.staged.is_none_or(|staged| data.cycle > staged.cycle), // S5
        };
        if wanted {
            let frames = if planted::is(Bug::GotKept) { 0 } else { data.count as usize };
            self.got[..frames.div_ceil(64)].fill(0);
            let DataHeader { cycle, full, plant, base, count, .. } = *data;
            self.staged = Some(Staged { cycle, full, plant, base, count, missing: count });
            if self.state == SyncState::Cold {
                self.state = SyncState::Joining;
            }
            region.record();
        } else {
            region.count(Counter::Unusable, 1);
        }
        wanted
    }

    /// S4: a cycle beyond the next one was heard of while the next one is not whole.
    fn notice_gap(&mut self, region: &Region, held: Cut) -> bool {
        let gap = self.state == SyncState::Hot && self.newest > held.cycle + 1;
        if gap {
            self.state = SyncState::Cold;
            self.staged = None;
            region.count(Counter::Gaps, 1);
        }
        gap
    }

    /// Puts the frame's lines into the record. Gives the staged cycle once it is whole.
    fn add(&mut self, region: &mut Region, data: &DataHeader, runs: Runs<'_>) -> Option<Staged> {
        let staged = self.staged.as_mut()?;
        let (word, bit) = (data.index as usize / 64, 1 << (data.index % 64));
        if self.got[word] & bit != 0 && !planted::is(Bug::DuplicateCounted) {
            region.count(Counter::Late, u64::from(!planted::is(Bug::LateUncounted))); // S3
            return None;
        }
        // Checked for the frame as a whole before its first line is taken: a frame has all its effect or none. More
        // lines than the region has can only come from a sender that repeats lines.
        if region.extend_record().lines() + runs.lines() > region.map().lines {
            region.count(Counter::Unfit, 1);
            return None;
        }
        let mut record = region.extend_record();
        for (run, bytes) in runs {
            record.push(run.start, bytes);
        }
        self.got[word] |= bit;
        staged.missing -= 1;
        region.count(Counter::DataTaken, 1);
        let staged = *staged;
        (staged.missing == 0 || planted::is(Bug::FrameMissing) && staged.missing == 1).then_some(staged)
    }

    /// S6.
    fn expose(&mut self, region: &mut Region, whole: Staged, now: u64) -> CutInfo {
        region.set_phase(Phase::Apply);
        let cut = Cut { epoch: self.epoch, cycle: whole.cycle };
        let info = CutInfo { cut, base: whole.base, plant: whole.plant, at: now };
        let lines = region.extend_record().lines();
        region.seal(&info);
        region.settle(true);
        region.set_phase(Phase::Idle);
        self.staged = None;
        self.state = SyncState::Hot;
        region.count(Counter::Cuts, 1);
        region.count(Counter::LinesApplied, lines as u64);
        info
    }
}
