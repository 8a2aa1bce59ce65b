//! The director: raises the curtain, kills, waits, measures.
//!
//! A trial begins with the plant put back to its twin and the primary's state with it, so that whatever differs at its end
//! came from the failure. Hot: the primary is killed, a standby holds its state. Cold: both controllers are killed, and
//! a fresh process is started at the moment at which a standby would have declared silence.

use super::bus::{Bus, Cell, Of, Sent, TraceTick, Word};
use super::children::{self, Child, sleep_until};
use super::controller::{self, Settings};
use crate::report::data::{Hit, Kind};
use bytemuck::Zeroable;
use mirror::{Cut, Epoch, Look, Phase, Place, SyncState, clock};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

const MS: u64 = 1_000_000;
/// Longest wait for anything that should come at once, ns: this machine may stand still for a while, not for ever.
const PATIENCE: u64 = 10_000 * MS;
/// How long a takeover is waited for before the trial is a refusal.
const NOBODY_AFTER: u64 = 400 * MS;
/// How long plant and twin are watched after the kill.
const WATCHED: u64 = 450 * MS;
/// What the trace shows before the kill.
const SHOWN_BEFORE: u64 = 60 * MS;
/// About how long a step takes, and a whole cycle, ns: where kills are aimed.
const STEP: u64 = 6_000;
/// See [`STEP`].
const CYCLE: u64 = 25_000;
/// The place of the cold controller on the bus.
const COLD: usize = 3;

/// What was measured of one kill. Times are nanoseconds of `CLOCK_MONOTONIC`.
#[derive(Debug, Clone)]
pub struct Measured {
    /// What stood by.
    pub kind: Kind,
    /// Where the primary was when it died, by its own last word.
    pub hit: Hit,
    /// The node that was killed.
    pub killed: usize,
    /// When.
    pub killed_at: u64,
    /// Silence declared; the successor's first commit. `None`: nobody took over.
    pub took_over: Option<(u64, u64)>,
    /// The cut exposed, and its seal.
    pub exposed: Option<(Cut, u64)>,
    /// The cut that the dead primary's memory held, and its seal.
    pub dead: Option<(Cut, u64)>,
    /// A state anywhere was not exactly one committed cycle.
    pub torn: bool,
    /// The newest cycle known to the standby that refused to lead.
    pub refused_at: Option<u64>,
    /// Ticks without fresh outputs, from the kill to the first fresh ones.
    pub missed: Option<u64>,
    /// Largest deviations: levels, pumps, axis.
    pub bump: [f64; 3],
    /// The axis was lost.
    pub lost: bool,
    /// The longest that any of the processes stood still, ns.
    pub stall: u64,
    /// Outputs of an older epoch: applied, refused.
    pub stale: (u64, u64),
    /// Bytes of the lines of a cycle, and its frames, at the successor's end.
    pub cycle: (u64, u64),
    /// The ticks around the kill.
    pub trace: Vec<TraceTick>,
}

/// The processes on their stage.
#[derive(Debug)]
pub struct Stage {
    controllers: [Option<Child>; 3],
    cold: Option<Child>,
    plant: Child,
    bus: Arc<Bus>,
    bus_name: String,
    group: String,
    address: SocketAddr,
    rng: ChaCha8Rng,
    watch: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    /// SIGINT or SIGTERM came: what was made must be removed before this process ends.
    interrupted: Arc<AtomicBool>,
    /// Takeovers that no kill asked for.
    pub unplanned: u64,
    reigns: u64,
}

type Result<T> = std::result::Result<T, Box<dyn Error>>;

impl Stage {
    /// Starts the plant and both controllers, and waits until one leads and the other is hot.
    ///
    /// # Errors
    /// If a process cannot be started or does not get there.
    pub fn raise(seed: u64) -> Result<Self> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
        }
        let (bus, bus_name) = children::new_bus()?;
        let bus = Arc::new(bus);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let group = format!("demo-{}", std::process::id());
        // Another demo may run on this host: the group's address and port are this run's own.
        let address =
            format!("239.255.{}.{}:{}", rng.random_range(1..255), rng.random_range(1..255), free_port()?);
        let plant = Child::start(&children::plant(&bus_name, seed))?;
        let mut stage = Self {
            controllers: [None, None, None],
            cold: None,
            plant,
            bus,
            bus_name,
            group,
            address: address.parse()?,
            rng,
            watch: None,
            stop: Arc::default(),
            interrupted,
            unplanned: 0,
            reigns: 0,
        };
        stage.wait("the plant did not start", |s| s.bus.get(Word::Resyncs) > 0)?;
        stage.start(1)?;
        stage.start(2)?;
        stage.watch_the_clock();
        stage.ready()?;
        Ok(stage)
    }

    fn settings(&self, node: usize) -> Settings {
        let Self { bus_name, group, address, .. } = self;
        Settings { bus: bus_name.clone(), group: group.clone(), address: *address, node: node as u8 }
    }

    fn place(&self, node: usize) -> Place {
        self.settings(node).config().place
    }

    fn start(&mut self, node: usize) -> Result<()> {
        for word in [Of::Opened, Of::State, Of::Refused] {
            self.bus.set_of(node, word, 0);
        }
        self.controllers[node] = Some(Child::start(&children::controller(&self.settings(node)))?);
        Ok(())
    }

    /// Records how late a sleeper of this machine is woken: evidence of stalls that are nobody's fault here.
    fn watch_the_clock(&mut self) {
        let (bus, stop) = (Arc::clone(&self.bus), Arc::clone(&self.stop));
        self.watch = Some(std::thread::spawn(move || {
            children::wake_precisely();
            while !stop.load(Ordering::Relaxed) {
                let at = clock::now() + MS;
                sleep_until(at);
                let late = clock::now() - at;
                if late > bus.get(Word::Watch) {
                    bus.set(Word::Watch, late);
                }
            }
        }));
    }

    fn wait(&mut self, what: &str, mut until: impl FnMut(&mut Self) -> bool) -> Result<()> {
        let end = clock::now() + PATIENCE;
        while !until(self) {
            if clock::now() > end {
                return Err(format!("{what} within {} s", PATIENCE / (1000 * MS)).into());
            }
            self.alive()?;
            sleep_until(clock::now() + MS / 2);
        }
        Ok(())
    }

    /// No process may end by itself, and nobody may have asked this one to.
    fn alive(&mut self) -> Result<()> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Err("interrupted".into());
        }
        if let Some(status) = self.plant.ended() {
            return Err(format!("the plant's process ended: {status}").into());
        }
        for node in [1, 2] {
            if let Some(status) = self.controllers[node].as_mut().and_then(Child::ended) {
                return Err(format!("controller {node} ended: {status}").into());
            }
        }
        Ok(())
    }

    fn is(&self, node: usize, state: SyncState) -> bool {
        self.bus.of(node, Of::State) == state as u64
    }

    /// The node that leads and the one that stands by, if both are what they should be.
    fn cast(&self) -> Option<(usize, usize)> {
        let leader = Epoch(self.bus.get(Word::AppliedEpoch)).node() as usize;
        let standby = match leader {
            1 => 2,
            2 => 1,
            _ => return None,
        };
        (self.is(leader, SyncState::Primary) && self.is(standby, SyncState::Hot)).then_some((leader, standby))
    }

    fn ready(&mut self) -> Result<(usize, usize)> {
        self.wait("no primary with a hot standby", |s| s.cast().is_some())?;
        Ok(self.cast().unwrap_or((1, 2)))
    }

    /// Puts the plant back to its twin and waits until the primary has loaded the state that belongs to it.
    fn resync(&mut self) -> Result<()> {
        let asked = self.bus.get(Word::Resyncs) + 1;
        self.bus.set(Word::ResyncsAsked, asked);
        self.wait("the plant was not put back", |s| s.bus.get(Word::Resyncs) >= asked)?;
        for node in 1..=COLD {
            self.bus.set_of(node, Of::Gap, 0);
        }
        self.bus.set(Word::Watch, 0);
        Ok(())
    }

    /// One trial.
    ///
    /// # Errors
    /// If a process ended by itself, or the stage did not become ready again.
    pub fn trial(&mut self, kind: Kind, aim: Hit) -> Result<Measured> {
        let (leader, standby) = loop {
            let cast = self.ready()?;
            self.resync()?;
            let pause = self.rng.random_range(100 * MS..160 * MS);
            sleep_until(clock::now() + pause);
            if self.cast() == Some(cast) {
                break cast; // else a stall of the machine has changed the cast meanwhile
            }
        };
        self.unplanned += self.total_reigns().saturating_sub(self.reigns);
        let stale = (self.bus.get(Word::StaleAccepted), self.bus.get(Word::StaleRefused));
        let torn = self.bus.of(1, Of::TornCuts) + self.bus.of(2, Of::TornCuts);
        let (killed_at, hit) = self.kill(leader, standby, kind, aim)?;
        let mut measured = Measured {
            kind,
            hit,
            killed: leader,
            killed_at,
            took_over: None,
            exposed: None,
            dead: None,
            torn: false,
            refused_at: None,
            missed: None,
            bump: [0.0; 3],
            lost: false,
            stall: 0,
            stale: (0, 0),
            cycle: (0, 0),
            trace: vec![],
        };
        match kind {
            Kind::Hot => self.hot(&mut measured, leader, standby)?,
            Kind::Cold => self.cold(&mut measured)?,
        }
        sleep_until(killed_at + WATCHED);
        measured.stale =
            (self.bus.get(Word::StaleAccepted) - stale.0, self.bus.get(Word::StaleRefused) - stale.1);
        measured.torn |= self.bus.of(1, Of::TornCuts) + self.bus.of(2, Of::TornCuts) > torn;
        self.measure(&mut measured);
        if kind == Kind::Cold {
            self.cold = None; // killed and reaped
            self.start(1)?;
            self.start(2)?;
        }
        self.reigns = self.total_reigns();
        Ok(measured)
    }

    fn total_reigns(&self) -> u64 {
        [1, 2].map(|node| self.bus.of(node, Of::Takeovers)).iter().sum()
    }

    /// Kills the primary about where `aim` says; tells when, and where it really was.
    fn kill(&mut self, leader: usize, standby: usize, kind: Kind, aim: Hit) -> Result<(u64, Hit)> {
        let look = Look::open(&self.place(leader))?;
        if kind == Kind::Cold {
            self.end(standby)?;
        }
        let later = self.rng.random_range(0..MS);
        sleep_until(clock::now() + later);
        let child = self.controllers[leader].as_mut().ok_or("the primary is not there")?;
        let at = match aim {
            Hit::Step | Hit::Commit => {
                let ns = if aim == Hit::Step { 1..STEP } else { STEP..CYCLE };
                self.bus.set_of(leader, Of::DiesAt, 0);
                self.bus.set_of(leader, Of::Die, self.rng.random_range(ns));
                // If a stall has just taken the lead from it, it never gets there.
                let end = clock::now() + 50 * MS;
                while child.ended().is_none() && clock::now() < end {
                    sleep_until(clock::now() + MS / 10);
                }
                match (child.ended(), self.bus.of(leader, Of::DiesAt)) {
                    (Some(_), at) if at > 0 => at,
                    _ => kill_now(child)?,
                }
            }
            Hit::Idle | Hit::Random => kill_now(child)?,
        };
        self.controllers[leader] = None;
        let hit = match look.phase() {
            Phase::Step => Hit::Step,
            Phase::Commit => Hit::Commit,
            Phase::Idle | Phase::Apply => Hit::Idle,
        };
        Ok((at, hit))
    }

    fn end(&mut self, node: usize) -> Result<()> {
        if let Some(mut child) = self.controllers[node].take() {
            child.kill()?;
            child.reap();
        }
        Ok(())
    }

    fn hot(&mut self, measured: &mut Measured, leader: usize, standby: usize) -> Result<()> {
        let before = self.bus.of(standby, Of::Takeovers);
        // The dead primary's place is taken by a new process: it must not disturb before somebody leads.
        let end = measured.killed_at + NOBODY_AFTER;
        while self.bus.of(standby, Of::Takeovers) == before && clock::now() < end {
            self.alive()?;
            sleep_until(clock::now() + MS / 2);
        }
        if self.bus.of(standby, Of::Takeovers) > before {
            let of = |word| self.bus.of(standby, word);
            measured.took_over = Some((of(Of::Decided), of(Of::Committed)));
            let cut = Cut { epoch: Epoch(of(Of::ExposedEpoch)), cycle: of(Of::ExposedCycle) };
            measured.exposed = Some((cut, of(Of::ExposedSeal)));
            measured.torn |= of(Of::Torn) != 0;
        } else {
            measured.refused_at = self.bus.of(standby, Of::Refused).checked_sub(1);
        }
        self.start(leader)?;
        self.wait("the killed controller did not come back", |s| s.bus.of(leader, Of::Opened) != 0)?;
        let of = |word| self.bus.of(leader, word);
        if of(Of::Opened) == 2 {
            let cut = Cut { epoch: Epoch(of(Of::FoundEpoch)), cycle: of(Of::FoundCycle) };
            measured.dead = Some((cut, of(Of::FoundSeal)));
            measured.torn |= of(Of::FoundTorn) != 0;
        }
        if let (Some((exposed, seal)), Some((dead, dead_seal))) = (measured.exposed, measured.dead) {
            // What was exposed was committed by the dead primary: its newest cut, or an older one.
            measured.torn |= exposed > dead || (exposed == dead && seal != dead_seal);
        }
        Ok(())
    }

    fn cold(&mut self, measured: &mut Measured) -> Result<()> {
        let mut sent = Sent::zeroed();
        let last =
            self.bus.read(Cell::outputs(measured.killed), &mut sent).map_or(measured.killed_at, |_| sent.at);
        sleep_until(last + controller::silence().as_nanos() as u64);
        let decided = clock::now();
        // Newer than every reign so far, older than every later one of the controllers.
        let epoch = Epoch::new(Epoch(self.bus.get(Word::AppliedEpoch)).counter() + 1, 0, 1);
        self.bus.set_of(COLD, Of::Takeovers, 0);
        self.cold = Some(Child::start(&children::cold(&self.bus_name, COLD, epoch.0))?);
        self.wait("the cold controller did not start", |s| s.bus.of(COLD, Of::Takeovers) != 0)?;
        measured.took_over = Some((decided, self.bus.of(COLD, Of::Committed)));
        Ok(())
    }

    fn measure(&self, measured: &mut Measured) {
        let bump = [Word::BumpLevels, Word::BumpPumps, Word::BumpAxis];
        measured.bump = bump.map(|word| f64::from_bits(self.bus.get(word)));
        measured.lost = self.bus.get(Word::LostAt) != 0;
        let gaps = (1..COLD).map(|node| self.bus.of(node, Of::Gap));
        measured.stall =
            gaps.chain([self.bus.get(Word::Stall), self.bus.get(Word::Watch)]).max().unwrap_or(0);
        let leader = Epoch(self.bus.get(Word::AppliedEpoch)).node() as usize;
        measured.cycle = (self.bus.of(leader, Of::DirtyBytes), self.bus.of(leader, Of::Frames));
        let now = self.bus.get(Word::Tick);
        for tick in now.saturating_sub((WATCHED + SHOWN_BEFORE) / MS + 20)..now {
            let mut noted = TraceTick::zeroed();
            if self.bus.read(Cell::trace(tick), &mut noted).is_some()
                && noted.tick == tick
                && noted.at + SHOWN_BEFORE >= measured.killed_at
            {
                measured.trace.push(noted);
            }
        }
        // Outputs sent before the kill may still act at the first tick after it; the first fresh ones of a newer epoch
        // end the outage.
        let old = measured.trace.iter().rfind(|t| t.at < measured.killed_at).map_or(0, |t| t.epoch);
        let mut after = measured.trace.iter().filter(|t| t.at >= measured.killed_at);
        let mut missed = 0;
        let ended = after.any(|t| {
            missed += 1 - t.fresh;
            t.fresh != 0 && t.epoch > old
        });
        measured.missed = ended.then_some(missed);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.bus.set(Word::Stop, 1);
        self.stop.store(true, Ordering::Relaxed);
        if let Some(watch) = self.watch.take() {
            let _ = watch.join();
        }
        for node in [1, 2] {
            self.controllers[node] = None; // killed and reaped
            let _ = mirror::unlink(&self.place(node));
        }
    }
}

/// SIGKILL from outside; gives the instant.
fn kill_now(child: &mut Child) -> Result<u64> {
    let at = clock::now();
    child.kill()?;
    child.reap();
    Ok(at)
}

/// A UDP port that nobody has at this moment.
fn free_port() -> std::io::Result<u16> {
    Ok(std::net::UdpSocket::bind("0.0.0.0:0")?.local_addr()?.port())
}
