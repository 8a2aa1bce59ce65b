//! The bus: shared memory that stands for the wires between plant and controllers.
//!
//! Contract: 64-bit words only, all atomic. A [`Cell`] is a message that is whole or not there: one writer, any readers, the newest
//! value wins, nobody waits. Which process writes a word is said beside it.

use bytemuck::{AnyBitPattern, NoUninit};
use memmap2::MmapRaw;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, fence};

use crate::demo::state::{DemoState, Inputs, Outputs};

/// Single words. Written by the plant unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Word {
    /// The next tick.
    Tick,
    /// How often the plant was put back to its twin; counts from 1.
    Resyncs,
    /// Written by the director: how often it asked for that.
    ResyncsAsked,
    /// Written by the director: not 0: stop.
    Stop,
    /// Epoch and cycle of the outputs applied last.
    AppliedEpoch,
    /// See [`Word::AppliedEpoch`].
    AppliedCycle,
    /// Outputs of an older epoch that the Gate refused.
    StaleRefused,
    /// Outputs of an older epoch that were applied all the same.
    StaleAccepted,
    /// The longest lateness of a tick since the last resync, ns.
    Stall,
    /// The tick after which the axis was lost since the last resync; 0: it was not.
    LostAt,
    /// Largest deviations from the twin since the last resync, bits of `f64`, fractions of span.
    BumpLevels,
    /// See [`Word::BumpLevels`].
    BumpPumps,
    /// See [`Word::BumpLevels`].
    BumpAxis,
    /// Ticks since the last resync in which no fresh output was there.
    Held,
    /// Written by the director: the longest lateness of its own clock watch, ns.
    Watch,
}

/// Words of a controller, written by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Of {
    /// Takeovers so far; the words below tell of the newest one, and are written before this one.
    Takeovers,
    /// When it was decided, `CLOCK_MONOTONIC` ns.
    Decided,
    /// When its first commit was done.
    Committed,
    /// The cut exposed.
    ExposedEpoch,
    /// See [`Of::ExposedEpoch`].
    ExposedCycle,
    /// The seal in the state exposed.
    ExposedSeal,
    /// Not 0: the state exposed was not exactly one committed cycle.
    Torn,
    /// Cuts applied or led from that did not verify, in all.
    TornCuts,
    /// How long it stood between two turns at most, ns. The director sets it back.
    Gap,
    /// 0, or the newest cycle heard of when it refused to lead, plus one.
    Refused,
    /// 1 once it is open; 2 once a cut was found then.
    Opened,
    /// The cut found at open.
    FoundEpoch,
    /// See [`Of::FoundEpoch`].
    FoundCycle,
    /// The seal in the state found.
    FoundSeal,
    /// Not 0: the state found did not verify.
    FoundTorn,
    /// Bytes of lines that the last cycle changed.
    DirtyBytes,
    /// Frames of the last cycle.
    Frames,
    /// Written by the director: not 0: die that many ns after the next cycle's turn begins.
    Die,
    /// When it will die, or died, by that order.
    DiesAt,
    /// What [`mirror::SyncState`] it is in.
    State,
}

/// Controllers that can be on the bus; numbers 1 to this. The last place is for cold ones.
pub const NODES: usize = 3;

const WORDS: usize = 64;
const PER_NODE: usize = 32;
const NODE_WORDS: usize = WORDS;
const SENSORS: usize = NODE_WORDS + PER_NODE * (NODES + 1);
const OUTPUTS: usize = SENSORS + 1 + words::<Inputs>();
const WARM: usize = OUTPUTS + (NODES + 1) * (1 + words::<Sent>());
const TRACE: usize = WARM + 1 + words::<DemoState>();
const TOTAL: usize = TRACE + TRACE_TICKS * (1 + words::<TraceTick>());

/// Ticks of the trace that are kept.
pub const TRACE_TICKS: usize = 4096;

const fn words<T>() -> usize {
    size_of::<T>() / 8
}

/// Outputs on their way to the plant.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Sent {
    /// Epoch of the token.
    pub epoch: u64,
    /// Cycle of the token.
    pub cycle: u64,
    /// When they were sent.
    pub at: u64,
    /// Not used, zero.
    pub reserved: u64,
    /// The outputs.
    pub out: Outputs,
}

/// What the plant notes of a tick.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct TraceTick {
    /// The tick.
    pub tick: u64,
    /// When it began, ns.
    pub at: u64,
    /// Gap of the axis: plant, twin, reference, m.
    pub axis: [f64; 3],
    /// Four lower levels, cm.
    pub levels: [f64; 4],
    /// The same of the twin.
    pub levels_twin: [f64; 4],
    /// Their references.
    pub levels_reference: [f64; 4],
    /// Two pumps, V.
    pub pumps: [f64; 2],
    /// The same of the twin.
    pub pumps_twin: [f64; 2],
    /// The worst deviation from the twin, fraction of span.
    pub deviation: f64,
    /// Epoch and cycle of the outputs applied.
    pub epoch: u64,
    /// See `epoch`.
    pub cycle: u64,
    /// 1: fresh outputs were there.
    pub fresh: u64,
}

/// A message in the bus.
#[derive(Clone, Copy, Debug)]
pub struct Cell(usize);

impl Cell {
    /// Sensors, from the plant.
    pub const SENSORS: Cell = Cell(SENSORS);
    /// A whole controller state as it should be now, from the plant; which one, [`Word::Resyncs`] says.
    pub const WARM: Cell = Cell(WARM);

    /// Outputs, from controller `node`.
    #[must_use]
    pub fn outputs(node: usize) -> Cell {
        Cell(OUTPUTS + node * (1 + words::<Sent>()))
    }

    /// The trace of `tick`.
    #[must_use]
    pub fn trace(tick: u64) -> Cell {
        Cell(TRACE + (tick as usize % TRACE_TICKS) * (1 + words::<TraceTick>()))
    }
}

/// The shared memory.
#[derive(Debug)]
pub struct Bus {
    memory: MmapRaw,
    path: PathBuf,
    owner: bool,
}

impl Bus {
    /// Makes a new bus; it is removed when this value is dropped.
    ///
    /// # Errors
    /// What the kernel says of `/dev/shm`.
    pub fn create(name: &str) -> io::Result<Self> {
        let path = PathBuf::from(format!("/dev/shm/{name}"));
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        let reserved = rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, TOTAL as u64 * 8);
        let made = reserved.map_err(io::Error::from).and_then(|()| MmapRaw::map_raw(&file));
        match made {
            Ok(memory) => Ok(Self { memory, path, owner: true }),
            Err(e) => {
                std::fs::remove_file(&path)?;
                Err(e)
            }
        }
    }

    /// Opens the bus that the director made.
    ///
    /// # Errors
    /// What the kernel says, or that the file is too short.
    pub fn open(name: &str) -> io::Result<Self> {
        let path = PathBuf::from(format!("/dev/shm/{name}"));
        let memory = MmapRaw::map_raw(&OpenOptions::new().read(true).write(true).open(&path)?)?;
        if memory.len() < TOTAL * 8 {
            return Err(io::Error::other(format!("{} is too short to be a bus", path.display())));
        }
        Ok(Self { memory, path, owner: false })
    }

    fn words(&self, at: usize, count: usize) -> &[AtomicU64] {
        assert!(at + count <= TOTAL);
        // SAFETY: the mapping is at least TOTAL words long (made or checked so), aligned to a page, and only ever
        // used as atomics; the file is not shortened by any of the demo's processes.
        unsafe { std::slice::from_raw_parts(self.memory.as_mut_ptr().cast::<AtomicU64>().add(at), count) }
    }

    /// Value of a word.
    #[must_use]
    pub fn get(&self, word: Word) -> u64 {
        self.words(word as usize, 1)[0].load(Acquire)
    }

    /// Sets a word.
    pub fn set(&self, word: Word, value: u64) {
        self.words(word as usize, 1)[0].store(value, Release);
    }

    /// Value of a controller's word.
    #[must_use]
    pub fn of(&self, node: usize, word: Of) -> u64 {
        self.words(NODE_WORDS + node * PER_NODE + word as usize, 1)[0].load(Acquire)
    }

    /// Sets a controller's word.
    pub fn set_of(&self, node: usize, word: Of, value: u64) {
        self.words(NODE_WORDS + node * PER_NODE + word as usize, 1)[0].store(value, Release);
    }

    /// Publishes a message. One writer at a time.
    pub fn publish<T: NoUninit>(&self, cell: Cell, value: &T) {
        let cell = self.words(cell.0, 1 + words::<T>());
        let number = cell[0].load(Relaxed);
        cell[0].store(number | 1, Relaxed); // odd, also if a writer was killed in the middle
        fence(Release);
        for (to, from) in cell[1..].iter().zip(bytemuck::cast_slice::<u8, u64>(bytemuck::bytes_of(value))) {
            to.store(*from, Relaxed);
        }
        cell[0].store((number | 1) + 1, Release);
    }

    /// The newest message, and its number (0: there was none yet). `None` while it is being written, after a few tries.
    #[must_use]
    pub fn read<T: AnyBitPattern + NoUninit>(&self, cell: Cell, into: &mut T) -> Option<u64> {
        let cell = self.words(cell.0, 1 + words::<T>());
        for _ in 0..1000 {
            let number = cell[0].load(Acquire);
            if number.is_multiple_of(2) {
                for (to, from) in bytemuck::cast_slice_mut::<u8, u64>(bytemuck::bytes_of_mut(into))
                    .iter_mut()
                    .zip(&cell[1..])
                {
                    *to = from.load(Relaxed);
                }
                fence(Acquire);
                if cell[0].load(Relaxed) == number {
                    return Some(number);
                }
            }
            std::hint::spin_loop();
        }
        None
    }

    /// The number of the newest message.
    #[must_use]
    pub fn number(&self, cell: Cell) -> u64 {
        self.words(cell.0, 1)[0].load(Acquire)
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        if self.owner {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable;

    #[test]
    fn a_message_is_whole_or_not_there() {
        let name = format!("mirror-test-bus-{}", std::process::id());
        let bus = Bus::create(&name).unwrap();
        let other = Bus::open(&name).unwrap();
        let writer = std::thread::spawn(move || {
            for i in 0..20_000u64 {
                let sent = Sent {
                    epoch: i,
                    cycle: i,
                    at: i,
                    reserved: i,
                    out: Outputs { cycle: i, ..Outputs::zeroed() },
                };
                other.publish(Cell::outputs(1), &sent);
            }
        });
        let mut sent = Sent::zeroed();
        while bus.number(Cell::outputs(1)) < 40_000 {
            if bus.read(Cell::outputs(1), &mut sent).is_some() {
                assert!(
                    [sent.cycle, sent.at, sent.reserved, sent.out.cycle].iter().all(|&v| v == sent.epoch)
                );
            }
            std::thread::yield_now();
        }
        writer.join().unwrap();
        let path = bus.path.clone();
        drop(bus);
        assert!(!path.exists());
    }
}
