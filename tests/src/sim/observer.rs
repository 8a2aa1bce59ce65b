//! Observers of the cluster: they hear what members send and what standbys send them, over links of their own that lose, damage,
//! double and delay, and are restarted on their memory or without it.
//!
//! Contract: they draw from generators of their own, so that a run with observers is, for its members, the run without.

use super::checkers::backwards::Backwards;
use super::checkers::{Check, ensure, torn};
use super::clock::Nanos;
use super::history::History;
use super::memory::Memory;
use super::network::damaged;
use super::node::{GROUP, Wire, layout, map};
use super::options::Options;
use super::rng::Rng;
use mirror_core::observer::{ObserverSettings, Standing};
use mirror_core::region::{Counter, Identity};
use mirror_core::{Cut, Observer, Region};
use std::rc::Rc;

/// The two channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// What members send each other.
    Members,
    /// What standbys send observers.
    Refills,
}

/// One observer.
pub struct Watcher {
    region: Region,
    observer: Observer,
    /// Its wishes.
    pub wire: Wire,
    /// Dropped after the region, which looks into it.
    memory: Memory,
    rng: Rng,
    /// Frames lost, ppm.
    loss: u64,
    given: u64,
    seed: u64,
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watcher").field("cut", &self.region.cut()).finish_non_exhaustive()
    }
}

/// All of them.
#[derive(Debug)]
pub struct Watchers {
    /// By place.
    pub all: Vec<Watcher>,
    backwards: Backwards,
    calm: bool,
}

impl Watchers {
    /// As many as the options say.
    ///
    /// # Errors
    /// New memory was refused.
    pub fn new(seed: u64, options: &Options) -> Result<Self, String> {
        let watcher =
            |place| Watcher::new(Rng::fork(seed, "observer", place), options, Memory::new(map(options)));
        let all = (0..options.observers).map(watcher).collect::<Result<_, _>>()?;
        Ok(Self { all, backwards: Backwards::new(options.observers), calm: false })
    }

    /// No faults from now on.
    pub fn calm(&mut self) {
        self.calm = true;
    }

    /// A frame on its way to each: `arrive` is told to whom, when, and what is left of it.
    pub fn send(
        &mut self,
        o: &Options,
        now: Nanos,
        frame: &Rc<[u8]>,
        mut arrive: impl FnMut(usize, Nanos, Rc<[u8]>),
    ) {
        for (place, watcher) in self.all.iter_mut().enumerate() {
            let r = &mut watcher.rng;
            let soon = now + o.latency + r.below(o.jitter + 1);
            if self.calm {
                arrive(place, soon, Rc::clone(frame));
                continue;
            }
            if r.chance(o.double_ppm) {
                arrive(place, soon + r.below(o.late_periods * o.period + 1), Rc::clone(frame));
            }
            if r.chance(o.damage_ppm) {
                arrive(place, soon, damaged(frame, r));
            } else if !r.chance(watcher.loss) {
                arrive(place, soon, Rc::clone(frame));
            }
        }
    }

    /// A frame arrives.
    ///
    /// # Errors
    /// What it exposes is torn, or older than what it exposed before.
    pub fn hear(
        &mut self,
        place: usize,
        (channel, bytes): (Channel, &[u8]),
        now: Nanos,
        history: &History,
    ) -> Result<bool, super::checkers::Violation> {
        let Watcher { region, observer, given, .. } = &mut self.all[place];
        let before = region.cut();
        match channel {
            Channel::Members => observer.hear(region, bytes, now),
            Channel::Refills => observer.hear_refill(region, bytes, now),
        };
        *given += 1;
        self.look(place, before, history)
    }

    /// It looks at the clock, and says what it lacks.
    ///
    /// # Errors
    /// As [`hear`](Self::hear); also if its counters do not add up.
    pub fn poll(
        &mut self,
        place: usize,
        now: Nanos,
        history: &History,
    ) -> Result<bool, super::checkers::Violation> {
        let Watcher { region, observer, wire, given, .. } = &mut self.all[place];
        let before = region.cut();
        observer.poll(region, now);
        observer.talk(region, now, wire);
        let heard = region.counter(Counter::FramesHeard);
        let outcomes: u64 = Counter::OUTCOMES.iter().map(|&outcome| region.counter(outcome)).sum();
        ensure((heard, outcomes) == (*given, *given), "accounting", || {
            format!("observer {place} was given {given} frames, counts {heard} heard and {outcomes} outcomes")
        })?;
        self.look(place, before, history)
    }

    fn look(
        &mut self,
        place: usize,
        before: Cut,
        history: &History,
    ) -> Result<bool, super::checkers::Violation> {
        let Watcher { region, observer, .. } = &self.all[place];
        let cut = region.cut();
        if cut == before {
            return Ok(false);
        }
        torn::region(history, region, OBSERVERS + place, false, None)?;
        ensure(observer.exposed(region).is_some_and(|held| held.cut == cut), "backwards", || {
            format!("observer {place} holds {cut} and does not expose it")
        })?;
        self.backwards.exposed(place, cut)?;
        Ok(true)
    }

    /// It is restarted, now and then, on its memory or on new one. Gives whether it was.
    ///
    /// # Errors
    /// It found something else than it held.
    pub fn restart(&mut self, place: usize, o: &Options) -> Result<bool, super::checkers::Violation> {
        let watcher = &mut self.all[place];
        if self.calm || !watcher.rng.chance(o.crash_ppm + 1000) {
            return Ok(false);
        }
        let lost = watcher.rng.chance(o.host_crash_ppm);
        if lost {
            self.backwards.forget(place);
        }
        let restarted = watcher.restart(o, lost);
        ensure(restarted.is_ok(), "restart", || format!("observer {place}: {restarted:?}"))?;
        self.backwards.restarted(place, self.all[place].region.cut())?;
        Ok(true)
    }

    /// Whether all hold what `lead` is, or at most `lag` cycles less. Where all members lost their memory and began under an older
    /// epoch, an observer that kept its own has to stay where it is, and to say so.
    ///
    /// # Errors
    /// Who does not.
    pub fn in_step(&self, lead: Cut, lag: u64, now: Nanos) -> Check {
        for (place, Watcher { region, observer, .. }) in self.all.iter().enumerate() {
            let cut = region.cut();
            let standing = observer.standing(region, now);
            let stays = region.epoch_seen() > lead.epoch
                && matches!(standing, Standing::OlderReign { heard, .. } if heard == lead.epoch);
            let follows = cut.epoch == lead.epoch && cut.cycle + lag >= lead.cycle;
            ensure(follows || stays, "convergence", || {
                format!("observer {place} is at {cut}, {lead} leads: {standing:?}")
            })?;
        }
        Ok(())
    }
}

/// Places of observers in what is said of nodes begin here.
const OBSERVERS: usize = 99;

impl Watcher {
    fn new(mut rng: Rng, options: &Options, mut memory: Memory) -> Result<Self, String> {
        let loss = rng.pick(&[0, 10_000, 50_000, 200_000]);
        let seed = rng.bits();
        let (region, observer) = open(options, &mut memory, seed)?;
        Ok(Self { region, observer, wire: Wire::new(options.frame), memory, rng, loss, given: 0, seed })
    }

    fn restart(&mut self, options: &Options, lost: bool) -> Result<(), String> {
        let mut new = Memory::new(map(options));
        self.seed = self.seed.wrapping_add(1);
        if lost {
            // The region goes before the memory that it looks into.
            (self.region, self.observer) = open(options, &mut new, self.seed)?;
            (self.memory, self.given) = (new, 0);
        } else {
            (self.region, self.observer) = open(options, &mut new, self.seed)?;
            (self.region, self.observer) = open(options, &mut self.memory, self.seed)?;
        }
        self.wire.sent.clear();
        Ok(())
    }
}

fn open(options: &Options, memory: &mut Memory, seed: u64) -> Result<(Region, Observer), String> {
    let layout = layout(options);
    let who = Identity { layout, group: GROUP, node: 0, process: 1, boot: 1 };
    let (region, _) = memory.attach(&who).map_err(|error| error.to_string())?;
    let settings = ObserverSettings {
        status_every: options.status_every * options.period,
        silence: options.silence * options.period,
        seed,
        ..ObserverSettings::usual(GROUP, layout, options.period, options.frame as usize)
    };
    let observer = Observer::new(settings, region.map(), &region.committed());
    Ok((region, observer))
}
