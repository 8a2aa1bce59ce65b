//! A cycle out: capture, seal, send; and send again what a standby lacks.
//!
//! Contract: [`Primary::commit`] seals before the first frame leaves, so whatever a standby may hold, the primary's own
//! region holds too. Nothing waits for a standby, and nothing is kept on its account: the last cycles stay in the
//! region's records anyway, and what is sent again is bounded for each cycle.
//!
//! # The send budget
//! A cycle's frames leave at most `budget` at a time, and no more than the link takes. Until the last has left, the commits that
//! follow send on and make no cut: what is written meanwhile stays in the live memory, the newest value only, and
//! belongs to the cut that comes next. So no commit sends more than the budget however much has changed, every cut is
//! the state at the end of one step, and a step that changes more than the budget in every cycle still makes a cut
//! whenever the last has left.
//!
//! # Riding along
//! A cycle that leaves room in its only frame carries the lines of the cycles before it too, as they stand now, and says so
//! (`since`): who lost one of those needs nothing more. They become part of its record, so all that holds of a cycle's lines
//! holds of them. The frame is three cycles deep at most: deeper would cost every standby time for losses in a row that
//! are too rare.
//!
//! # Sending again
//! A frame sent again is the frame that was sent, byte for byte but for its sequence and time: both are written from the
//! same record by the same rule. A frame whose last transmission is newer than the newest that the asker had heard when
//! it wrote its status is on its way to it, and not sent again, unless that is longer ago than any way; so one answer serves
//! all who ask, and a status that is repeated costs nothing. A record that has been taken by a later cycle is gone: who lacks its frames is swept
//! (`crate::sweep`).

use crate::extra::Extra;
use crate::planted::{self, Bug};
use crate::region::{Counter, CutInfo, Phase};
use crate::scrub::Teller;
use crate::wire::{Cursor, CycleWriter, DataHeader, Sender, Want, most_frames, scattered_lines};
use crate::{Cut, Epoch, FrameSink, Region, Tracker, parity};
use alloc::boxed::Box;
use alloc::vec;

/// Least that may be sent again for a commit, frames; more if it may send more than twice as many of the cycle's own.
const LEAST_BUDGET: u32 = 16;

/// Most cycles before it whose lines ride along with a cycle.
pub const REPEATS: u64 = 3;

/// Times of which it is known what had been sent.
const MARKS: usize = 16;

/// The reign of this node.
#[derive(Clone, Copy, Debug)]
pub struct Primary {
    epoch: Epoch,
    base: Cut,
    /// What has not left yet of the last cycle.
    rest: Option<(DataHeader, Cursor)>,
    /// The last cycle has left with one commit, and its parity has not.
    bare: Option<DataHeader>,
    /// Lines of earlier cycles ride along.
    repeats: bool,
    /// What the cycles tell of the region.
    teller: Teller,
}

/// What a commit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The cut it made; if it made none ([`open`](Self::open)), the last.
    pub cut: Cut,
    /// The cycle before had not left yet, so no cut was made: what has changed since belongs to the next.
    pub open: bool,
    /// Lines that changed.
    pub lines: usize,
    /// Frames that the cut's cycle has.
    pub frames: u32,
    /// Frames of it that have left with this commit.
    pub sent: u32,
    /// Frames of it that have not left yet: the next commits send them.
    pub left: u32,
}

/// What was sent of the cycles that stand in the records. Made once, used by one reign after the other.
#[derive(Clone, Debug)]
pub struct Ring {
    sent: Box<[Sent]>,
    /// The sequence of the last transmission of each frame, `frames` for each record.
    last: Box<[u64]>,
    frames: usize,
    /// Where each frame begins that was written, and where the last one ends; `frames + 1` for each record.
    cursors: Box<[Cursor]>,
    /// Frames that may still be sent again before the next commit.
    budget: u32,
    /// Frames of a cycle that a commit may send.
    send_budget: u32,
    /// What was sent so long ago has arrived or is lost, nanoseconds.
    flight: u64,
    /// Sequences sent at some times, of which the oldest is replaced.
    marks: [(u64, u64); MARKS],
}

/// A cycle in a record.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    epoch: Epoch,
    data: Option<DataHeader>,
    /// Bit per line of the record: it changed in this very cycle, it does not ride along. `None`: too many lines.
    own: Option<u64>,
}

impl Ring {
    /// For `records` records of a region of `lines` lines, in frames of `frame_bytes`, of which a commit sends at most
    /// `send_budget`, at least 1. What was sent `flight` nanoseconds ago has arrived or is lost.
    #[must_use]
    pub fn new(records: usize, lines: usize, frame_bytes: usize, send_budget: u32, flight: u64) -> Self {
        let frames = most_frames(lines, frame_bytes);
        Self {
            sent: vec![Sent::default(); records].into_boxed_slice(),
            last: vec![0; records * frames].into_boxed_slice(),
            frames,
            cursors: vec![Cursor::default(); records * (frames + 1)].into_boxed_slice(),
            budget: 0,
            send_budget: send_budget.max(1),
            flight,
            marks: [(0, 0); MARKS],
        }
    }

    /// The last sequences and the beginnings of the frames of a record's cycle.
    fn frames_mut(&mut self, record: usize) -> (&mut [u64], &mut [Cursor]) {
        let frames = self.frames;
        (
            &mut self.last[record * frames..][..frames],
            &mut self.cursors[record * (frames + 1)..][..frames + 1],
        )
    }

    /// `sequence` was the last one sent, at `now`.
    pub(crate) fn mark(&mut self, now: u64, sequence: u64) {
        let newest = self.marks.iter().map(|mark| mark.0).max().unwrap_or(0);
        let near = now.saturating_sub(newest) <= self.flight / (MARKS as u64 / 2);
        let place = match near {
            true => self.marks.iter_mut().max_by_key(|mark| mark.0),
            false => self.marks.iter_mut().min_by_key(|mark| mark.0),
        };
        if let Some(place) = place {
            *place = (if near { newest } else { now }, sequence);
        }
    }

    /// The last sequence that is on its way no more.
    fn arrived(&self, now: u64) -> u64 {
        let past = self.marks.iter().filter(|mark| now.saturating_sub(mark.0) >= self.flight);
        past.map(|mark| mark.1).max().unwrap_or(0)
    }

    /// Frames that may still be sent before the next commit, beside the cycle's own.
    pub(crate) fn budget(&mut self) -> &mut u32 {
        &mut self.budget
    }
}

impl Primary {
    /// Begins a reign on the cut `base`, which the region holds. `repeats`: whether lines of earlier cycles ride along.
    #[must_use]
    pub const fn new(epoch: Epoch, base: Cut, repeats: bool) -> Self {
        Self { epoch, base, rest: None, bare: None, repeats, teller: Teller::new() }
    }

    /// The epoch of this reign.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The cut that this reign began from.
    #[must_use]
    pub const fn base(&self) -> Cut {
        self.base
    }

    /// Captures what changed, seals it as the next cut and writes its frames, as many as the budget and the link allow; or sends
    /// on what is left of the cycle before. `plant` is the cycle's control time, `now` the host's monotonic clock, both in
    /// nanoseconds.
    ///
    /// The caller then flushes the link and calls [`Region::settle`], in this order: the move into the image is not in the
    /// way of the frames.
    pub fn commit(
        &mut self,
        ring: &mut Ring,
        region: &mut Region,
        tracker: &mut dyn Tracker,
        (plant, now): (u64, u64),
        sender: &mut Sender,
        sink: &mut dyn FrameSink,
    ) -> Published {
        region.set_phase(Phase::Commit);
        let open = self.rest.is_some();
        let mut lines = 0;
        let mut writer = match self.rest.take() {
            Some((data, cursor)) => {
                let mut writer = CycleWriter::resume(region.recorded(data.cycle), data, cursor);
                if planted::is(Bug::PortionSkips) {
                    writer.skip(sink.frame_bytes());
                }
                writer
            }
            None => {
                let cut = Cut { epoch: self.epoch, cycle: region.cut().cycle + 1 };
                let (digest, slice) = self.teller.tell(region, tracker, cut.cycle);
                lines = region.capture(tracker, cut.cycle);
                let (since, own) = self.ride_along(ring, region, cut.cycle, lines, sink.frame_bytes());
                region.seal(&CutInfo { cut, base: self.base, plant, at: now });
                region.count(Counter::Commits, 1);
                region.count(Counter::LinesSent, lines as u64);
                let data = DataHeader {
                    base: self.base,
                    cycle: cut.cycle,
                    plant,
                    index: 0,
                    count: 0,
                    since,
                    digest,
                    slice,
                };
                let writer = CycleWriter::new(region.recorded(cut.cycle), data, sink.frame_bytes());
                let record = region.map().record_of(cut.cycle);
                let (data, _) = writer.at();
                ring.sent[record] = Sent { epoch: self.epoch, data: Some(data), own };
                ring.frames_mut(record).0[..data.count as usize].fill(u64::MAX); // on its way
                writer
            }
        };
        let (frames, cycle) = (writer.frames(), writer.at().0.cycle);
        ring.budget = LEAST_BUDGET.max(frames.min(ring.send_budget) / 2);
        let most = if planted::is(Bug::BudgetIgnored) { u32::MAX } else { ring.send_budget };
        let mut sent = 0;
        let (last, cursors) = ring.frames_mut(region.map().record_of(cycle));
        while sent < most
            && writer.at().0.index < frames
            && let Some(frame) = sink.lend()
        {
            let header = sender.header(self.epoch, now);
            let (data, cursor) = writer.at();
            (last[data.index as usize], cursors[data.index as usize]) = (header.sequence, cursor);
            let length = writer.next(&header, frame).unwrap_or(0);
            sink.push(length);
            sent += 1;
        }
        let (data, cursor) = writer.at();
        let left = frames - data.index;
        cursors[data.index as usize] = cursor;
        ring.mark(now, sender.sequence());
        self.rest = (left > 0).then_some((data, cursor));
        // What left in portions has no parity: it would be as much again for one commit as all of them sent.
        self.bare = (left == 0 && !open).then_some(data);
        region.count(Counter::FramesSent, sent.into());
        region.count(Counter::OpenCycles, open.into());
        Published { cut: Cut { epoch: self.epoch, cycle }, open, lines, frames, sent, left }
    }

    /// Does what the next commit would have to, while there is time.
    pub fn rest(&mut self, region: &Region) {
        self.teller.rest(region);
    }

    /// Adds lines of the cycles before to the record of `cycle`, which has `lines` lines, as far as all of a cycle's fit one frame.
    /// Gives since when the record now has every change, and which of its lines are its own.
    fn ride_along(
        &self,
        ring: &Ring,
        region: &mut Region,
        cycle: u64,
        lines: usize,
        frame_bytes: usize,
    ) -> (u64, Option<u64>) {
        let most = scattered_lines(frame_bytes).min(u64::BITS as usize);
        let mut since = cycle - 1;
        if lines > most || !self.repeats {
            return (since, None);
        }
        let all = |lines: usize| if lines == 0 { 0 } else { u64::MAX >> (u64::BITS as usize - lines) };
        let mut more = Extra::default();
        let before =
            (1..=REPEATS.min(region.map().records as u64 - 1)).map_while(|back| cycle.checked_sub(back));
        for before in before {
            let sent = &ring.sent[region.map().record_of(before)];
            let here = sent.data.is_some_and(|data| (sent.epoch, data.cycle) == (self.epoch, before));
            let added =
                sent.own.filter(|_| here).map(|own| more.add(region, cycle, (before, own), most - lines));
            if added != Some(true) {
                break;
            }
            since = before - 1;
            if planted::is(Bug::RidesShort) {
                since = since.saturating_sub(1).max(self.base.cycle);
            }
        }
        if more.lines().is_empty() {
            return (since, Some(all(lines)));
        }
        region.count(Counter::LinesRepeated, more.lines().len() as u64);
        (since, Some(region.widen(cycle, more.lines())))
    }

    /// Writes the parity frames of the cycle that has just left. Not in the way of its own frames: call it when they are gone.
    /// Gives the number of frames.
    pub fn protect(
        &mut self,
        ring: &mut Ring,
        region: &Region,
        now: u64,
        sender: &mut Sender,
        sink: &mut dyn FrameSink,
    ) -> u32 {
        let Some(data) = self.bare.take() else { return 0 };
        let groups = parity::groups(data.count);
        if groups == 0 {
            return 0;
        }
        let source = region.recorded(data.cycle);
        let (_, cursors) = ring.frames_mut(region.map().record_of(data.cycle));
        let mut sent = 0;
        for group in 0..groups {
            let Some(frame) = sink.lend() else { break };
            let header = sender.header(self.epoch, now);
            let data = DataHeader { index: group, ..data };
            let length = data.encode_parity(&header, frame, |sum| {
                for index in parity::members(group, data.count) {
                    let [from, to] = [0, 1].map(|next| cursors[index as usize + next]);
                    from.add_body(source, from.lines_to(to), sum);
                }
            });
            sink.push(length);
            sent += 1;
        }
        region.count(Counter::FramesSent, sent.into());
        region.count(Counter::ParitySent, sent.into());
        sent
    }

    /// Sends again what `want` names, as far as it stands in its record, was not sent since `seen` or is not on its way
    /// any more, and the budget of this cycle lasts. Gives the number of frames.
    pub fn send_again(
        &mut self,
        ring: &mut Ring,
        region: &Region,
        (want, seen): (&Want, u64),
        now: u64,
        sender: &mut Sender,
        sink: &mut dyn FrameSink,
    ) -> u32 {
        let record = region.map().record_of(want.cycle);
        let Sent { epoch, data: Some(data), .. } = ring.sent[record] else { return 0 };
        if (epoch, data.cycle) != (self.epoch, want.cycle) && !planted::is(Bug::OtherCycleSent) {
            return 0;
        }
        let source = region.recorded(want.cycle);
        let mut budget = ring.budget;
        let heard = seen.max(ring.arrived(now));
        let (last, cursors) = ring.frames_mut(record);
        let mut sent = 0;
        for index in want.frames(data.count) {
            if budget == 0 && !planted::is(Bug::BudgetIgnored) {
                break;
            }
            // What has not left yet goes out in its turn.
            if !want.has(index) || last[index as usize] > heard {
                continue;
            }
            let Some(frame) = sink.lend() else { break };
            let header = sender.header(self.epoch, now);
            let data = DataHeader { index, ..data };
            let mut writer = CycleWriter::resume(source, data, cursors[index as usize]);
            if let Some(length) = writer.next(&header, frame) {
                sink.push(length);
            }
            last[index as usize] = header.sequence;
            (budget, sent) = (budget.saturating_sub(1), sent + 1);
        }
        ring.budget = budget;
        region.count(Counter::FramesSent, sent.into());
        region.count(Counter::FramesRepaired, sent.into());
        sent
    }
}
