//! Sweep frames: how a part of the region stands, for those who cannot be healed by single frames.
//!
//! A chunk says of a range of lines: as of cycle `cycle` these have changed since `since`, and look so; the others of the
//! range have not changed since then. With `since` 0 the others were never written: they are zero.

use super::header::BODY;
use super::moment::{self, Moment};
use super::runs::{RUN_HEADER, Runs, check_runs};
use super::{FrameKind, Header, Reject, put_u32, put_u64, u32_at, u64_at};
use crate::Cut;
use crate::line::{self, LINE};

const AT_SINCE: usize = moment::END;
const AT_FIRST: usize = BODY + 40;
const AT_LINES: usize = BODY + 44;
/// Where the runs begin.
const RUNS: usize = BODY + 48;

/// Most lines that one chunk covers: bounds the search for changed ones, and what a receiver does for one frame.
pub const MOST_LINES: u32 = 1 << 16;

/// The fields of a sweep frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweepHeader {
    /// The cut that the reign began from.
    pub base: Cut,
    /// The lines are as of this cycle of the reign; greater than `base.cycle`.
    pub cycle: u64,
    /// Control time of that cycle, nanoseconds.
    pub plant: u64,
    /// Lines of the range that are not carried have not changed since this cycle.
    pub since: u64,
    /// The first line of the range.
    pub first: u32,
    /// How many lines the range has, 1 to [`MOST_LINES`].
    pub lines: u32,
}

impl SweepHeader {
    pub(super) fn decode<'a>(
        header: &Header,
        flags: u8,
        bytes: &'a [u8],
        lines: usize,
    ) -> Result<(Self, Runs<'a>), Reject> {
        let field = |field, value| Reject::Field { field, value };
        if bytes.len() < RUNS {
            return Err(Reject::Truncated { got: bytes.len(), said: RUNS });
        }
        let Moment { base, cycle, plant } = Moment::decode(header, flags, bytes)?;
        let sweep = Self {
            base,
            cycle,
            plant,
            since: u64_at(bytes, AT_SINCE),
            first: u32_at(bytes, AT_FIRST),
            lines: u32_at(bytes, AT_LINES),
        };
        if sweep.since > sweep.cycle {
            return Err(field("since", sweep.since));
        }
        let (first, end) = (u64::from(sweep.first), u64::from(sweep.first) + u64::from(sweep.lines));
        if !(1..=MOST_LINES).contains(&sweep.lines) || end > lines as u64 {
            return Err(field("lines", sweep.lines.into()));
        }
        let carried = check_runs(&bytes[RUNS..], first..end)?;
        Ok((sweep, Runs { bytes: &bytes[RUNS..], lines: carried }))
    }
}

/// Writes one chunk line by line.
#[derive(Debug)]
pub(crate) struct SweepWriter<'a> {
    frame: &'a mut [u8],
    used: usize,
    /// Where the header of the last run stands, and the line that would join it.
    run: Option<(usize, u32)>,
}

impl<'a> SweepWriter<'a> {
    pub(crate) fn new(frame: &'a mut [u8]) -> Self {
        Self { frame, used: RUNS, run: None }
    }

    /// Adds a line above all before it; `false`: it does not fit.
    pub(crate) fn push(&mut self, line: u32, bytes: &[u8]) -> bool {
        let joins = self.run.filter(|&(_, next)| next == line);
        let head = if joins.is_some() { 0 } else { RUN_HEADER };
        let Some(room) = self.frame.get_mut(self.used..self.used + head + LINE) else { return false };
        line::copy(&mut room[head..], bytes);
        let (at, count) = match joins {
            Some((at, _)) => (at, u32_at(self.frame, at + 4) + 1),
            None => {
                put_u32(self.frame, self.used, line);
                (self.used, 1)
            }
        };
        put_u32(self.frame, at + 4, count);
        self.run = Some((at, line + 1));
        self.used += head + LINE;
        true
    }

    /// Writes the header around the lines, and gives the frame's length. `kind`: sweep or refill.
    pub(crate) fn finish(self, kind: FrameKind, header: &Header, sweep: &SweepHeader) -> usize {
        let Self { frame, used, .. } = self;
        let SweepHeader { base, cycle, plant, .. } = *sweep;
        Moment { base, cycle, plant }.encode(frame);
        put_u64(frame, AT_SINCE, sweep.since);
        put_u32(frame, AT_FIRST, sweep.first);
        put_u32(frame, AT_LINES, sweep.lines);
        header.seal(kind, &mut frame[..used]);
        used
    }
}
