//! The plant, and its twin. [`World`] is 256 tank cells and the axis; it advances a tick at a time with the outputs it is
//! given and knows nothing of controllers. [`Twin`] is a second world with a controller that never fails: while the real controller does
//! not fail either, the two are equal to the bit, and whatever a failure changes is the [`Bump`] between them.
//!
//! Sensor noise depends on (seed, tick, channel) alone, so two worlds on the same tick hear the same noise.

use super::axis::{self, Axis};
use super::noise::Noise;
use super::state::{CellState, DemoState, Inputs, Outputs};
use super::tank::{self, Parameters, Tank};
use super::{CELLS, PERIOD_NS, control, recipe};
use bytemuck::Zeroable;

/// Noise of the level sensors, standard deviation, cm: 0.01 % of the span.
pub const LEVEL_SIGMA: f64 = 0.002;
/// Noise of the gap sensor, standard deviation, m: 1 um, 0.007 % of the travel.
pub const GAP_SIGMA: f64 = 1e-6;
/// Noise of the current sensor, standard deviation, A: 0.5 mA.
pub const CURRENT_SIGMA: f64 = 5e-4;
/// Ticks that [`start`] runs, so that filters, observers and phases are those of a running plant.
pub const WARM_TICKS: u64 = 4_000;

/// The plant.
#[derive(Debug, Clone, PartialEq)]
pub struct World {
    seed: u64,
    tanks: Vec<Tank>,
    axis: Axis,
    held: Outputs,
}

impl World {
    /// A plant at rest: every cell at its base levels, the axis hovering, and outputs that keep it so.
    #[must_use]
    pub fn hovering(seed: u64) -> Self {
        let mut held = Outputs::zeroed();
        held.volts = axis::RESISTANCE * axis::Motion::hovering(axis::OPERATING_GAP).current;
        let tanks = (0..CELLS)
            .map(|cell| {
                let parameters = Parameters::of(seed, cell);
                let mut entered = CellState::zeroed();
                recipe::enter(&mut entered, cell);
                let (pumps, levels) = parameters.equilibrium(entered.reference.map(f64::from));
                held.pumps[cell] = pumps.map(|v| v as f32);
                Tank::new(&parameters, levels)
            })
            .collect();
        Self { seed, tanks, axis: Axis::hovering(), held }
    }

    /// The same with the axis at rest on its post.
    #[must_use]
    pub fn resting(seed: u64) -> Self {
        Self { axis: Axis::resting(), ..Self::hovering(seed) }
    }

    /// One tick: applies `outputs`.
    pub fn step(&mut self, outputs: &Outputs) {
        self.held = *outputs;
        for (tank, pumps) in self.tanks.iter_mut().zip(&outputs.pumps) {
            tank.advance(pumps.map(f64::from), tank::TICK_S);
        }
        self.axis.advance(outputs.volts);
    }

    /// The sensors, as read at `tick`.
    #[must_use]
    pub fn sense(&self, tick: u64) -> Inputs {
        let noise = Noise::of(self.seed, tick);
        let mut inp = Inputs::zeroed();
        inp.tick = tick;
        for (cell, (tank, levels)) in self.tanks.iter().zip(&mut inp.levels).enumerate() {
            for (i, level) in levels.iter_mut().enumerate() {
                let sensed = tank.levels()[i] + LEVEL_SIGMA * noise.normal((2 * cell + i) as u64);
                *level = sensed.clamp(0.0, tank::LEVEL_SPAN) as f32;
            }
        }
        let motion = self.axis.motion();
        inp.gap = (motion.gap + GAP_SIGMA * noise.normal(2 * CELLS as u64)).clamp(0.0, axis::TRAVEL);
        inp.current = motion.current + CURRENT_SIGMA * noise.normal(2 * CELLS as u64 + 1);
        inp
    }

    /// The tank cells.
    #[must_use]
    pub fn tanks(&self) -> &[Tank] {
        &self.tanks
    }

    /// The axis.
    #[must_use]
    pub fn axis(&self) -> &Axis {
        &self.axis
    }

    /// The outputs applied last.
    #[must_use]
    pub fn held(&self) -> &Outputs {
        &self.held
    }
}

/// The largest deviations between two worlds, each as a share of its span.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bump {
    /// Of any of the 1024 levels; span 20 cm.
    pub levels: f64,
    /// Of any of the 512 pump voltages; span 10 V.
    pub pumps: f64,
    /// Of the gap; span 14 mm.
    pub axis: f64,
}

impl Bump {
    /// Between two worlds now.
    #[must_use]
    pub fn between(a: &World, b: &World) -> Self {
        let mut bump = Self::default();
        for (a, b) in a.tanks.iter().zip(&b.tanks) {
            for (a, b) in a.levels().iter().zip(b.levels()) {
                bump.levels = bump.levels.max((a - b).abs());
            }
        }
        for (a, b) in a.held.pumps.as_flattened().iter().zip(b.held.pumps.as_flattened()) {
            bump.pumps = bump.pumps.max(f64::from((a - b).abs()));
        }
        bump.levels /= tank::LEVEL_SPAN;
        bump.pumps /= tank::PUMP_SPAN;
        bump.axis = (a.axis.motion().gap - b.axis.motion().gap).abs() / axis::TRAVEL;
        bump
    }

    /// The larger of the two in each.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            levels: self.levels.max(other.levels),
            pumps: self.pumps.max(other.pumps),
            axis: self.axis.max(other.axis),
        }
    }

    /// The largest of the three.
    #[must_use]
    pub fn max(self) -> f64 {
        self.levels.max(self.pumps).max(self.axis)
    }
}

/// A world with a controller that never fails.
#[derive(Debug, Clone)]
pub struct Twin {
    /// The plant.
    pub world: World,
    /// Its controller. Unsealed.
    pub state: Box<DemoState>,
    /// The next tick.
    pub tick: u64,
}

impl Twin {
    /// One tick: sense, advance with the outputs of the tick before, and compute the next.
    pub fn step(&mut self) {
        self.state.inp = self.world.sense(self.tick);
        self.world.step(&self.state.out);
        control::advance(&mut self.state, PERIOD_NS);
        self.tick += 1;
    }
}

/// A running plant with its controller, at its references and warmed up; the next tick is [`WARM_TICKS`]. The real plant
/// starts as a clone of the twin's world, the first primary as a clone of its state, which is sealed.
#[must_use]
pub fn start(seed: u64) -> Twin {
    let world = World::hovering(seed);
    let mut state = Box::new(DemoState::cold());
    state.out = world.held;
    for (index, cell) in state.cells.iter_mut().enumerate() {
        recipe::enter(cell, index);
        cell.pumps = world.held.pumps[index];
        cell.integral = cell.pumps;
        let levels = world.tanks[index].levels();
        cell.upper = [levels[2] as f32, levels[3] as f32];
    }
    state.axis.step = recipe::SCAN;
    state.axis.reference = [axis::OPERATING_GAP, 0.0, 0.0, 0.0];
    (state.axis.volts, state.axis.volts_before) = (state.out.volts, state.out.volts);
    let mut twin = Twin { world, state, tick: 0 };
    while twin.tick < WARM_TICKS {
        twin.step();
    }
    twin.state.seal();
    twin
}
