//! Serving observers: what any number of them lacks is sent from a standby's image, so that the primary need not know of them.
//!
//! Contract: it costs a member a bounded part of its time and of the network, however many observers ask for however much: of
//! what all lack one bit a block of lines is kept, and nothing for any one of them; a budget bounds what is sent; and what
//! is read off the channel between two looks is bounded by the caller. All answers are multicast, so one serves all.
//!
//! # Who serves
//! The first in rank of the hot standbys, by the statuses that members send anyway. Who falls silent, or is not hot any more,
//! is succeeded when three of its statuses have failed to come, or by its own word. Two that serve for that long cost
//! frames and nothing else. The primary serves only where it was told to and is its group's only member.
//!
//! # Laps
//! A cursor goes over the wanted blocks. What an observer wished for before it heard what is on its way is not sent again:
//! at the end of a lap everything is forgotten, and a wish is noted anew if it was written after the last frame of that
//! lap was heard, or comes so much later that this frame must have been lost. The sequences of one server mean nothing to
//! another: a wish names the server that it heard last, and what it heard of another counts as nothing.

use crate::Run;
use crate::region::{Counter, Region};
use crate::sink::FrameSink;
use crate::sweep::{Reign, write_chunk};
use crate::takeover::MAX_MEMBERS;
use crate::wire::{FrameKind, Header, Ids, Sender, Wish};

/// Words of the map of wanted blocks.
const WORDS: usize = 64;
const BLOCKS: u64 = WORDS as u64 * 64;

/// What observers lack, and where the answer stands.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    sender: Sender,
    /// By rank: when the member last said that it is hot, if that was its last word.
    hot: [Option<u64>; MAX_MEMBERS],
    /// Bit per block of lines.
    wanted: [u64; WORDS],
    /// What is known to all who wish is right as of this cycle at least.
    since: u64,
    /// The next line.
    cursor: u64,
    /// The last sequence of the lap before, and when that ended.
    lap: (u64, u64),
    /// Frames that may still be sent, and since when.
    budget: (u32, u64),
}

impl Service {
    pub(crate) fn new(ids: Ids) -> Self {
        Self {
            sender: Sender::new(ids),
            hot: [None; MAX_MEMBERS],
            wanted: [0; WORDS],
            since: u64::MAX,
            cursor: 0,
            lap: (0, 0),
            budget: (0, 0),
        }
    }

    /// The member of this rank said whether it is hot.
    pub(crate) fn told(&mut self, rank: usize, hot: bool, now: u64) {
        self.hot[rank] = hot.then_some(now);
    }

    /// Whether a member that comes before `rank` serves, by a word not older than `age`.
    pub(crate) fn another_serves(&self, rank: usize, now: u64, age: u64) -> bool {
        self.hot[..rank].iter().flatten().any(|&at| now.saturating_sub(at) < age)
    }

    /// Notes what an observer lacks. `again`: for so long after a lap only who heard its last frame is listened to.
    pub(crate) fn hear(
        &mut self,
        region: &Region,
        reign: Reign,
        (header, wish): (&Header, &Wish),
        now: u64,
        again: u64,
    ) {
        if (header.epoch, wish.base) != (reign.epoch, reign.base) || !wish.sweep.any() {
            return region.count(Counter::WishesRefused, 1);
        }
        let (lap, ended) = self.lap;
        let seen = if wish.server == self.sender.ids().node { wish.seen } else { 0 };
        if seen < lap && now.saturating_sub(ended) < again {
            return region.count(Counter::WishesRefused, 1);
        }
        region.count(Counter::WishesTaken, 1);
        self.since = self.since.min(wish.sweep.since);
        let lines = region.map().lines as u64;
        wish.sweep.iter().for_each(|range| self.mark(range, lines));
    }

    fn mark(&mut self, range: Run, lines: u64) {
        let (start, end) =
            (u64::from(range.start), (u64::from(range.start) + u64::from(range.count)).min(lines));
        if start >= end {
            return;
        }
        let block = block_lines(lines);
        let (first, last) = ((start / block) as usize, ((end - 1) / block) as usize);
        for word in first / 64..=last / 64 {
            let low = if word == first / 64 { u64::MAX << (first % 64) } else { u64::MAX };
            let high = if word == last / 64 { u64::MAX >> (63 - last % 64) } else { u64::MAX };
            self.wanted[word] |= low & high;
        }
    }

    /// The next line that somebody lacks, from the cursor on.
    fn next(&self, lines: u64) -> Option<u64> {
        let block = block_lines(lines);
        let first = self.cursor / block;
        if first >= BLOCKS {
            return None;
        }
        let (word, bit) = ((first / 64) as usize, first % 64);
        let rest = self.wanted[word] & u64::MAX << bit;
        let later = (word + 1..WORDS).map(|at| (at, self.wanted[at]));
        let (at, bits) = core::iter::once((word, rest)).chain(later).find(|(_, bits)| *bits != 0)?;
        let line = (at as u64 * 64 + u64::from(bits.trailing_zeros())) * block;
        Some(line.max(self.cursor)).filter(|&line| line < lines)
    }

    /// Whether anybody lacks anything.
    pub(crate) fn wanted(&self) -> bool {
        self.wanted.iter().any(|&word| word != 0)
    }

    /// Forgets what is wanted: another serves.
    pub(crate) fn rest(&mut self) {
        self.wanted = [0; WORDS];
        (self.since, self.cursor) = (u64::MAX, 0);
    }

    /// Sends what is wanted, at most `budget` frames in `every` nanoseconds. Gives the number of frames.
    pub(crate) fn send(
        &mut self,
        region: &Region,
        reign: Reign,
        (budget, every): (u32, u64),
        now: u64,
        sink: &mut dyn FrameSink,
    ) -> u32 {
        if now.saturating_sub(self.budget.1) >= every {
            self.budget = (budget, now);
        }
        let held = region.cut();
        if held.epoch != reign.epoch || !self.wanted() {
            return 0;
        }
        let lines = region.map().lines as u64;
        let since = self.since.min(held.cycle);
        let mut sent = 0;
        while self.budget.0 > 0 {
            let Some(first) = self.next(lines) else {
                self.rest();
                self.lap = (self.sender.sequence(), now);
                break;
            };
            let Some(frame) = sink.lend() else { break };
            let header = self.sender.header(reign.epoch, now);
            let (length, end) =
                write_chunk(region, reign.base, (first, since), (FrameKind::Refill, &header), frame);
            sink.push(length);
            self.cursor = end;
            self.budget.0 -= 1;
            sent += 1;
        }
        region.count(Counter::FramesSent, sent.into());
        region.count(Counter::FramesServed, sent.into());
        sent
    }
}

/// Lines of a block: one, in regions of up to 256 KiB.
fn block_lines(lines: u64) -> u64 {
    lines.div_ceil(BLOCKS).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn the_cursor_goes_over_what_is_wanted_and_stays_in_the_region() {
        let mut service = Service::new(Ids { group: 1, layout: 1, node: 2 });
        let lines = 10_000; // blocks of three
        for (start, count) in [(0, 1), (9_999, 1), (300, 4), (10_000, 9), (u32::MAX, u32::MAX), (5, 0)] {
            service.mark(Run { start, count }, lines);
        }
        let mut found = Vec::new();
        while let Some(line) = service.next(lines) {
            found.push(line);
            service.cursor = line + 1;
        }
        assert_eq!(found, [0, 1, 2, 300, 301, 302, 303, 304, 305, 9_999]);
        service.rest();
        assert!(!service.wanted());
        assert_eq!(service.next(lines), None);
        // A wish for everything, of a region whose blocks are lines.
        service.mark(Run { start: 0, count: u32::MAX }, 100);
        assert_eq!(service.wanted.iter().map(|word| word.count_ones()).sum::<u32>(), 100);
    }

    #[test]
    fn who_serves_is_the_first_that_lately_said_it_is_hot() {
        let mut service = Service::new(Ids { group: 1, layout: 1, node: 4 });
        assert!(!service.another_serves(3, 0, 300));
        service.told(1, true, 100);
        assert!(service.another_serves(3, 399, 300) && !service.another_serves(3, 400, 300));
        assert!(!service.another_serves(1, 100, 300), "who comes first asks nobody");
        service.told(1, false, 110);
        assert!(!service.another_serves(3, 111, 300));
    }
}
