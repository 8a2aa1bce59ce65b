//! A bed for real processes: network namespaces, one for each member, whose cables all end in a hub in this process, which
//! does to every frame what a test tells it to.
//!
//! Contract: the hub carries IPv4 UDP and nothing else, and everything to everybody, so multicast needs no membership
//! beyond the hosts' own. Faults hold for one way, from one member to another, and are drawn from one seed ([`Faults`]). What the
//! members send depends on their time, so a run repeats the faults, not the instants. Every frame is counted ([`Counts`]).
//! The hub sleeps while there is nothing to carry. Namespaces and devices are gone when the bed is dropped and the last
//! process in it has ended.

mod tap;
mod wire;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::Namespace;
use tap::Tap;
use wire::Wire;
pub use wire::{BEHIND, BURST, Counts, Faults};

/// The name of each member's interface.
pub const INTERFACE: &str = "cable";

/// How long the hub waits for a frame before it gives out what it held back.
const QUIET: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
/// Frames taken from one member before the others have their turn.
const TURN: usize = 64;
/// More than a frame of the usual MTU.
const FRAME: usize = 2048;

/// Members 1 to `n`, each in a namespace of its own, and the hub between them.
#[derive(Debug)]
pub struct Bed {
    namespaces: Vec<Namespace>,
    hub: Arc<Mutex<Hub>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Bed {
    /// `members` namespaces, in each of which [`INTERFACE`] is up and has the address 10.77.0.`member`. No faults.
    ///
    /// # Errors
    ///
    /// In words, what this machine does not allow or have: root, `ip`, or TAP devices.
    pub fn new(members: u8, seed: u64) -> Result<Self, String> {
        let mut namespaces = vec![];
        let mut taps = vec![];
        for member in 1..=members {
            let namespace = Namespace::new()?;
            let tap = namespace.within(|| Tap::new(INTERFACE)).map_err(|e| format!("no TAP device: {e}"))?;
            namespace.ip(&format!("address add 10.77.0.{member}/24 dev {INTERFACE}"))?;
            // Room for what is sent while the hub is held up.
            namespace.ip(&format!("link set {INTERFACE} txqueuelen 10000 up"))?;
            namespaces.push(namespace);
            taps.push(tap);
        }
        let wires = |from: usize| {
            let seed_of = |to: usize| seed.wrapping_mul(1000).wrapping_add((from * 10 + to) as u64);
            (0..taps.len()).map(|to| Wire::new(seed_of(to))).collect()
        };
        let hub = Arc::new(Mutex::new(Hub { wires: (0..taps.len()).map(wires).collect(), time: 0 }));
        let ended = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new().name("hub".into()).spawn({
            let (hub, ended) = (Arc::clone(&hub), Arc::clone(&ended));
            move || carry(&taps, &hub, &ended)
        });
        let thread = Some(thread.map_err(|e| format!("no thread: {e}"))?);
        Ok(Self { namespaces, hub, ended, thread })
    }

    /// The namespace of a member.
    ///
    /// # Panics
    ///
    /// If there is no such member; so do all functions that take members.
    #[must_use]
    pub fn namespace(&self, member: u8) -> &Namespace {
        &self.namespaces[at(member)]
    }

    /// What befalls frames from one member to another from now on.
    pub fn set(&self, from: u8, to: u8, faults: Faults) {
        lock(&self.hub).wires[at(from)][at(to)].faults = faults;
    }

    /// What befalls all frames from now on.
    pub fn set_all(&self, faults: Faults) {
        lock(&self.hub).wires.iter_mut().flatten().for_each(|wire| wire.faults = faults);
    }

    /// No faults from now on.
    pub fn heal(&self) {
        self.set_all(Faults::default());
    }

    /// Pulls the plug of a member, as its kernel notices: nothing passes to it or from it.
    ///
    /// # Errors
    ///
    /// What `ip` said.
    pub fn unplug(&self, member: u8) -> Result<(), String> {
        self.cut_off(member, true);
        self.namespace(member).ip(&format!("link set {INTERFACE} carrier off"))
    }

    /// Puts the plug in again.
    ///
    /// # Errors
    ///
    /// What `ip` said.
    pub fn plug(&self, member: u8) -> Result<(), String> {
        self.namespace(member).ip(&format!("link set {INTERFACE} carrier on"))?;
        self.cut_off(member, false);
        Ok(())
    }

    fn cut_off(&self, member: u8, cut: bool) {
        let mut hub = lock(&self.hub);
        for other in 0..hub.wires.len() {
            hub.wires[at(member)][other].faults.cut = cut;
            hub.wires[other][at(member)].faults.cut = cut;
        }
    }

    /// What became of the frames from one member to another.
    #[must_use]
    pub fn counts(&self, from: u8, to: u8) -> Counts {
        lock(&self.hub).wires[at(from)][at(to)].counts
    }

    /// What became of all frames.
    #[must_use]
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        lock(&self.hub).wires.iter().flatten().for_each(|wire| total += wire.counts);
        total
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.ended.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // If it panicked, it said why, and the test saw no frames.
            let _ = thread.join();
        }
    }
}

fn at(member: u8) -> usize {
    usize::from(member) - 1
}

/// A test that failed while it held the lock should not hide its own message behind another's.
fn lock(hub: &Mutex<Hub>) -> MutexGuard<'_, Hub> {
    hub.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct Hub {
    /// By sender, then by receiver; those to oneself carry nothing.
    wires: Vec<Vec<Wire>>,
    /// Frames heard so far, of anybody.
    time: u64,
}

impl Hub {
    fn carry(&mut self, taps: &[Tap], from: usize, frame: &[u8]) {
        self.time += 1;
        for (to, wire) in self.wires[from].iter_mut().enumerate().filter(|(to, _)| *to != from) {
            wire.pass(frame, self.time, &mut |frame| taps[to].give(frame));
        }
        self.release(taps, self.time);
    }

    fn release(&mut self, taps: &[Tap], until: u64) {
        for (to, wire) in self.wires.iter_mut().flat_map(|wires| wires.iter_mut().enumerate()) {
            wire.release(until, &mut |frame| taps[to].give(frame));
        }
    }
}

/// What the hub's thread does.
fn carry(taps: &[Tap], hub: &Mutex<Hub>, ended: &AtomicBool) {
    let mut memory = [0; FRAME];
    while !ended.load(Relaxed) {
        let mut ready: Vec<_> = taps.iter().map(|tap| PollFd::new(tap, PollFlags::IN)).collect();
        if matches!(poll(&mut ready, Some(&QUIET)), Ok(0)) {
            lock(hub).release(taps, u64::MAX);
            continue;
        }
        for from in (0..taps.len()).filter(|&from| ready[from].revents().contains(PollFlags::IN)) {
            let mut hub = lock(hub);
            for _ in 0..TURN {
                let Some(frame) = taps[from].take(&mut memory) else { break };
                if is_udp(frame) {
                    hub.carry(taps, from, frame);
                }
            }
        }
    }
}

/// Whether an Ethernet frame carries IPv4 and that UDP.
fn is_udp(frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&[8, 0]) && frame.get(23) == Some(&17)
}
