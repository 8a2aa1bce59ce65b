//! One node: its memory, its clock, its inbox, and the member while it runs.

use super::clock::{Clock, Nanos};
use super::memory::Memory;
use super::network::Parcel;
use super::options::Options;
use super::rng::Rng;
use super::workload::Step;
use mirror_core::region::{Counter, Found, Identity, Map, Reader};
use mirror_core::standby::MaxAge;
use mirror_core::takeover::{MAX_MEMBERS, Settings};
use mirror_core::track::{Diff, Marked};
use mirror_core::wire::{Ids, SyncState};
use mirror_core::{Cut, Epoch, FrameSink, Layout, Member, Region, Tracker};
use std::collections::VecDeque;
use std::rc::Rc;

/// The group of every node.
pub const GROUP: u64 = 0x6d69_7272_6f72;

/// Takes frames as they are written.
#[derive(Debug)]
pub struct Wire {
    frame: Box<[u8]>,
    /// What was pushed and not yet taken.
    pub sent: Vec<Rc<[u8]>>,
    /// Frames that the queue takes until it is emptied.
    pub room: usize,
}

impl Wire {
    /// For frames of `bytes` bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self { frame: vec![0; bytes as usize].into_boxed_slice(), sent: vec![], room: usize::MAX }
    }
}

impl FrameSink for Wire {
    fn frame_bytes(&self) -> usize {
        self.frame.len()
    }
    fn lend(&mut self) -> Option<&mut [u8]> {
        (self.sent.len() < self.room).then_some(&mut self.frame)
    }
    fn push(&mut self, len: usize) {
        self.sent.push(self.frame[..len].into());
    }
}

/// A cycle whose step has run and whose commit has not.
#[derive(Clone, Debug)]
pub struct Cycle {
    /// What it will be.
    pub cut: Cut,
    /// Its control time.
    pub plant: u64,
    /// Periods since the turn before.
    pub passed: u64,
    /// What it wrote.
    pub step: Step,
}

/// What a process holds.
pub struct Running {
    /// Its region.
    pub region: Region,
    /// Its member.
    pub member: Member,
    /// What finds the changes.
    pub tracker: Box<dyn Tracker>,
    /// Where its frames go.
    pub wire: Wire,
    /// Where those for observers go.
    pub service: Wire,
    /// The epoch and base of its last reign.
    pub reign: Option<(Epoch, Cut)>,
    /// When the next cycle is due, by its clock.
    pub tick: Nanos,
    /// The cycle that a stall interrupted.
    pub cycle: Option<Cycle>,
    /// Steps that have run since the last cut, and whose commits made none.
    pub open: Vec<Step>,
    /// Periods since the last cut that these took.
    pub open_periods: u64,
    /// When it last looked, by its clock.
    pub looked: Nanos,
    /// When it last came back from an absence that T4 forbids to accuse after.
    pub back: Nanos,
    /// When it last committed in this reign, by its clock.
    pub committed: Option<Nanos>,
    /// The newest cycle of which a sound frame was given to it.
    pub newest: Cut,
}

/// One node.
pub struct Node {
    /// Counted from 0; its id is one more.
    pub place: usize,
    /// The process, if it runs.
    pub up: Option<Running>,
    /// Another process that reads the region.
    pub reader: Option<Reader>,
    /// Dropped after both: they look into it.
    memory: Memory,
    /// Its clock.
    pub clock: Clock,
    /// What waits for it.
    pub inbox: VecDeque<Parcel>,
    /// When it runs next; later events of its queue are void.
    pub next: Nanos,
    /// It does not run before then.
    pub stalled: Nanos,
    /// Its faults.
    pub faults: Rng,
    /// Frames given to the member since the memory was made.
    pub given: u64,
    incarnation: u32,
    boot: u64,
}

/// How a node goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process is gone, its memory stays.
    Process,
    /// The host is gone, and the memory with it.
    Host,
    /// The host is gone, and its memory came back from a disk.
    Reboot,
}

impl Node {
    /// A node that does not run yet.
    #[must_use]
    pub fn new(seed: u64, place: usize, options: &Options) -> Self {
        let mut rng = Rng::fork(seed, "clock", place as u64);
        let drift = options.drift_ppm as i64;
        let clock = Clock::new(rng.range(1, 1 << 40), rng.below(2 * options.drift_ppm + 1) as i64 - drift);
        Self {
            place,
            up: None,
            reader: None,
            memory: Memory::new(map(options)),
            clock,
            inbox: VecDeque::new(),
            next: Nanos::MAX,
            stalled: 0,
            faults: Rng::fork(seed, "faults", place as u64),
            given: 0,
            incarnation: 0,
            boot: 1,
        }
    }

    /// Starts the process on the memory as it is.
    ///
    /// # Errors
    /// Why the memory was refused.
    pub fn start(&mut self, options: &Options, now: Nanos) -> Result<Found, String> {
        self.incarnation += 1;
        let layout = layout(options);
        let id = self.place as u8 + 1;
        let who = Identity { layout, group: GROUP, node: id, process: self.incarnation, boot: self.boot };
        let (region, found) = self.memory.attach(&who).map_err(|error| error.to_string())?;
        self.reader = self.reader.take().or_else(|| self.memory.reader());
        let local = self.clock.local(now);
        let mut settings = settings(options, id, self.incarnation);
        for (place, member) in settings.members.iter_mut().enumerate().take(options.nodes as usize) {
            *member = place as u8 + 1;
        }
        let lines = region.map().lines;
        let tracker: Box<dyn Tracker> = match options.marked {
            0 => Box::new(Diff::new()),
            _ => Box::new(Marked::new(lines)),
        };
        self.up = Some(Running {
            member: Member::new(settings, region.map(), local),
            region,
            tracker,
            wire: Wire::new(options.frame),
            service: Wire::new(options.frame),
            reign: None,
            tick: 0,
            cycle: None,
            open: vec![],
            open_periods: 0,
            looked: local,
            back: local,
            committed: None,
            newest: Cut::NONE,
        });
        Ok(found)
    }

    /// Flips bit `bit` of byte `at` of its memory.
    pub(super) fn alter(&mut self, at: usize, bit: u32) {
        self.memory.alter(at, bit);
    }

    /// Ends the process as `crash` says.
    pub fn stop(&mut self, crash: Crash, options: &Options) {
        self.up = None;
        self.inbox.clear();
        (self.next, self.stalled) = (Nanos::MAX, 0);
        match crash {
            Crash::Process => {}
            Crash::Host => {
                self.reader = None;
                self.memory = Memory::new(map(options));
                self.given = 0;
            }
            Crash::Reboot => self.boot += 1,
        }
    }
}

impl Running {
    /// Whether the live memory is to equal the last cut.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.open.is_empty() && matches!(self.member.state(), SyncState::Hot | SyncState::Primary)
    }

    /// What was written since the last cut is undone.
    pub fn undo(&mut self) {
        self.tracker.reset();
        self.open.clear();
        self.open_periods = 0;
    }

    /// The sum of counters.
    #[must_use]
    pub fn sum(&self, counters: &[Counter]) -> u64 {
        counters.iter().map(|&counter| self.region.counter(counter)).sum()
    }
}

pub(super) fn map(options: &Options) -> Map {
    Map::new(options.state_bytes(), options.records as usize).expect("sizes are drawn in range")
}

pub(super) fn layout(options: &Options) -> Layout {
    Layout::new("simulated", options.state_bytes())
}

/// The settings of node `id`, without its members.
#[must_use]
pub fn settings(options: &Options, id: u8, nonce: u32) -> Settings {
    let Options { period, silence, patience, status_every, .. } = *options;
    let ids = Ids { group: GROUP, layout: 0, node: id };
    Settings {
        members: [0; MAX_MEMBERS],
        silence: silence * period,
        patience: patience * period,
        status_every: status_every * period,
        max_age: MaxAge { cycles: options.max_age, time: silence * period },
        send_budget: options.send as u32,
        parity: options.parity == 1,
        repeats: options.repeats == 1,
        nonce,
        ..Settings::usual(ids, layout(options), period, options.frame as usize)
    }
}
