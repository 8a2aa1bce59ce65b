//! Data frames: lines of a cycle, as runs.
//!
//! All frames of a cycle but the last have the link's full length, so that a kernel can segment them; what a run's
//! end leaves free is zero and reads as an empty run. A cycle without changes is one frame without runs: the
//! heartbeat. Sweep frames carry their lines in the same way.

use super::header::BODY;
use super::moment::{self, Moment};
use super::{FrameKind, Header, Reject, put_u32, put_u64, u32_at, u64_at};
use crate::line::{self, LINE, Run};
use crate::{Cut, parity};

const AT_INDEX: usize = moment::END;
const AT_COUNT: usize = BODY + 36;
const AT_DIGEST: usize = BODY + 40;
const AT_SINCE: usize = BODY + 48;
const AT_SLICE_FIRST: usize = BODY + 56;
const AT_SLICE_LINES: usize = BODY + 60;
const AT_SLICE_DIGEST: usize = BODY + 64;
/// Where the runs begin.
const RUNS: usize = BODY + 72;
pub(super) const RUN_HEADER: usize = 8;

const _: () = assert!(RUNS == 152);

/// The fields of a data frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataHeader {
    /// The cut that this reign began from.
    pub base: Cut,
    /// The cycle that the lines belong to; greater than `base.cycle`.
    pub cycle: u64,
    /// Control time of the cycle, nanoseconds, never going back, across takeovers too.
    pub plant: u64,
    /// Which frame of the cycle this is, below `count`.
    pub index: u32,
    /// How many frames the cycle has, at least 1.
    pub count: u32,
    /// The cycle carries every line that changed in `(since, cycle]`: usually the cycle before, an earlier one when lines of
    /// earlier cycles ride along. Not below `base.cycle`.
    pub since: u64,
    /// The sum of the digests of the lines that the cycle before it carried; 0: none is told.
    pub digest: u64,
    /// Some lines of the region and their digest as of this cycle, one slice after the other.
    pub slice: Slice,
}

/// Lines of the region and their digest as of the cycle that tells it; no lines: none is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    /// The first line.
    pub first: u32,
    /// How many.
    pub lines: u32,
    /// The sum of their digests.
    pub digest: u64,
}

/// The runs of a checked frame.
#[derive(Clone, Copy, Debug)]
pub struct Runs<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) lines: usize,
}

impl<'a> Runs<'a> {
    /// How many lines the frame carries.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// The runs in their order, each with the bytes of its lines.
    #[must_use]
    pub fn iter(&self) -> RunsIter<'a> {
        RunsIter { bytes: self.bytes }
    }
}

impl<'a> IntoIterator for Runs<'a> {
    type Item = (Run, &'a [u8]);
    type IntoIter = RunsIter<'a>;
    fn into_iter(self) -> RunsIter<'a> {
        self.iter()
    }
}

/// Iterator over the runs of a frame.
#[derive(Clone, Debug)]
pub struct RunsIter<'a> {
    bytes: &'a [u8],
}

impl<'a> Iterator for RunsIter<'a> {
    type Item = (Run, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (head, rest) = self.bytes.split_at_checked(RUN_HEADER)?;
        let run = Run { start: u32_at(head, 0), count: u32_at(head, 4) };
        if run.count == 0 {
            return None;
        }
        let (lines, rest) = rest.split_at_checked(run.count as usize * LINE)?;
        self.bytes = rest;
        Some((run, lines))
    }
}

impl DataHeader {
    pub(super) fn decode<'a>(
        header: &Header,
        flags: u8,
        bytes: &'a [u8],
        lines: usize,
    ) -> Result<(Self, Runs<'a>), Reject> {
        let data = Self::decode_fields(header, flags, bytes, lines)?;
        if data.index >= data.count {
            return Err(Reject::Field { field: "index", value: data.index.into() });
        }
        Ok((data, data.decode_body(&bytes[RUNS..], lines)?))
    }

    /// A parity frame: the fields of its cycle, with the group in the place of the index, and the sum of the group's bodies.
    pub(super) fn decode_parity<'a>(
        header: &Header,
        flags: u8,
        bytes: &'a [u8],
        lines: usize,
    ) -> Result<(Self, &'a [u8]), Reject> {
        let data = Self::decode_fields(header, flags, bytes, lines)?;
        if data.index >= parity::groups(data.count) {
            return Err(Reject::Field { field: "group", value: data.index.into() });
        }
        Ok((data, &bytes[RUNS..]))
    }

    /// The lines in the body of one of the cycle's frames, received or made good.
    pub(crate) fn decode_body<'a>(&self, body: &'a [u8], lines: usize) -> Result<Runs<'a>, Reject> {
        let carried = check_runs(body, 0..lines as u64)?;
        if carried == 0 && self.count > 1 {
            return Err(Reject::Field { field: "runs", value: 0 });
        }
        Ok(Runs { bytes: body, lines: carried })
    }

    fn decode_fields(header: &Header, flags: u8, bytes: &[u8], lines: usize) -> Result<Self, Reject> {
        let field = |field, value| Reject::Field { field, value };
        if bytes.len() < RUNS {
            return Err(Reject::Truncated { got: bytes.len(), said: RUNS });
        }
        let Moment { base, cycle, plant } = Moment::decode(header, flags, bytes)?;
        let data = Self {
            base,
            cycle,
            plant,
            index: u32_at(bytes, AT_INDEX),
            count: u32_at(bytes, AT_COUNT),
            since: u64_at(bytes, AT_SINCE),
            digest: u64_at(bytes, AT_DIGEST),
            slice: Slice {
                first: u32_at(bytes, AT_SLICE_FIRST),
                lines: u32_at(bytes, AT_SLICE_LINES),
                digest: u64_at(bytes, AT_SLICE_DIGEST),
            },
        };
        // A reign's frames come from the node that began it.
        if header.epoch.node() != header.ids.node {
            return Err(field("epoch", header.epoch.0));
        }
        if data.since < data.base.cycle || data.since >= data.cycle {
            return Err(field("since", data.since));
        }
        if u64::from(data.slice.first) + u64::from(data.slice.lines) > lines as u64 {
            return Err(field("slice", data.slice.first.into()));
        }
        // Every frame of a cycle carries a line at least, but for the heartbeat; so a region bounds the count.
        if data.count == 0 || data.count as usize > lines.max(1) {
            return Err(field("count", data.count as u64));
        }
        Ok(data)
    }

    fn encode_fields(&self, head: &mut [u8]) {
        let Self { base, cycle, plant, .. } = *self;
        Moment { base, cycle, plant }.encode(head);
        put_u32(head, AT_INDEX, self.index);
        put_u32(head, AT_COUNT, self.count);
        put_u64(head, AT_DIGEST, self.digest);
        put_u64(head, AT_SINCE, self.since);
        put_u32(head, AT_SLICE_FIRST, self.slice.first);
        put_u32(head, AT_SLICE_LINES, self.slice.lines);
        put_u64(head, AT_SLICE_DIGEST, self.slice.digest);
    }

    /// Writes a parity frame, whose body `sum` makes out of zeros, and gives its length.
    pub(crate) fn encode_parity(
        &self,
        header: &Header,
        frame: &mut [u8],
        sum: impl FnOnce(&mut [u8]),
    ) -> usize {
        let (head, body) = frame.split_at_mut(RUNS);
        body.fill(0);
        sum(body);
        self.encode_fields(head);
        header.seal(FrameKind::Parity, frame);
        frame.len()
    }
}

/// Walks all runs before any is used; gives the number of lines carried. They lie within `lines`.
pub(super) fn check_runs(bytes: &[u8], lines: core::ops::Range<u64>) -> Result<usize, Reject> {
    let mut at = 0;
    let mut carried = 0;
    // Ascending and apart: so no frame carries more lines than the region has, or one twice.
    let mut free_from = lines.start;
    while at + RUN_HEADER <= bytes.len() {
        let (start, count) = (u32_at(bytes, at) as u64, u32_at(bytes, at + 4) as u64);
        if count == 0 {
            break;
        }
        if start < free_from || start + count > lines.end {
            return Err(Reject::Field { field: "run", value: start });
        }
        at += RUN_HEADER + count as usize * LINE;
        if at > bytes.len() {
            return Err(Reject::Field { field: "run length", value: count });
        }
        carried += count as usize;
        free_from = start + count;
    }
    Ok(carried)
}

/// Lines to be sent: runs in ascending order, and their bytes packed one after the other in the same order.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Which lines.
    pub runs: &'a [Run],
    /// Their bytes, 64 a line.
    pub packed: &'a [u8],
}

/// How far a [`Source`] has been sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cursor {
    run: usize,
    /// Lines of that run already taken.
    taken: u32,
    /// Lines taken in all.
    line: usize,
}

impl Cursor {
    /// At line `line` of a source, which is the `taken`-th of run `run`.
    pub(crate) fn new(run: usize, taken: u32, line: usize) -> Self {
        Self { run, taken, line }
    }

    /// How many lines lie between this and `later`.
    pub(crate) fn lines_to(self, later: Self) -> usize {
        later.line - self.line
    }

    /// Adds the body of the frame that begins here and carries `lines` lines to `sum` (see [`crate::parity`]).
    pub(crate) fn add_body(self, source: Source<'_>, lines: usize, sum: &mut [u8]) {
        let Self { mut run, mut taken, mut line } = self;
        let (mut at, end) = (0, line + lines);
        while line < end
            && let Some(&Run { start, count }) = source.runs.get(run)
        {
            let fits = ((count - taken) as usize).min(end - line);
            let mut head = [0; RUN_HEADER];
            put_u32(&mut head, 0, start + taken);
            put_u32(&mut head, 4, fits as u32);
            let bytes = &source.packed[line * LINE..][..fits * LINE];
            let Some(room) = sum.get_mut(at..at + RUN_HEADER + bytes.len()) else { return };
            parity::add(&mut room[..RUN_HEADER], &head);
            parity::add(&mut room[RUN_HEADER..], bytes);
            at += RUN_HEADER + bytes.len();
            (run, taken, line) = (run + 1, 0, line + fits);
        }
    }
    /// Takes as many lines as fit `room` bytes, handing each piece (its run, where in `room` it begins) to `put`;
    /// gives the bytes used. The one place that decides where a frame ends, so planning and writing cannot differ.
    fn fill(&mut self, runs: &[Run], room: usize, mut put: impl FnMut(Run, usize, usize)) -> usize {
        let mut used = 0;
        while let Some(&run) = runs.get(self.run) {
            // What scattered changes are made of: the same as below, with less to compute.
            if run.count == 1 {
                if used + RUN_HEADER + LINE > room {
                    break;
                }
                put(run, used, self.line);
                used += RUN_HEADER + LINE;
                self.line += 1;
                self.run += 1;
                continue;
            }
            let fits = room.saturating_sub(used + RUN_HEADER) / LINE;
            let count = (run.count - self.taken).min(fits as u32);
            if count == 0 {
                break;
            }
            put(Run { start: run.start + self.taken, count }, used, self.line);
            used += RUN_HEADER + count as usize * LINE;
            self.line += count as usize;
            self.taken += count;
            if self.taken == run.count {
                self.run += 1;
                self.taken = 0;
            }
        }
        used
    }
}

/// How many lines a frame of `frame_bytes` holds when they follow one another.
#[must_use]
pub const fn lines_per_frame(frame_bytes: usize) -> usize {
    (frame_bytes - RUNS - RUN_HEADER) / LINE
}

/// How many lines a frame of `frame_bytes` holds wherever they are.
#[must_use]
pub const fn scattered_lines(frame_bytes: usize) -> usize {
    (frame_bytes - RUNS) / (RUN_HEADER + LINE)
}

/// How long the body of a frame of `frame_bytes` is.
#[must_use]
pub const fn body_bytes(frame_bytes: usize) -> usize {
    frame_bytes - RUNS
}

/// The most frames of `frame_bytes` that a cycle of `lines` lines can have: a frame ends only when less than a run of one
/// line fits, so all but the last use more than their room less such a run; and a line costs at most a run.
#[must_use]
pub const fn most_frames(lines: usize, frame_bytes: usize) -> usize {
    (lines * (RUN_HEADER + LINE)) / (frame_bytes - RUNS - (RUN_HEADER + LINE) + 1) + 1
}

/// How many frames of `frame_bytes` carry these runs: at least one, the heartbeat.
#[must_use]
pub fn frames_needed(runs: &[Run], frame_bytes: usize) -> u32 {
    let mut cursor = Cursor::default();
    let mut frames = 0;
    while cursor.run < runs.len() {
        cursor.fill(runs, frame_bytes - RUNS, |_, _, _| {});
        frames += 1;
    }
    frames.max(1)
}

/// Writes the frames of one cycle one after the other.
#[derive(Debug)]
pub(crate) struct CycleWriter<'a> {
    source: Source<'a>,
    data: DataHeader,
    cursor: Cursor,
}

impl<'a> CycleWriter<'a> {
    /// `data.index` and `data.count` are overwritten.
    pub(crate) fn new(source: Source<'a>, data: DataHeader, frame_bytes: usize) -> Self {
        let count = frames_needed(source.runs, frame_bytes);
        Self { source, data: DataHeader { index: 0, count, ..data }, cursor: Cursor::default() }
    }

    /// Goes on where [`at`](Self::at) of another was; `data` has index and count.
    pub(crate) fn resume(source: Source<'a>, data: DataHeader, cursor: Cursor) -> Self {
        Self { source, data, cursor }
    }

    /// How far it has come.
    pub(crate) fn at(&self) -> (DataHeader, Cursor) {
        (self.data, self.cursor)
    }

    pub(crate) fn frames(&self) -> u32 {
        self.data.count
    }

    /// Goes past the next frame without writing it.
    pub(crate) fn skip(&mut self, frame_bytes: usize) {
        self.cursor.fill(self.source.runs, frame_bytes - RUNS, |_, _, _| {});
        self.data.index += 1;
    }

    /// Writes the next frame into `frame` and gives its length, or `None` after the last.
    pub(crate) fn next(&mut self, header: &Header, frame: &mut [u8]) -> Option<usize> {
        if self.data.index == self.data.count {
            return None;
        }
        let (head, room) = frame.split_at_mut(RUNS);
        let Source { runs, packed } = self.source;
        let used = self.cursor.fill(runs, room.len(), |run, at, start| {
            put_u32(room, at, run.start);
            put_u32(room, at + 4, run.count);
            let bytes = run.count as usize * LINE;
            line::copy(&mut room[at + RUN_HEADER..][..bytes], &packed[start * LINE..][..bytes]);
        });
        let last = self.data.index + 1 == self.data.count;
        if !last {
            room[used..].fill(0);
        }
        let length = RUNS + if last { used } else { room.len() };
        self.data.encode_fields(head);
        header.seal(FrameKind::Data, &mut frame[..length]);
        self.data.index += 1;
        Some(length)
    }
}
