//! What the simulation runs: how much a cycle changes, where, over which link, and what is lost.

use super::weather::{WEATHERS, Weather};
use mirror_core::LINE;

/// Lines of the region.
pub const LINES: usize = 65_536;
/// Bytes of a frame.
pub const FRAME: usize = 1472;

/// How much a cycle changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// So many lines, fewer than a frame holds.
    Lines(usize),
    /// So many full frames.
    Frames(usize),
}

/// Where the changed lines lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// Other lines each cycle, no two side by side.
    Random,
    /// The same each cycle, side by side.
    Hot,
}

/// One case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Case {
    /// How much.
    pub size: Size,
    /// Where.
    pub place: Where,
    /// What is lost.
    pub weather: Weather,
}

/// What a case is held against.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Target {
    /// Most of the age at p50, p99, p99.9 and at all, cycles.
    pub ages: Option<[u64; 4]>,
    /// Least of the cycles that are exposed, per cent.
    pub cuts: Option<f64>,
    /// Most bytes beside the data, per cent of these.
    pub extra: Option<f64>,
}

impl Case {
    /// All of them.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let sizes = [Size::Lines(4), Size::Frames(1), Size::Frames(16), Size::Frames(256)];
        let mut all = Vec::new();
        for size in sizes {
            for place in [Where::Random, Where::Hot] {
                all.extend(WEATHERS.map(|weather| Self { size, place, weather }));
            }
        }
        all
    }

    /// `16 frames/random/1%`.
    #[must_use]
    pub fn name(&self) -> String {
        let size = match self.size {
            Size::Lines(n) => format!("{n} lines"),
            Size::Frames(1) => "1 frame".into(),
            Size::Frames(n) => format!("{n} frames"),
        };
        let place = if self.place == Where::Random { "random" } else { "hot" };
        format!("{size}/{place}/{}", self.weather.name)
    }

    /// Frames of a cycle.
    #[must_use]
    pub fn frames(&self) -> usize {
        if let Size::Frames(n) = self.size { n } else { 1 }
    }

    /// Lines that a cycle changes.
    #[must_use]
    pub fn lines(&self) -> usize {
        match self.size {
            Size::Lines(n) => n,
            Size::Frames(n) => n * self.lines_of_a_frame(),
        }
    }

    fn lines_of_a_frame(&self) -> usize {
        let (side_by_side, scattered) = ((FRAME - HEADER - RUN) / LINE, (FRAME - HEADER) / (RUN + LINE));
        if self.place == Where::Hot { side_by_side } else { scattered }
    }

    /// Bytes of a cycle's frames when they carry its own lines and nothing else.
    #[must_use]
    pub fn plain_bytes(&self) -> usize {
        let last = self.lines() - (self.frames() - 1) * self.lines_of_a_frame();
        let runs = if self.place == Where::Hot { 1 } else { last };
        (self.frames() - 1) * FRAME + HEADER + runs * RUN + last * LINE
    }

    /// Bits a second of its link.
    #[must_use]
    pub fn rate(&self) -> u64 {
        if self.frames() > 64 { 10_000_000_000 } else { 1_000_000_000 }
    }

    /// What it is held against, where something is.
    #[must_use]
    pub fn target(&self) -> Target {
        match (self.size, self.weather.name) {
            (Size::Frames(256), "1%") => Target { ages: Some([0, 1, 1, 1]), cuts: None, extra: Some(7.0) },
            (Size::Frames(256), "5%") => Target { cuts: Some(97.0), ..Target::default() },
            _ => Target::default(),
        }
    }
}

/// Bytes before the lines of a data frame, and before those of a run (PROTOCOL.md).
const HEADER: usize = 152;
const RUN: usize = 8;
