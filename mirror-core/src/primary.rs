//! A cycle out: capture, seal, send; and send again what a standby lacks.
//!
//! Contract: [`Primary::commit`] seals before the first frame leaves, so whatever a standby may hold, the primary's own
//! region holds too. Nothing waits for a standby, and nothing is kept on its account: the last cycles stay in the
//! region's records anyway, and what is sent again is bounded for each cycle.
//!
//! # Sending again
//! A frame sent again is the frame that was sent, byte for byte but for its sequence and time: both are written from the
//! same record by the same rule. A frame whose last transmission is newer than the newest that the asker had heard when
//! it wrote its status is on its way to it, and not sent again; so one answer serves all who ask, and a status that is
//! repeated costs nothing. A record that has been taken by a later cycle is gone: who lacks its frames
//! needs a full cycle.

use crate::planted::{self, Bug};
use crate::region::{Counter, CutInfo, Phase};
use crate::wire::{CycleWriter, DataHeader, Sender, Want, most_frames};
use crate::{Cut, Epoch, FrameSink, Region, Tracker};
use alloc::boxed::Box;
use alloc::vec;

/// Fewest cycles between two full cycles, so that askers, however many, cannot make every cycle a full one.
const FULL_EVERY: u64 = 8;

/// Least that may be sent again for a cycle, frames; more for cycles with more than twice as many.
const LEAST_BUDGET: u32 = 16;

/// The reign of this node.
#[derive(Clone, Copy, Debug)]
pub struct Primary {
    epoch: Epoch,
    base: Cut,
    full_wanted: bool,
    /// The last full cycle of this reign.
    full_at: Option<u64>,
}

/// What a commit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The cut it made.
    pub cut: Cut,
    /// Lines that changed.
    pub lines: usize,
    /// Frames that the cycle has.
    pub frames: u32,
    /// Frames of these that the link lent no memory for. What the network refuses later is counted by the link.
    pub refused: u32,
    /// The cycle carried every line.
    pub full: bool,
}

/// What was sent of the cycles that stand in the records. Made once, used by one reign after the other.
#[derive(Clone, Debug)]
pub struct Ring {
    sent: Box<[Sent]>,
    /// The sequence of the last transmission of each frame, `frames` for each record.
    last: Box<[u64]>,
    frames: usize,
    /// Frames that may still be sent again before the next commit.
    budget: u32,
}

/// A cycle in a record.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    epoch: Epoch,
    data: Option<DataHeader>,
}

impl Ring {
    /// For `records` records of a region of `lines` lines, in frames of `frame_bytes`.
    #[must_use]
    pub fn new(records: usize, lines: usize, frame_bytes: usize) -> Self {
        let frames = most_frames(lines, frame_bytes);
        Self {
            sent: vec![Sent::default(); records].into_boxed_slice(),
            last: vec![0; records * frames].into_boxed_slice(),
            frames,
            budget: 0,
        }
    }

    fn last_mut(&mut self, record: usize) -> &mut [u64] {
        &mut self.last[record * self.frames..][..self.frames]
    }
}

impl Primary {
    /// Begins a reign on the cut `base`, which the region holds.
    #[must_use]
    pub const fn new(epoch: Epoch, base: Cut) -> Self {
        Self { epoch, base, full_wanted: false, full_at: None }
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

    /// Somebody cannot go on without a whole state.
    pub fn want_full(&mut self) {
        self.full_wanted = true;
    }

    /// Captures what changed, seals it as the next cut and writes its frames. `plant` is the cycle's control time, `now`
    /// the host's monotonic clock, both in nanoseconds.
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
        let cut = Cut { epoch: self.epoch, cycle: region.cut().cycle + 1 };
        let often = if planted::is(Bug::FullEveryCycle) { 1 } else { FULL_EVERY };
        let full = self.full_wanted && self.full_at.is_none_or(|at| cut.cycle - at >= often);
        let lines = if full {
            tracker.reset();
            (self.full_wanted, self.full_at) = (false, Some(cut.cycle));
            region.count(Counter::FullCycles, 1);
            region.capture_all(cut.cycle)
        } else {
            region.capture(tracker, cut.cycle)
        };
        region.seal(&CutInfo { cut, base: self.base, plant, at: now });
        let data = DataHeader { base: self.base, cycle: cut.cycle, plant, index: 0, count: 0, full };
        let mut writer = CycleWriter::new(region.recorded(cut.cycle), data, sink.frame_bytes());
        let frames = writer.frames();
        let record = region.map().record_of(cut.cycle);
        ring.sent[record] = Sent { epoch: self.epoch, data: Some(DataHeader { count: frames, ..data }) };
        ring.budget = LEAST_BUDGET.max(frames / 2);
        let mut sent = 0;
        let last = ring.last_mut(record);
        while sent < frames as usize
            && let Some(frame) = sink.lend()
        {
            let header = sender.header(self.epoch, now);
            let length = writer.next(&header, frame).unwrap_or(0);
            sink.push(length);
            last[sent] = header.sequence;
            sent += 1;
        }
        last[sent..frames as usize].fill(0); // refused: never sent, so sent again to whoever asks
        let refused = frames - sent as u32;
        region.count(Counter::Commits, 1);
        region.count(Counter::LinesSent, lines as u64);
        region.count(Counter::FramesSent, sent as u64);
        Published { cut, lines, frames, refused, full }
    }

    /// Sends again what `want` names, as far as it stands in its record, was not sent since `seen`, and the budget of
    /// this cycle lasts. Gives the number of frames.
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
        let Sent { epoch, data: Some(data) } = ring.sent[record] else { return 0 };
        if (epoch, data.cycle) != (self.epoch, want.cycle) && !planted::is(Bug::OtherCycleSent) {
            return 0;
        }
        let frame_bytes = sink.frame_bytes();
        let mut writer = CycleWriter::new(region.recorded(want.cycle), data, frame_bytes);
        let mut budget = ring.budget;
        let last = ring.last_mut(record);
        let mut sent = 0;
        for index in 0..data.count {
            if budget == 0 && !planted::is(Bug::BudgetIgnored) {
                break;
            }
            if !want.has(index) || last[index as usize] > seen {
                writer.skip(frame_bytes);
                continue;
            }
            let Some(frame) = sink.lend() else { break };
            let header = sender.header(self.epoch, now);
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
