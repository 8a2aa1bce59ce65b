//! One control cycle. [`step`] reads `state.inp`, advances everything by `dt`, writes `state.out` and seals: the same bytes
//! in give the same bytes out. `dt` may be several periods, after a takeover: references, recipes and timers are then where
//! they would have been, and the groups of cells that were due in the missed cycles are done now.
//!
//! The axis is controlled every cycle. The tanks are a slower task: a cell's turn comes every [`GROUPS`] cycles, 32 cells at
//! a time; its own clock says how long ago its last turn was. Each cell is the paper's decentralized PI controller with its
//! published gains and times ([`super::tank::PI_GAIN`]), behind a first-order filter of the level; an integrator stands
//! still while it would push its pump further into a limit.

use super::state::{CellState, DemoState, EVENTS, Event, TREND, TrendSlot};
use super::{CELLS, PERIOD_NS, levitate, recipe, tank};

/// Groups of cells; one is done each cycle.
pub const GROUPS: usize = 8;
/// Time constant of the level filter, tank seconds. Ours; short beside the loops' 8 s.
pub const FILTER_S: f64 = 2.0;
/// Periods that one step makes up for at most; a longer silence counts as this long.
pub const PERIODS_MAX: u64 = 1_000;
/// Alarm: a level above 18 cm.
pub const HIGH: u32 = 1;
/// Alarm: a level below 3 cm.
pub const LOW: u32 = 2;
/// Alarm: an error above 2 cm.
pub const DEVIATION: u32 = 4;

/// Runs one cycle, `dt_ns` after the one before, and seals the state.
pub fn step(state: &mut DemoState, dt_ns: u64) {
    advance(state, dt_ns);
    state.seal();
}

/// [`step`] without the seal, for runs that never leave the process.
pub fn advance(state: &mut DemoState, dt_ns: u64) {
    let periods = (dt_ns.saturating_add(PERIOD_NS / 2) / PERIOD_NS).clamp(1, PERIODS_MAX);
    let before = state.head.tick;
    state.head.cycle += 1;
    state.head.tick += periods;
    state.head.dt_ns = dt_ns;
    state.head.missed += periods - 1;
    state.head.gaps += u64::from(periods > 1);

    let alarms = state.axis.alarms;
    state.out.volts = levitate::step(&mut state.axis, &state.inp, periods);
    if alarms != state.axis.alarms {
        let (values, references) =
            ([state.inp.gap, state.inp.current], [state.axis.reference[0], state.axis.reference[1]]);
        record(state, CELLS as u64, [alarms, state.axis.alarms], values, references);
    }
    // The groups whose turn came since the last step, the latest last; after a long silence, each once.
    let due = periods.min(GROUPS as u64);
    for tick in before + periods - due + 1..=before + periods {
        group(state, (tick % GROUPS as u64) as usize);
    }
    state.out.tick = state.inp.tick;
    state.out.cycle = state.head.cycle;
    trend(state);
}

fn group(state: &mut DemoState, group: usize) {
    const SIZE: usize = CELLS / GROUPS;
    for index in group * SIZE..(group + 1) * SIZE {
        let before = state.cells[index].alarms;
        let levels = state.inp.levels[index];
        cell(&mut state.cells[index], index, levels, state.head.tick);
        let now = &state.cells[index];
        state.out.pumps[index] = now.pumps;
        if now.alarms != before {
            let (alarms, references) = ([before, now.alarms].map(u64::from), now.reference.map(f64::from));
            record(state, index as u64, alarms, levels.map(f64::from), references);
        }
    }
    state.head.updates += SIZE as u64;
}

fn cell(cell: &mut CellState, index: usize, levels: [f32; 2], tick: u64) {
    if cell.updates == 0 {
        cell.filtered = levels;
        (cell.lowest, cell.highest) = (levels, levels);
        if cell.target == [0.0; 2] {
            cell.target = recipe::target(index, 0);
            cell.reference = cell.target;
        }
        cell.last_tick = tick.saturating_sub(GROUPS as u64);
    }
    let dt = ((tick - cell.last_tick) as f64 * tank::TICK_S) as f32;
    cell.last_tick = tick;
    cell.updates += 1;
    recipe::advance_cell(cell, index, dt);
    observe_upper(cell, dt);

    let share = dt / (FILTER_S as f32 + dt);
    let mut worst = 0.0f32;
    for (i, level) in levels.into_iter().enumerate() {
        cell.filtered[i] += share * (level - cell.filtered[i]);
        cell.lowest[i] = cell.lowest[i].min(cell.filtered[i]);
        cell.highest[i] = cell.highest[i].max(cell.filtered[i]);
        let error = cell.reference[i] - cell.filtered[i];
        worst = worst.max(error.abs());
        // Volts of sensor times the paper's gain: volts of pump.
        let proportional = (tank::PI_GAIN[i] * tank::SENSOR_GAIN) as f32 * error;
        let wanted = proportional + cell.integral[i];
        let pump = wanted.clamp(0.0, tank::PUMP_SPAN as f32);
        if wanted == pump || (wanted - pump) * error < 0.0 {
            cell.integral[i] += proportional * dt / tank::PI_TIME[i] as f32;
        }
        cell.saturated[i] += u32::from(wanted != pump);
        cell.volume[i] += f64::from(pump * dt) * tank::PUMP_GAIN[i];
        cell.pumps[i] = pump;
    }
    cell.absolute_error += f64::from(worst * dt);
    cell.trace[(cell.updates % 16) as usize] = cell.filtered[0];
    let high = cell.filtered.iter().any(|&h| h > 18.0);
    let low = cell.filtered.iter().any(|&h| h < 3.0);
    cell.alarms =
        if high { HIGH } else { 0 } | if low { LOW } else { 0 } | if worst > 2.0 { DEVIATION } else { 0 };
}

/// The upper tanks are not measured: the published model runs along with the pumps commanded so far.
fn observe_upper(cell: &mut CellState, dt: f32) {
    let root = (2.0 * tank::GRAVITY).sqrt();
    for i in 0..2 {
        // Tank 3 is filled by pump 2, tank 4 by pump 1.
        let (floor, pump) = (tank::FLOOR[i + 2], 1 - i);
        let flow = (1.0 - tank::SPLIT[pump]) * tank::PUMP_GAIN[pump] * f64::from(cell.pumps[pump]);
        let level = f64::from(cell.upper[i]);
        let rate = (flow - tank::OUTLET[i + 2] * root * level.sqrt()) / floor;
        cell.upper[i] = (level + f64::from(dt) * rate).clamp(0.0, tank::LEVEL_SPAN) as f32;
    }
}

fn record(state: &mut DemoState, source: u64, alarms: [u64; 2], values: [f64; 2], references: [f64; 2]) {
    let slot = (state.head.events % EVENTS as u64) as usize;
    let [before, now] = alarms;
    state.events[slot] = Event { tick: state.head.tick, source, before, now, values, references };
    state.head.events += 1;
}

fn trend(state: &mut DemoState) {
    let index = (state.head.tick % CELLS as u64) as usize;
    let cell = &state.cells[index];
    state.trend[(state.head.cycle % TREND as u64) as usize] = TrendSlot {
        tick: state.head.tick,
        plant_tick: state.inp.tick,
        gap: [state.axis.reference[0], state.axis.observer[0]],
        volts: state.axis.volts,
        current: state.axis.observer[2],
        cell: [cell.reference[0], cell.filtered[0], cell.pumps[0], index as f32],
    };
}

#[cfg(test)]
#[path = "control_tests.rs"]
mod tests;
