//! The single steps of a cycle, one after the other, without a network or a kernel.
//!
//! Contract: a step does its work anew each time it is run, and allocates nothing. The parameters in [`sizes`] are
//! the ones that criterion runs, and that a test runs once.

use crate::memory::{OwnRegion, Tray, layout};
use crate::workload::{Spread, Workload};
use mirror::Track;
use mirror_core::primary::{Primary, Ring};
use mirror_core::region::CutInfo;
use mirror_core::takeover::{MAX_MEMBERS, Member, Settings};
use mirror_core::track::{Diff, Marked};
use mirror_core::wire::{Frame, Ids, Sender, lines_per_frame};
use mirror_core::{Cut, Epoch, LINE, Tracker};

/// Bytes of a frame, as over Ethernet.
pub const FRAME: usize = 1472;

/// Bytes of such a frame after its header.
pub const BODY: usize = 1336;

/// Region and dirty bytes of each measurement of a capture.
#[must_use]
pub fn sizes(most: usize) -> Vec<Workload> {
    [4 << 10, 64 << 10, 1 << 20, 16 << 20]
        .into_iter()
        .filter(|&region| region <= most)
        .map(|region| Workload::new(region, 1024, Spread::Scattered))
        .collect()
}

/// What a cycle of a 64 KiB region dirties in each measurement of the later steps.
#[must_use]
pub fn cycles() -> Vec<(&'static str, Workload)> {
    let of = |dirty, spread| Workload::new(64 << 10, dirty, spread);
    vec![
        ("1KiB", of(1 << 10, Spread::Scattered)),
        ("16KiB", of(16 << 10, Spread::Scattered)),
        ("16KiB/contiguous", of(16 << 10, Spread::Contiguous)),
        ("64KiB", of(64 << 10, Spread::Scattered)),
    ]
}

/// A tracker for a region of `bytes` bytes.
#[must_use]
pub fn tracker(track: Track, bytes: usize) -> Box<dyn Tracker> {
    match track {
        Track::Diff => Box::new(Diff::new()),
        Track::Marked => Box::new(Marked::new(bytes / LINE)),
    }
}

/// Every tracker of this machine.
#[must_use]
pub fn trackers(bytes: usize) -> Vec<Box<dyn Tracker>> {
    let diffs = Diff::all().map(|diff| Box::new(diff) as Box<dyn Tracker>);
    diffs.chain(std::iter::once(tracker(Track::Marked, bytes))).collect()
}

/// Taking what changed into the record.
#[derive(Debug)]
pub struct Capture {
    region: OwnRegion,
    tracker: Tracked,
    work: Workload,
    cycle: u64,
}

struct Tracked(Box<dyn Tracker>);

impl std::fmt::Debug for Tracked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}

impl Capture {
    /// A region that `work` dirties and `tracker` watches.
    #[must_use]
    pub fn new(work: Workload, tracker: Box<dyn Tracker>) -> Self {
        Self { region: OwnRegion::new(work.region, 1), tracker: Tracked(tracker), work, cycle: 0 }
    }

    /// Changes the dirty lines and marks them, as the step would.
    pub fn dirty(&mut self) {
        self.cycle += 1;
        self.work.step_all(self.cycle, self.region.live_mut());
        self.mark();
    }

    /// Marks the dirty lines again.
    pub fn mark(&mut self) {
        for line in self.work.lines() {
            self.tracker.0.mark(line * LINE, LINE);
        }
    }

    /// Takes them. Gives how many there were.
    pub fn run(&mut self) -> usize {
        self.region.capture(&mut *self.tracker.0, 1)
    }

    /// What is compared.
    #[must_use]
    pub fn both(&self) -> (&[u8], &[u8]) {
        (self.region.live(), self.region.image())
    }
}

/// Cycles between two regions: out of one, into frames, into the other.
#[derive(Debug)]
pub struct Pair {
    ours: OwnRegion,
    theirs: OwnRegion,
    primary: Primary,
    ring: Ring,
    sender: Sender,
    tracker: Marked,
    member: Member,
    tray: Tray,
    work: Workload,
    cycle: u64,
}

impl Pair {
    /// A region that `work` dirties, and a hot copy of it.
    #[must_use]
    pub fn new(work: Workload) -> Self {
        let lines = work.region / LINE;
        let theirs = OwnRegion::new(work.region, 2);
        let map = *theirs.map();
        let ids = |node| Ids { group: 1, layout: layout(work.region).hash, node };
        let settings = Settings {
            members: [1, 2, 0, 0, 0, 0, 0][..MAX_MEMBERS].try_into().expect("as many"),
            silence: u64::MAX / 4,
            patience: u64::MAX / 2,
            status_every: u64::MAX,
            pause: u64::MAX,
            begin_alone: true,
            nonce: 2,
            ..Settings::usual(ids(2), layout(work.region), 1_000_000, FRAME)
        };
        Self {
            ours: OwnRegion::new(work.region, 1),
            theirs,
            // Both begin from nothing, which is the reign's base: the follower is hot from the first cycle on.
            primary: Primary::new(Epoch::NONE.next(1, 1).expect("a first epoch"), Cut::NONE, true),
            sender: Sender::new(ids(1)),
            tracker: Marked::new(lines),
            member: Member::new(settings, &map, 0),
            ring: Ring::new(map.records, lines, FRAME, u32::MAX, 0),
            tray: Tray::new(FRAME, lines.div_ceil(lines_per_frame(FRAME) - 4) + 1),
            work,
            cycle: 0,
        }
    }

    /// Changes the dirty lines and marks them.
    pub fn dirty(&mut self) {
        self.cycle += 1;
        self.work.step_all(self.cycle, self.ours.live_mut());
        for line in self.work.lines() {
            self.tracker.mark(line * LINE, LINE);
        }
        self.tray.clear();
    }

    /// Takes the marked lines, seals them and writes the frames of the cycle. Gives how many.
    pub fn encode(&mut self) -> u32 {
        let Self { ours, primary, ring, sender, tracker, tray, cycle, .. } = self;
        primary.commit(ring, ours, tracker, (*cycle, *cycle), sender, tray).frames
    }

    /// Moves what was committed into the image.
    pub fn settle(&mut self) {
        self.ours.settle(false);
    }

    /// Decodes the frames into the copy's record, without applying it. Gives the lines.
    pub fn collect(&mut self) -> usize {
        let lines = self.work.region / LINE;
        let mut record = self.theirs.record(self.ours.cut().cycle);
        for frame in self.tray.frames() {
            if let Ok(Frame::Data(_, _, runs)) = Frame::decode(frame, lines) {
                for (run, bytes) in runs {
                    record.push(run.start, bytes);
                }
            }
        }
        record.lines()
    }

    /// Seals the copy's record as the same cut and moves it into image and live memory.
    pub fn apply(&mut self) {
        let cut = self.ours.cut();
        self.theirs.seal(&CutInfo { cut, base: Cut::NONE, plant: self.cycle, at: self.cycle });
        self.theirs.settle(true);
    }

    /// Hears the frames as a standby does, from the first to the exposed cut.
    pub fn hear(&mut self) -> Cut {
        for frame in self.tray.frames() {
            self.member.hear(&mut self.theirs, frame, self.cycle);
        }
        self.theirs.cut()
    }

    /// What both do while nothing waits for them.
    pub fn rest(&mut self) {
        self.primary.rest(&self.ours);
        for _ in 0..2 {
            self.member.poll(&self.theirs, self.cycle, true);
        }
    }

    /// Whether the copy holds the last cycle that was committed.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.theirs.cut() == self.ours.cut() && self.theirs.live() == self.ours.live()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_capture_takes_what_is_dirty() {
        for work in sizes(1 << 20) {
            for tracker in trackers(work.region) {
                let mut bench = Capture::new(work, tracker);
                for _ in 0..2 {
                    bench.dirty();
                    assert_eq!(bench.run() * LINE, work.dirty, "{bench:?}");
                }
            }
        }
    }

    #[test]
    fn every_cycle_arrives_whole() {
        for (name, work) in cycles() {
            let mut pair = Pair::new(work);
            for _ in 0..3 {
                pair.dirty();
                let frames = pair.encode();
                pair.settle();
                assert_eq!(pair.tray.frames().count(), frames as usize, "{name}");
                pair.hear();
                assert!(pair.is_whole(), "{name}");
            }
            pair.dirty();
            pair.encode();
            pair.settle();
            assert_eq!(pair.collect() * LINE, work.dirty, "{name}");
            pair.apply();
            assert!(pair.is_whole(), "{name}");
        }
    }
}
