//! The two ends of a cycle, and the two ends of its floor, one slice at a time.
//!
//! Contract: sender and receiver spin, a thousand cycles a second. A latency begins when the state is ready (its stamp is
//! written immediately before `commit`, or before the floor's first send) and ends when the receiver holds all of it (`begin`
//! returned the cut, or the floor's last byte came); both read one clock, so it is a true one-way time. Every
//! cycle is counted, and every cut is checked line by line, outside the measured time.

use super::case::Case;
use crate::bare::Bare;
use crate::machine;
use crate::workload::{Stamp, Workload};
use mirror::{Config, Node, Place, SyncState, Track, Turn, WaitMode, clock};
use serde::{Deserialize, Serialize};
use std::net::SocketAddrV4;

/// Nanoseconds between cycles.
pub const PERIOD: u64 = 1_000_000;
/// The first cycles of a slice warm it up and are not measured.
pub const WARM_UP: usize = 20;
/// A latency above this is a stall of the machine. It is counted, and left in the figures.
pub const STALL: u64 = 5_000_000;
/// A receiver that has heard nothing for so long ends its slice.
const QUIET: u64 = 300_000_000;
/// A side that waited for so long for its turn gives the slice up.
const PATIENCE: u64 = 4_000_000_000;

/// What a receiver saw in a slice.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Seen {
    /// Latency of each measured cycle, nanoseconds.
    pub samples: Vec<u64>,
    /// Cycles that never came whole.
    pub lost: u64,
    /// Cuts with a dirty line that was not of their cycle.
    pub torn: u64,
    /// Turns in which the receiver led although nobody had died.
    pub takeovers: u64,
    /// The last cycle of the slice came.
    pub finished: bool,
}

impl Seen {
    fn note(&mut self, before: &mut Option<u64>, stamp: Stamp, now: u64) {
        if let Some(before) = *before {
            self.lost += stamp.cycle.saturating_sub(before + 1);
        }
        *before = Some(stamp.cycle);
        self.samples.push(now.saturating_sub(stamp.at));
        self.finished = stamp.last != 0;
    }

    fn end(mut self) -> Self {
        self.samples.drain(..WARM_UP.min(self.samples.len()));
        self
    }
}

/// A node of some size of state.
pub trait Side {
    /// One step without waiting; a node that leads commits without changes.
    ///
    /// # Errors
    /// What the node says.
    fn step(&mut self) -> Result<SyncState, mirror::LoopError>;

    /// Leads `cycles` cycles after the `done` earlier ones. Gives the ticks missed, or `None` if this node does not lead.
    ///
    /// # Errors
    /// What the node says.
    fn publish(&mut self, done: u64, cycles: usize) -> Result<Option<u64>, mirror::LoopError>;

    /// Follows until the last cycle of the slice.
    ///
    /// # Errors
    /// What the node says.
    fn follow(&mut self, cycles: usize) -> Result<Seen, mirror::LoopError>;
}

/// Opens node `id` of `case`. Node 1 is the one to lead.
///
/// # Errors
/// What the node says.
pub fn open(case: &Case, id: u8, group: SocketAddrV4) -> Result<Box<dyn Side>, mirror::OpenError> {
    let mut config = Config::new("bench", id, group.into(), "lo");
    config.place = Place::Anonymous;
    config.period_us = PERIOD / 1000;
    // The longest there is: the machine's stalls and the other cases' slices are no deaths.
    (config.silence_cycles, config.patience_cycles) = (1000, 2000);
    config.deadline_us = QUIET / 1000;
    config.track = case.track;
    config.link.wait = WaitMode::Spin;
    Ok(match case.work.region {
        0x1000 => Box::new(Ours::<0x1000>::open(case, &config)?),
        0x1_0000 => Box::new(Ours::<0x1_0000>::open(case, &config)?),
        0x10_0000 => Box::new(Ours::<0x10_0000>::open(case, &config)?),
        other => panic!("no type has a state of {other} bytes: see REGIONS"),
    })
}

struct Ours<const N: usize> {
    node: Node<[u8; N]>,
    work: Workload,
    marks: bool,
}

impl<const N: usize> Ours<N> {
    fn open(case: &Case, config: &Config) -> Result<Self, mirror::OpenError> {
        Ok(Self { node: Node::open(config)?, work: case.work, marks: case.track == Track::Marked })
    }
}

impl<const N: usize> Side for Ours<N> {
    fn step(&mut self) -> Result<SyncState, mirror::LoopError> {
        if let Some(Turn::Lead(lead)) = self.node.try_begin()? {
            lead.commit()?;
        }
        Ok(self.node.state())
    }

    fn publish(&mut self, done: u64, cycles: usize) -> Result<Option<u64>, mirror::LoopError> {
        let (mut missed, mut ran) = (0, 0);
        let until = clock::now() + PATIENCE + cycles as u64 * PERIOD * 2;
        while ran < cycles {
            let Turn::Lead(mut lead) = self.node.begin()? else {
                if clock::now() > until {
                    return Ok(None);
                }
                continue;
            };
            missed += if ran > 0 { lead.missed() } else { 0 };
            let cycle = done + ran as u64 + 1;
            let last = (ran + 1 == cycles).into();
            if self.marks {
                self.work.step(cycle, |at, bytes| lead.write(at, bytes));
                lead.write(0, &Stamp { at: clock::now(), cycle, last }.bytes());
            } else {
                let state = &mut lead[..];
                self.work.step(cycle, |at, bytes| state[at..][..bytes.len()].copy_from_slice(bytes));
                Stamp { at: clock::now(), cycle, last }.write(state);
            }
            lead.commit()?;
            ran += 1;
        }
        Ok(Some(missed))
    }

    fn follow(&mut self, cycles: usize) -> Result<Seen, mirror::LoopError> {
        let mut seen = Seen { samples: Vec::with_capacity(cycles + 1), ..Seen::default() };
        let mut before = None;
        let until = clock::now() + PATIENCE + cycles as u64 * PERIOD * 2;
        while !seen.finished {
            match self.node.begin()? {
                Turn::Follow(view) => {
                    let now = clock::now();
                    let stamp = Stamp::read(&view[..]);
                    if stamp.cycle > 0 {
                        seen.note(&mut before, stamp, now);
                        seen.torn += u64::from(!self.work.is_whole(stamp.cycle, &view[..]));
                    }
                }
                Turn::Lead(_) => {
                    seen.takeovers += 1;
                    break;
                }
                _ if before.is_some() || clock::now() > until => break,
                _ => {}
            }
        }
        Ok(seen.end())
    }
}

/// Sends `cycles` cycles of the floor after the `done` earlier ones.
///
/// # Errors
/// What the kernel says.
pub fn publish_bare(bare: &mut Bare, done: u64, cycles: usize) -> std::io::Result<()> {
    let start = clock::now();
    for ran in 0..cycles {
        let tick = start + (ran as u64 + 1) * PERIOD;
        // Listening, as who leads does.
        while clock::now() < tick {
            bare.piece();
        }
        bare.publish(done + ran as u64 + 1, ran + 1 == cycles)?;
    }
    Ok(())
}

/// Collects cycles of the floor until the last of the slice.
pub fn follow_bare(bare: &mut Bare, cycles: usize) -> Seen {
    let mut seen = Seen { samples: Vec::with_capacity(cycles + 1), ..Seen::default() };
    let (mut before, mut building, mut got) = (None, 0, 0);
    let (mut idle, mut until) = (0u32, clock::now() + PATIENCE);
    while !seen.finished {
        let Some((stamp, bytes)) = bare.piece() else {
            idle = idle.wrapping_add(1);
            if idle.is_multiple_of(1024) && clock::now() > until {
                break;
            }
            continue;
        };
        got = if stamp.cycle == building { got + bytes } else { bytes };
        building = stamp.cycle;
        if got == bare.bytes() {
            let now = clock::now();
            until = now + QUIET;
            seen.note(&mut before, stamp, now);
        }
    }
    seen.end()
}

/// What taking the changes of `case` into the record costs on its own, nanoseconds: the median of `times` captures.
#[must_use]
pub fn capture_cost(case: &Case, clock_ns: u64, times: usize) -> u64 {
    let mut bench =
        crate::micro::Capture::new(case.work, crate::micro::tracker(case.track, case.work.region));
    let mut costs: Vec<u64> = (0..times + WARM_UP)
        .map(|_| {
            bench.dirty();
            let t = clock::now();
            bench.run();
            (clock::now() - t).saturating_sub(clock_ns)
        })
        .collect();
    machine::median(&mut costs[WARM_UP..])
}
