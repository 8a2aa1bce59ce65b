//! A cycle in: whole or not at all.
//!
//! # The rules (each number is named where it is coded)
//! - S1 Frames of an older epoch than the newest known are refused.
//! - S2 A newer epoch begins a reign: what was staged is dropped. Who holds exactly the reign's base, or a cut of this very
//!   reign, goes on from it. Anybody else lacks every line. If it holds a cut of the epoch that the base belongs to, the
//!   older of the two cycles is the branch: what it holds of a line that it has not stamped since is right as of the branch.
//!   Of the other lines, and without a branch, nothing is known.
//! - S3 A cycle at or below the one reached, or a frame heard twice, has no effect.
//! - S4 A standby that has come to cycle `k` stages the cycles `k + 1` to `k + R`, each in its own record, R being the number of
//!   records. A frame of a later cycle `d` means that `k + 1` can be healed no more, because the primary has as many records:
//!   every line is lacked, what was filled is right as of `k`, and it goes on with cycle `d`, which leaves `R` cycles of time for
//!   what may be lost next.
//! - S5 Who lacks lines merges each cycle into its staging, and fills it by a sweep (`crate::staging` has the rule and its
//!   proof). When nothing is lacked, the staging is sealed as one cut and moved.
//! - S6 A cycle with all its frames, after all cycles before it, is sealed and moved as one (see [`crate::region`]);
//!   only then is it the cut. A cycle `(j, c]`, which carries all that changed after `j`, stands for all cycles after `j`.
//! - S7 Who may lead: lacks no line, and has heard of at most `max_age` cycles after its cut, the newest not counted, which
//!   the primary's death may have cut short, for no longer than the time of `max_age` while the primary was heard.
//!   And has heard a frame since its link last lost some unseen (it was stalled, and its buffer overran): what was lost
//!   last, nothing later tells of.
//! - S8 A group of a cycle's frames that lacks one is made good by its parity ([`crate::parity`]). The frame is then checked
//!   like one that arrived. A parity that does not help when it comes is dropped.
//! - S9 What is missing is asked for: of the newest cycle only after a pause, because its burst may still be arriving; the
//!   cycle after it when it is overdue, because all of it may have been lost.
//! - S10 Lines that were found to differ from the primary's ([`crate::scrub`]) are lacked, and nothing is known of them. Until they are
//!   filled, no base makes up for them, and no cut that is held already is exposed again.
//!
//! Why no cut with an old frame missing is ever exposed: the region always holds exactly one committed cut. It changes only by
//! S6, by all frames of a cycle that carries everything that changed since the cut held; or by S5, as proved there. A frame that
//! is sent again is the frame that was sent, so it makes no difference when it comes.
//!
//! Frames may come in any order, within the cycles of S4.

mod made_good;
mod wanted;

use crate::planted::{self, Bug};
use crate::region::{Counter, CutInfo, MAX_RECORDS, Phase};
use crate::scrub::{Difference, Proof, Scrub};
use crate::staging::Staging;
use crate::sweep::Reign;
use crate::wire::{
    Cursor, DataHeader, Header, Runs, Slice, SweepHeader, SweepWant, SyncState, body_bytes, most_frames,
};
use crate::{Cut, Epoch, LINE, Region, Run};
use alloc::boxed::Box;
use alloc::vec;

/// For how much a standby may be behind and still lead (S7).
#[derive(Clone, Copy, Debug)]
pub struct MaxAge {
    /// Cycles that it knows of and does not hold, the newest not counted.
    pub cycles: u64,
    /// For how long it may go on hearing the primary while it lacks them, nanoseconds.
    pub time: u64,
}

/// A standby's state machine.
#[derive(Clone, Debug)]
pub struct Standby {
    epoch: Epoch,
    /// The cut that `epoch` began from.
    base: Cut,
    /// A reign is followed.
    follows: bool,
    /// The region holds cut `next - 1`, and the live memory equals it; else the live memory is being filled.
    whole: bool,
    /// The next cycle to take.
    next: u64,
    /// Control time of the cycle before.
    plant: u64,
    /// The newest cycle of `epoch` heard of.
    newest: u64,
    /// When a frame was last heard of it.
    newest_at: u64,
    /// Since when a cycle older than the newest is known and not held.
    behind_at: Option<u64>,
    /// It has been for too long (S7).
    old: bool,
    /// The highest sequence heard in `epoch`.
    seen: u64,
    max_age: MaxAge,
    /// Frames were lost unseen, and none was heard since (S7).
    blind: bool,
    staged: [Staged; MAX_RECORDS],
    records: usize,
    /// Bit per frame, `words` words for each record.
    got: Box<[u64]>,
    words: usize,
    /// Where in its record each frame's lines stand, and how many they are; `frames` for each record.
    places: Box<[(Cursor, u32)]>,
    frames: usize,
    /// The body of a frame that is being made good.
    body: Box<[u8]>,
    staging: Staging,
    scrub: Scrub,
    /// When it began to lack lines, and how many it lacked then.
    joined: (u64, usize),
}

/// The cycle whose frames stand in a record; cycle 0: none.
#[derive(Clone, Copy, Debug, Default)]
struct Staged {
    cycle: u64,
    since: u64,
    plant: u64,
    digest: u64,
    slice: Slice,
    count: u32,
    missing: u32,
}

/// How far a standby has come that lacks lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Lines of the region.
    pub lines: usize,
    /// Lines that it lacks.
    pub lacking: usize,
    /// How long it will take at the pace so far, nanoseconds; `None` before anything came.
    pub left: Option<u64>,
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
    /// For a region of `lines` lines with `records` records, filled by frames of `frame_bytes`. Cycles of more frames
    /// than these lines fill are taken too, but without the help of parity.
    #[must_use]
    pub fn new(lines: usize, records: usize, frame_bytes: usize, max_age: MaxAge) -> Self {
        // A cycle has at most one frame a line.
        let words = lines.div_ceil(64);
        let frames = most_frames(lines, frame_bytes);
        Self {
            epoch: Epoch::NONE,
            base: Cut::NONE,
            follows: false,
            whole: false,
            next: 0,
            plant: 0,
            newest: 0,
            newest_at: 0,
            behind_at: None,
            old: false,
            seen: 0,
            max_age,
            blind: false,
            staged: [Staged::default(); MAX_RECORDS],
            records,
            got: vec![0; words * records].into_boxed_slice(),
            words,
            places: vec![(Cursor::default(), 0); frames * records].into_boxed_slice(),
            frames,
            body: vec![0; body_bytes(frame_bytes)].into_boxed_slice(),
            staging: Staging::new(lines),
            scrub: Scrub::new(lines),
            joined: (0, 0),
        }
    }

    /// Cold, joining (also: behind by more than `max_age`) or hot.
    #[must_use]
    pub fn state(&self) -> SyncState {
        match self.follows {
            false => SyncState::Cold,
            true if self.whole
                && !self.blind
                && !self.old
                && self.newest <= self.next + self.max_age.cycles =>
            {
                SyncState::Hot // S7
            }
            true => SyncState::Joining,
        }
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

    /// How many lines are lacked.
    #[must_use]
    pub fn lacking(&self) -> usize {
        self.staging.lacking()
    }

    /// How far it has come, if it lacks lines.
    #[must_use]
    pub fn progress(&self, now: u64) -> Option<Progress> {
        let (since, lacked) = self.joined;
        let lacking = self.staging.lacking();
        let filled = lacked.saturating_sub(lacking) as u64;
        let left = || Some(now.saturating_sub(since).checked_div(filled)?.saturating_mul(lacking as u64));
        (self.follows && !self.whole).then(|| Progress { lines: self.staging.lines(), lacking, left: left() })
    }

    /// Frames were lost that nothing heard so far tells of (S7).
    pub fn lost_unseen(&mut self) {
        self.blind = true;
    }

    /// Begins to follow after this node's own reign: it holds the region's cut whole. Whether that cut is part of what the
    /// successor leads, the successor's first frame says (S2).
    pub fn follow(&mut self, region: &Region) {
        let held = region.committed();
        self.drop_staged(region, held.cut.epoch, held.base);
        self.go_on(&held);
    }

    /// Nothing is lacked: the region holds `held`.
    fn go_on(&mut self, held: &CutInfo) {
        self.whole = true;
        (self.next, self.plant) = (held.cut.cycle + 1, held.plant);
        self.newest = self.newest.max(held.cut.cycle);
        self.staging.fill();
    }

    fn drop_staged(&mut self, region: &Region, epoch: Epoch, base: Cut) {
        (self.epoch, self.base, self.follows) = (epoch, base, true);
        (self.newest, self.seen, self.behind_at, self.old) = (0, 0, None, false);
        if !planted::is(Bug::StagedKept) {
            self.staged = [Staged::default(); MAX_RECORDS];
        }
        self.scrub.begin(region);
    }

    /// S2. Cycles after `start` will be heard.
    fn begin(&mut self, region: &mut Region, epoch: Epoch, base: Cut, start: u64, now: u64) {
        if !self.whole && self.follows && !planted::is(Bug::StagingKept) {
            region.roll_back();
        }
        let stays = planted::is(Bug::BaseIgnored) && self.state() == SyncState::Hot;
        self.drop_staged(region, epoch, base);
        let suspects = self.scrub.suspects();
        let held = region.committed();
        if held.cut == base || (held.cut.epoch, held.base) == (epoch, base) || stays {
            self.go_on(&held);
            return self.lack(suspects, now); // S10
        }
        let branch = held.cut.cycle.min(base.cycle);
        let related = held.cut.epoch == base.epoch || planted::is(Bug::EpochsMixed);
        let own = !planted::is(Bug::OwnStampsIgnored);
        let suspect = |line| (suspects.start as usize..suspects.end() as usize).contains(&line);
        let known = |line| related && !suspect(line) && (!own || region.stamp(line) <= branch);
        self.staging.lack_all(start, |line| if known(line) { branch } else { 0 });
        self.lacks_lines(start, now);
    }

    /// S10. The region is whole but for these lines, if any.
    fn lack(&mut self, run: Run, now: u64) {
        if run.count > 0 {
            let held = self.next - 1;
            self.staging.lack(run, held);
            self.lacks_lines(held, now);
        }
    }

    fn lacks_lines(&mut self, start: u64, now: u64) {
        self.scrub.pause();
        (self.whole, self.next) = (false, start + 1);
        self.joined = (now, self.staging.lacking());
    }

    /// What a frame of the reign followed says whatever else becomes of it.
    fn hears(&mut self, region: &mut Region, header: &Header, cycle: u64, now: u64) {
        self.seen = self.seen.max(header.sequence);
        self.blind = false;
        if cycle >= self.newest && !planted::is(Bug::NewestForgotten) {
            (self.newest, self.newest_at) = (cycle, now);
        }
        if cycle >= self.next + self.records as u64 {
            region.count(Counter::Gaps, 1); // S4
            self.give_up(cycle - 1, now);
        }
        if self.newest > self.next {
            let since = *self.behind_at.get_or_insert(now);
            self.old = now.saturating_sub(since) > self.max_age.time;
        }
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
            self.begin(region, header.epoch, data.base, data.cycle - 1, now);
        }
        if data.base != self.base {
            region.count(Counter::Unfit, 1); // a reign has one base
            return Took::Nothing;
        }
        self.hears(region, header, data.cycle, now);
        let Some(record) = self.place(region, data) else { return Took::Nothing };
        let Some(whole) = self.add(region, record, data, runs) else { return Took::Nothing };
        region.count(Counter::DataTaken, 1);
        if whole { self.advance(region, now) } else { Took::Nothing }
    }

    /// One checked sweep frame, as [`data`](Self::data).
    pub fn sweep(
        &mut self,
        region: &mut Region,
        header: &Header,
        sweep: &SweepHeader,
        runs: Runs<'_>,
        now: u64,
    ) -> Took {
        if header.epoch > self.epoch {
            self.begin(region, header.epoch, sweep.base, sweep.cycle, now);
        }
        if sweep.base != self.base {
            region.count(Counter::Unfit, 1);
            return Took::Nothing;
        }
        self.hears(region, header, sweep.cycle, now);
        let filled = if self.whole { 0 } else { self.staging.chunk(region, sweep, runs) };
        if filled == 0 {
            region.count(Counter::Late, 1);
            return Took::Nothing;
        }
        if planted::is(Bug::TrackFromHigh) {
            self.next = self.next.max(sweep.cycle + 1);
        }
        if sweep.cycle + 1 == self.next {
            self.plant = sweep.plant;
        }
        region.count(Counter::SweepTaken, 1);
        self.advance(region, now)
    }

    /// What is missing up to cycle `start` will not come: every line is lacked, and it goes on after `start`.
    fn give_up(&mut self, start: u64, now: u64) {
        let floor = self.next - 1;
        if self.whole {
            self.staging.lack_all(start, |_| floor);
        } else {
            self.staging.restart(start, if planted::is(Bug::HoleForgotten) { start } else { floor });
        }
        self.lacks_lines(start, now);
    }

    /// The same as S4 for an observer, who cannot have single frames sent again: everything up to the last cycle that
    /// lacks frames is given up ([`wants`](Self::wants) says which do), and what follows is merged.
    pub(crate) fn fall_behind(&mut self, region: &mut Region, now: u64, pause: u64) -> Took {
        let Some(hole) = self.wanted(now, pause, u64::MAX).last() else { return Took::Nothing };
        region.count(Counter::Gaps, 1);
        if planted::is(Bug::GivenUpForgotten) {
            self.next = hole.cycle + 1;
        }
        self.give_up(hole.cycle, now);
        self.advance(region, now)
    }

    /// The reign followed, with the next cycle to take.
    pub(crate) fn reign(&self) -> Option<(Reign, u64)> {
        self.follows.then_some((Reign { epoch: self.epoch, base: self.base }, self.next))
    }

    /// The record that the frame's cycle is staged in, if it may be.
    fn place(&mut self, region: &mut Region, data: &DataHeader) -> Option<usize> {
        if planted::is(Bug::OldCycleTaken) && self.whole {
            self.next = self.next.min(data.cycle);
        }
        if data.cycle < self.next {
            region.count(Counter::Late, 1); // S3
            return None;
        }
        let record = region.map().record_of(data.cycle);
        let DataHeader { cycle, since, plant, count, digest, slice, .. } = *data;
        let staged = &mut self.staged[record];
        if staged.cycle != cycle {
            *staged = Staged { cycle, since, plant, digest, slice, count, missing: count };
            if !planted::is(Bug::GotKept) {
                self.got[record * self.words..][..(count as usize).div_ceil(64)].fill(0);
            }
            if self.scrub.shares(region, cycle) {
                self.scrub.add_up(region);
            }
            region.record(cycle);
        } else if (staged.since, staged.plant, staged.digest, staged.slice, staged.count)
            != (since, plant, digest, slice, count)
        {
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
        let (starts, at) = (runs.iter().next().map(|(run, _)| run.start), into.at());
        // Checked for the frame as a whole before its first line is taken: a frame has all its effect or none. More
        // lines than the region has can only come from a sender that repeats lines.
        if into.lines() + runs.lines() > lines {
            region.count(Counter::Unfit, 1);
            return None;
        }
        into.push_all(runs.iter().map(|(run, bytes)| (run.start, bytes)));
        if (data.index as usize) < self.frames {
            let place = &mut self.places[record * self.frames + data.index as usize];
            *place = (into.cursor(at, starts), runs.lines() as u32);
        }
        self.got[word] |= bit;
        let staged = &mut self.staged[record];
        staged.missing = staged.missing.saturating_sub(1);
        if planted::is(Bug::FrameMissing) && staged.missing == 1 {
            staged.missing = 0;
        }
        Some(staged.missing == 0)
    }

    /// The record of the cycle that is next to take, if it is whole: S6.
    fn ready(&self) -> Option<usize> {
        let record = (self.next % self.records as u64) as usize;
        let whole = |staged: &Staged| staged.cycle >= self.next && staged.missing == 0;
        if self.staged[record].cycle == self.next && whole(&self.staged[record]) {
            return Some(record);
        }
        if self.newest <= self.next {
            return None;
        }
        let follows = |staged: &Staged| staged.since < self.next || planted::is(Bug::CycleSkipped);
        let staged = self.staged[..self.records].iter().enumerate();
        let ready = staged.filter(|(_, staged)| whole(staged) && follows(staged));
        ready.min_by_key(|(_, staged)| staged.cycle).map(|(record, _)| record)
    }

    /// Takes what can be taken: S6 and S5.
    fn advance(&mut self, region: &mut Region, now: u64) -> Took {
        let mut took = Took::Nothing;
        while let Some(record) = self.ready() {
            let staged = self.staged[record];
            if self.whole {
                self.look_back(region, Some((staged.cycle, staged.digest)), now);
            }
            if self.whole {
                region.set_phase(Phase::Apply);
                let info = self.info(staged.cycle, staged.plant, now);
                region.seal(&info);
                region.settle(true);
                region.set_phase(Phase::Idle);
                region.count(Counter::Cuts, 1);
                let lines = region.recorded(staged.cycle).packed.len() / LINE;
                region.count(Counter::LinesApplied, lines as u64);
                self.scrub.took(staged.cycle, staged.slice);
                took = Took::Cut(info);
            } else {
                self.staging.merge(region, staged.cycle);
            }
            (self.next, self.plant) = (staged.cycle + 1, staged.plant);
        }
        if !self.whole && self.staging.is_whole(self.next - 1) && self.is_new(region) {
            region.set_phase(Phase::Apply);
            let info = self.info(self.next - 1, self.plant, now);
            region.seal_live(&info);
            region.settle(false);
            region.set_phase(Phase::Idle);
            region.count(Counter::Cuts, 1);
            self.go_on(&info);
            self.scrub.repaired(region);
            took = Took::Cut(info);
        }
        if self.newest <= self.next {
            (self.behind_at, self.old) = (None, false);
        }
        took
    }

    /// S10: a reader would not look again at a cut that it holds.
    fn is_new(&self, region: &Region) -> bool {
        region.cut() != Cut { epoch: self.epoch, cycle: self.next - 1 }
    }

    /// Does what is due of the last cycle, with what the next one, `(cycle, digest)`, tells of it. Says whether it found a
    /// difference.
    fn look_back(&mut self, region: &Region, next: Option<(u64, u64)>, now: u64) -> bool {
        let slice = self.scrub.look(region);
        let differs = next.and_then(|(cycle, digest)| self.scrub.compare(cycle, digest)).or(slice);
        if let Some(run) = differs {
            self.scrub.differs(region, run, now);
            self.lack(run, now);
        }
        differs.is_some()
    }

    /// Compares what is due of the last cut, if nothing else waits. Says whether it found a difference, which ends being hot.
    pub fn rest(&mut self, region: &Region, now: u64) -> bool {
        self.scrub.rests() && self.look_back(region, None, now)
    }

    /// How far back every line is proven to be the primary's (see [`crate::scrub`]).
    #[must_use]
    pub fn proven(&self, region: &Region) -> Option<Proof> {
        self.scrub.proven(region.cut().cycle)
    }

    /// The silent difference that was found last.
    #[must_use]
    pub fn difference(&self) -> Option<Difference> {
        self.scrub.found()
    }

    fn info(&self, cycle: u64, plant: u64, at: u64) -> CutInfo {
        CutInfo { cut: Cut { epoch: self.epoch, cycle }, base: self.base, plant, at }
    }

    /// Parts of the region to ask for, at most `most` of them.
    #[must_use]
    pub fn sweep_wanted(&mut self, most: usize) -> SweepWant {
        self.staging.want(most)
    }
}
