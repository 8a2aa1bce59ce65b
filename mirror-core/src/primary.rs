//! A cycle out: capture, seal, send.
//!
//! Contract: [`Primary::commit`] seals before the first frame leaves, so whatever a standby may hold, the primary's
//! own region holds too. It keeps nothing on a standby's account but one bit: somebody wants a full cycle.

use crate::line::Run;
use crate::planted::{self, Bug};
use crate::region::{Counter, CutInfo, Phase};
use crate::wire::{CycleWriter, DataHeader, Sender, Source};
use crate::{Cut, Epoch, FrameSink, Region, Tracker};

/// Fewest cycles between two full cycles, so that askers, however many, cannot make every cycle a full one.
const FULL_EVERY: u64 = 8;

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
    /// Frames of these that the link would not take.
    pub refused: u32,
    /// The cycle carried every line.
    pub full: bool,
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
        region: &mut Region,
        tracker: &mut dyn Tracker,
        (plant, now): (u64, u64),
        sender: &mut Sender,
        sink: &mut dyn FrameSink,
    ) -> Published {
        region.set_phase(Phase::Commit);
        let lines = region.capture(tracker);
        let cut = Cut { epoch: self.epoch, cycle: region.cut().cycle + 1 };
        region.seal(&CutInfo { cut, base: self.base, plant, at: now });
        let often = if planted::is(Bug::FullEveryCycle) { 1 } else { FULL_EVERY };
        let full = self.full_wanted && self.full_at.is_none_or(|at| cut.cycle - at >= often);
        let whole = [Run { start: 0, count: region.map().lines as u32 }];
        let source = if full {
            region.settle(false);
            (self.full_wanted, self.full_at) = (false, Some(cut.cycle));
            region.count(Counter::FullCycles, 1);
            Source { runs: &whole, packed: region.image() }
        } else {
            region.recorded()
        };
        let data = DataHeader { base: self.base, cycle: cut.cycle, plant, index: 0, count: 0, full };
        let mut writer = CycleWriter::new(source, data, sink.frame_bytes());
        let frames = writer.frames();
        let mut sent = 0;
        while let Some(frame) = sink.lend() {
            match writer.next(&sender.header(self.epoch, now), frame) {
                Some(length) => sink.push(length),
                None => break,
            }
            sent += 1;
        }
        let refused = frames - sent;
        region.count(Counter::Commits, 1);
        region.count(Counter::LinesSent, source.packed.len() as u64 / crate::LINE as u64);
        region.count(Counter::FramesSent, sent as u64);
        region.count(Counter::FramesRefused, refused as u64);
        Published { cut, lines, frames, refused, full }
    }
}
