//! The plant's process: 256 tank cells and the axis, the Gate at their actuators, and the twin that never fails.
//!
//! Contract: one tick a millisecond, on the grid of `CLOCK_MONOTONIC`. A tick that comes late is late, never doubled: plant time
//! stands still while this process does, so a stall of the plant's own process costs the controllers nothing. Outputs act
//! if the Gate lets them; without fresh ones the last are held.

use super::bus::{Bus, Cell, NODES, Sent, TraceTick, Word};
use crate::demo::world::{self, Bump, Twin, World};
use crate::demo::{PERIOD_NS, state::Outputs};
use bytemuck::Zeroable;
use mirror::{Cut, Epoch, Gate, Token, clock};
use std::io;

/// The cells whose first tank and pump the trace shows.
pub const SHOWN_CELLS: [usize; 4] = [0, 85, 170, 255];

/// Runs until the director says stop, or is gone.
///
/// # Errors
/// If the bus cannot be opened.
pub fn run(bus: &str, seed: u64) -> io::Result<()> {
    let bus = Bus::open(bus)?;
    let mut plant = Plant::new(seed);
    plant.resync(&bus);
    let mut tick_at = next_tick(clock::now());
    while bus.get(Word::Stop) == 0 {
        super::children::sleep_until(tick_at);
        let now = clock::now();
        let late = now - tick_at;
        if late > bus.get(Word::Stall) {
            bus.set(Word::Stall, late);
        }
        tick_at = next_tick(now);
        let fresh = plant.listen(&bus, now);
        // The first tick waits for the first controller; from then on the plant waits for nobody.
        if plant.started || fresh || !plant.published {
            plant.started |= fresh;
            plant.tick(&bus, now, fresh);
        }
        if bus.get(Word::ResyncsAsked) > bus.get(Word::Resyncs) {
            plant.resync(&bus);
        }
    }
    Ok(())
}

fn next_tick(now: u64) -> u64 {
    (now / PERIOD_NS + 1) * PERIOD_NS
}

struct Plant {
    world: World,
    twin: Twin,
    held: Outputs,
    gate: Gate,
    /// The newest token whose outputs were applied, kept apart from the Gate to judge it.
    applied: Token,
    /// Number of the newest message read from each controller.
    read: [u64; NODES + 1],
    /// Outputs that answer this tick or an older one are of before the last resync.
    before: u64,
    bump: Bump,
    published: bool,
    started: bool,
}

impl Plant {
    fn new(seed: u64) -> Self {
        let twin = world::start(seed);
        let (world, held, before) = (twin.world.clone(), twin.state.out, twin.tick - 1);
        Self {
            world,
            twin,
            held,
            gate: Gate::default(),
            applied: Token::default(),
            read: [0; NODES + 1],
            before,
            bump: Bump::default(),
            published: false,
            started: false,
        }
    }

    /// Takes what the controllers sent. Says whether fresh outputs act from now on.
    fn listen(&mut self, bus: &Bus, now: u64) -> bool {
        let mut came: [Option<Sent>; NODES + 1] = [None; NODES + 1];
        for (node, came) in came.iter_mut().enumerate().skip(1) {
            let mut sent = Sent::zeroed();
            if bus.number(Cell::outputs(node)) != self.read[node]
                && let Some(number) = bus.read(Cell::outputs(node), &mut sent)
            {
                self.read[node] = number;
                *came = Some(sent);
            }
        }
        came.sort_by_key(|sent| sent.map(|sent| sent.at));
        let mut fresh = false;
        for sent in came.iter().flatten() {
            let token = Token(Cut { epoch: Epoch(sent.epoch), cycle: sent.cycle });
            let older = token.0.epoch < self.applied.0.epoch;
            if !self.gate.check(token, now) {
                add(bus, Word::StaleRefused, u64::from(older));
                continue;
            }
            add(bus, Word::StaleAccepted, u64::from(older));
            self.applied = token;
            bus.set(Word::AppliedCycle, token.0.cycle);
            bus.set(Word::AppliedEpoch, token.0.epoch.0);
            if sent.out.tick > self.before {
                self.held = sent.out;
                // A successor that asserts the outputs of its cut again has the say, but nothing new to tell.
                fresh |= sent.out.tick + 1 >= self.twin.tick;
            }
        }
        fresh
    }

    /// One millisecond of plant and twin.
    fn tick(&mut self, bus: &Bus, now: u64, fresh: bool) {
        let tick = self.twin.tick;
        bus.publish(Cell::SENSORS, &self.world.sense(tick));
        bus.set(Word::Tick, tick);
        self.published = true;
        self.world.step(&self.held);
        self.twin.step();
        let now_off = Bump::between(&self.world, &self.twin.world);
        self.bump = self.bump.or(now_off);
        bus.set(Word::BumpLevels, self.bump.levels.to_bits());
        bus.set(Word::BumpPumps, self.bump.pumps.to_bits());
        bus.set(Word::BumpAxis, self.bump.axis.to_bits());
        if !fresh {
            add(bus, Word::Held, 1);
        }
        if self.world.axis().lost() && bus.get(Word::LostAt) == 0 {
            bus.set(Word::LostAt, tick);
        }
        let noted = self.trace(tick, now, fresh, now_off.max());
        bus.publish(Cell::trace(tick), &noted);
    }

    fn trace(&self, tick: u64, at: u64, fresh: bool, deviation: f64) -> TraceTick {
        let level = |world: &World| SHOWN_CELLS.map(|cell| world.tanks()[cell].levels()[0]);
        let pump = |world: &World| [0, 2].map(|i: usize| f64::from(world.held().pumps[SHOWN_CELLS[i]][0]));
        let state = &self.twin.state;
        TraceTick {
            tick,
            at,
            axis: [
                self.world.axis().motion().gap,
                self.twin.world.axis().motion().gap,
                state.axis.reference[0],
            ],
            levels: level(&self.world),
            levels_twin: level(&self.twin.world),
            levels_reference: SHOWN_CELLS.map(|cell| f64::from(state.cells[cell].reference[0])),
            pumps: pump(&self.world),
            pumps_twin: pump(&self.twin.world),
            deviation,
            epoch: self.applied.0.epoch.0,
            cycle: self.applied.0.cycle,
            fresh: u64::from(fresh),
        }
    }

    /// Puts the plant back to its twin, and offers the twin's controller state to whoever leads, so that the next trial
    /// begins without a difference.
    fn resync(&mut self, bus: &Bus) {
        self.world = self.twin.world.clone();
        self.held = self.twin.state.out;
        self.before = self.twin.tick - 1;
        self.bump = Bump::default();
        self.twin.state.seal();
        bus.publish(Cell::WARM, &*self.twin.state);
        for word in [Word::Held, Word::LostAt, Word::Stall, Word::BumpLevels, Word::BumpPumps, Word::BumpAxis]
        {
            bus.set(word, 0);
        }
        bus.set(Word::Resyncs, bus.get(Word::Resyncs) + 1);
    }
}

fn add(bus: &Bus, word: Word, n: u64) {
    bus.set(word, bus.get(word) + n);
}
