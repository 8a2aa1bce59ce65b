//! A controller's process: the loop that a user would write, with its notes for the director.

use super::bus::{Bus, Cell, Of, Sent, Word};
use super::{PHASE_US, SILENCE_CYCLES};
use crate::demo::state::{DemoState, Inputs};
use crate::demo::{PERIOD_NS, control};
use bytemuck::Zeroable;
use mirror::{Cause, Config, Cut, Epoch, Found, Node, SyncState, Token, Turn, Why, clock};
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

/// What a controller is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name of the bus.
    pub bus: String,
    /// Name of the group.
    pub group: String,
    /// Where the group meets.
    pub address: SocketAddr,
    /// This node, 1 or 2.
    pub node: u8,
}

impl Settings {
    /// The node's configuration.
    #[must_use]
    pub fn config(&self) -> Config {
        let mut config = Config::new(&self.group, self.node, self.address, "lo");
        config.layout = "demo 1".into();
        config.phase_us = Some(PHASE_US);
        config.silence_cycles = SILENCE_CYCLES;
        config.patience_cycles = 50;
        config.deadline_us = 2_000;
        config
    }
}

/// Leads or follows until it is killed.
///
/// # Errors
/// If the bus or the node cannot be opened, or the node cannot go on.
pub fn run(settings: &Settings) -> Result<(), Box<dyn Error>> {
    let bus = Bus::open(&settings.bus)?;
    let mut node = Node::<DemoState>::open(&settings.config())?;
    let notes = Notes { bus: &bus, node: settings.node as usize };
    notes.opened(&node);
    let mut turned = clock::now();
    let mut first: Option<mirror::Takeover> = None;
    loop {
        let state = node.state();
        notes.set(Of::State, state as u64);
        let turn = node.begin()?;
        let now = clock::now();
        notes.gap(now - turned);
        turned = now;
        match turn {
            Turn::Lead(mut lead) => {
                notes.obey()?;
                if let Some(t) = lead.takeover().copied().filter(|t| t.cause == Cause::Silence) {
                    notes.takeover(&t, &lead);
                    if t.may_act() {
                        send(&bus, notes.node, t.token(), &lead);
                    }
                    first = Some(t);
                }
                let resyncs = bus.get(Word::Resyncs);
                let wants_warm = lead.tail.reserved[LOADED] != resyncs;
                if wants_warm {
                    // What a recipe download is in a factory: the whole state is new at once.
                    let mut warm = DemoState::zeroed();
                    if bus.read(Cell::WARM, &mut warm).is_none() {
                        continue; // dropped: the cycle is given up
                    }
                    *lead = warm;
                    lead.tail.reserved[LOADED] = resyncs;
                }
                let tick = lead.inp.tick;
                let mut sensors = Inputs::zeroed();
                if bus.read(Cell::SENSORS, &mut sensors).is_none() || sensors.tick <= tick {
                    sensors = lead.inp; // the plant stands still: so does its controller
                }
                let passed = sensors.tick - tick;
                lead.inp = sensors;
                lead.tail.reserved[CUT_CYCLE] = lead.cut().cycle + 1;
                if passed > 0 {
                    control::step(&mut lead, passed * PERIOD_NS);
                } else {
                    lead.seal();
                }
                let done = lead.commit()?;
                if done.may_act() {
                    send(&bus, notes.node, done.token(), &done);
                }
                notes.committed(first.take().is_some(), &done);
            }
            Turn::Follow(view) => notes.verify(&view, view.cut()),
            Turn::Wait(Why::RefusedCold { newest, .. }) => notes.set(Of::Refused, newest + 1),
            _ => {}
        }
    }
}

/// Runs from nothing, without a mirror: what a restart without a standby is.
///
/// # Errors
/// If the bus cannot be opened.
pub fn run_cold(bus: &str, node: usize, epoch: u64) -> Result<(), Box<dyn Error>> {
    let bus = Bus::open(bus)?;
    let notes = Notes { bus: &bus, node };
    let mut state = Box::new(DemoState::cold());
    notes.set(Of::Decided, clock::now());
    let mut cycle = 0;
    loop {
        let mut sensors = Inputs::zeroed();
        if bus.read(Cell::SENSORS, &mut sensors).is_some() && sensors.tick > state.inp.tick {
            let passed = if cycle == 0 { 1 } else { sensors.tick - state.inp.tick };
            state.inp = sensors;
            control::step(&mut state, passed * PERIOD_NS);
            cycle += 1;
            let token = Token(Cut { epoch: Epoch(epoch), cycle });
            send(&bus, node, token, &state);
            if cycle == 1 {
                notes.set(Of::Committed, clock::now());
                notes.set(Of::Takeovers, 1);
            }
        }
        let now = clock::now();
        let phase = PHASE_US * 1000;
        super::children::sleep_until((now.saturating_sub(phase) / PERIOD_NS + 1) * PERIOD_NS + phase);
    }
}

/// Places in the state's tail: the cycle of the cut that it is, and the resync that it was loaded at.
const CUT_CYCLE: usize = 0;
const LOADED: usize = 1;

fn send(bus: &Bus, node: usize, token: Token, state: &DemoState) {
    let Cut { epoch, cycle } = token.0;
    bus.publish(
        Cell::outputs(node),
        &Sent { epoch: epoch.0, cycle, at: clock::now(), reserved: 0, out: state.out },
    );
}

/// Whether `state` is exactly the one that was committed as `cut`.
fn is_cut(state: &DemoState, cut: Cut) -> bool {
    state.verify().is_ok() && state.tail.reserved[CUT_CYCLE] == cut.cycle
}

/// What the controller tells the director.
struct Notes<'a> {
    bus: &'a Bus,
    node: usize,
}

impl Notes<'_> {
    fn set(&self, word: Of, value: u64) {
        self.bus.set_of(self.node, word, value);
    }

    fn get(&self, word: Of) -> u64 {
        self.bus.of(self.node, word)
    }

    fn opened(&self, node: &Node<DemoState>) {
        let found = matches!(node.found(), Found::Cut { .. });
        if found {
            let (cut, state) = (node.cut(), node.held());
            self.set(Of::FoundEpoch, cut.epoch.0);
            self.set(Of::FoundCycle, cut.cycle);
            self.set(Of::FoundSeal, state.tail.seal);
            self.set(Of::FoundTorn, u64::from(!is_cut(state, cut)));
        }
        self.set(Of::State, SyncState::Cold as u64);
        self.set(Of::Opened, 1 + u64::from(found));
    }

    fn gap(&self, ns: u64) {
        if ns > self.get(Of::Gap) {
            self.set(Of::Gap, ns);
        }
    }

    /// Dies in the middle of this cycle, if the director wants it so.
    fn obey(&self) -> std::io::Result<()> {
        let ns = self.get(Of::Die);
        if ns > 0 {
            self.set(Of::Die, 0);
            self.set(Of::DiesAt, clock::now() + ns);
            super::fuse::light(ns)?;
        }
        Ok(())
    }

    fn takeover(&self, t: &mirror::Takeover, state: &DemoState) {
        self.set(Of::Decided, t.at);
        self.set(Of::ExposedEpoch, t.cut.epoch.0);
        self.set(Of::ExposedCycle, t.cut.cycle);
        self.set(Of::ExposedSeal, state.tail.seal);
        self.set(Of::Torn, u64::from(!is_cut(state, t.cut)));
    }

    fn committed(&self, first: bool, done: &mirror::Receipt<'_, DemoState>) {
        let now = clock::now();
        self.set(Of::DirtyBytes, done.published().lines as u64 * 64);
        self.set(Of::Frames, u64::from(done.published().frames));
        if first {
            self.set(Of::Committed, now);
            self.set(Of::Takeovers, self.get(Of::Takeovers) + 1);
        }
    }

    fn verify(&self, state: &DemoState, cut: Cut) {
        if !is_cut(state, cut) {
            self.set(Of::TornCuts, self.get(Of::TornCuts) + 1);
        }
    }
}

/// How long a standby waits before it declares silence.
#[must_use]
pub fn silence() -> Duration {
    Duration::from_nanos(SILENCE_CYCLES as u64 * PERIOD_NS)
}
