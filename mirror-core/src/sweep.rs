//! A sweep: filling those whom single frames cannot heal, while the cycles go on.
//!
//! Contract: one cursor goes over the lines that anybody lacks, chunk by chunk, within the budget of each cycle. All
//! chunks are multicast and each says as of which cycle it is, so whoever joins in the middle of a lap takes what is left of it.
//!
//! A member says what it lacks; only its newest word counts. What was sent after it spoke is on its way to it: the cursor has
//! passed it. When the cursor comes to the end, a new lap begins, and only a word that was spoken after the last chunk of the
//! old lap was heard is listened to: so nothing is sent twice but what was lost. A member that fell silent costs at most the
//! rest of one lap.

use crate::line::LINE;
use crate::planted::{self, Bug};
use crate::region::Counter;
use crate::takeover::MAX_MEMBERS;
use crate::wire::{FrameKind, Header, MOST_LINES, Sender, SweepHeader, SweepWant, SweepWriter};
use crate::{Cut, Epoch, FrameSink, Region};

/// Who lacks what, and where the sweep stands.
#[derive(Clone, Debug)]
pub(crate) struct Sweep {
    wants: [SweepWant; MAX_MEMBERS],
    /// The next line.
    cursor: u64,
    /// The last sequence of the lap before.
    lap: u64,
}

/// Whose sweep it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reign {
    pub(crate) epoch: Epoch,
    pub(crate) base: Cut,
}

impl Sweep {
    pub(crate) fn new() -> Self {
        Self { wants: [SweepWant::default(); MAX_MEMBERS], cursor: 0, lap: 0 }
    }

    /// The member of this rank lacks `want`; it had heard transmissions up to `seen`.
    pub(crate) fn hear(&mut self, rank: usize, seen: u64, want: &SweepWant) {
        if seen >= self.lap {
            self.wants[rank] = *want;
        }
    }

    /// Whether anybody lacks anything.
    pub(crate) fn wanted(&self) -> bool {
        self.wants.iter().any(SweepWant::any)
    }

    /// Sends chunks, at most `budget`. Gives the number of frames.
    pub(crate) fn send(
        &mut self,
        region: &Region,
        reign: Reign,
        budget: u32,
        (sender, now): (&mut Sender, u64),
        sink: &mut dyn FrameSink,
    ) -> u32 {
        let committed = region.committed();
        if committed.cut.epoch != reign.epoch || !self.wanted() {
            return 0;
        }
        let lines = region.map().lines as u64;
        let since = self.wants.iter().filter(|want| want.any()).map(|want| want.since).min().unwrap_or(0);
        let since = since.min(committed.cut.cycle);
        let mut sent = 0;
        while sent < budget {
            let Some(first) = self.next(lines) else {
                (self.cursor, self.lap) = (0, sender.sequence());
                self.wants = [SweepWant::default(); MAX_MEMBERS];
                break;
            };
            let Some(frame) = sink.lend() else { break };
            let header = sender.header(reign.epoch, now);
            let (length, end) =
                write_chunk(region, reign.base, (first, since), (FrameKind::Sweep, &header), frame);
            sink.push(length);
            self.cursor = end;
            sent += 1;
        }
        region.count(Counter::FramesSent, sent.into());
        region.count(Counter::FramesSwept, sent.into());
        sent
    }

    /// The next line that somebody lacks, from the cursor on.
    fn next(&self, lines: u64) -> Option<u64> {
        let ranges = self.wants.iter().flat_map(SweepWant::iter);
        let ranges = ranges.map(|range| {
            let start = u64::from(range.start);
            (start.max(self.cursor), (start + u64::from(range.count)).min(lines))
        });
        ranges.filter(|(start, end)| start < end).map(|(start, _)| start).min()
    }
}

/// Writes the chunk of the committed image that begins at line `first`, of what has changed since cycle `since`. Gives the
/// frame's length, and the line after the chunk.
pub(crate) fn write_chunk(
    region: &Region,
    base: Cut,
    (first, since): (u64, u64),
    (kind, header): (FrameKind, &Header),
    frame: &mut [u8],
) -> (usize, u64) {
    let (committed, lines) = (region.committed(), region.map().lines as u64);
    let mut writer = SweepWriter::new(frame);
    let known = since + u64::from(planted::is(Bug::ServesTooLittle) && kind == FrameKind::Refill);
    let mut line = first;
    // On beyond what is wanted here, while there is room: the next part that is may be near.
    while line < lines.min(first + u64::from(MOST_LINES)) {
        let at = line as usize;
        if region.stamp(at) > known && !writer.push(at as u32, &region.image()[at * LINE..][..LINE]) {
            break;
        }
        line += 1;
    }
    let sweep = SweepHeader {
        base,
        cycle: committed.cut.cycle,
        plant: committed.plant,
        since,
        first: first as u32,
        lines: (line - first) as u32,
    };
    (writer.finish(kind, header, &sweep), line)
}
