//! The references: what the cells and the axis are asked to do. Generated from the state alone, period by period, so that a
//! standby continues them where the primary would be, to the bit.

use super::noise::Noise;
use super::state::{AxisState, CellState};
use super::{CELLS, PERIOD_S, axis, tank};

/// The axis's first step: lift the ball off its post.
pub const LIFT: u64 = 0;
/// Then: a slow sine around the operating gap, small.
pub const SCAN: u64 = 1;
/// And large; the two alternate.
pub const SWEEP: u64 = 2;

/// Periods that the lift takes.
pub const LIFT_TICKS: u64 = 1_500;
/// Periods of each scan and sweep.
pub const SCAN_TICKS: u64 = 3_000;
/// Frequency of the axis's reference, rad/s: 6 Hz.
pub const FREQUENCY: f64 = 2.0 * core::f64::consts::PI * 6.0;
/// Amplitudes of scan and sweep, m.
pub const AMPLITUDE: [f64; 2] = [0.0006, 0.0010];
/// How fast the amplitude moves, m/s: slow enough that its derivatives need no feedforward.
pub const AMPLITUDE_RATE: f64 = 0.0005;

/// How fast a cell's references move, cm per tank second: 0.36 cm per wall second.
pub const LEVEL_RATE: f64 = 0.006;
/// The cells' recipe: the lower levels' distance from the cell's base, cm, and how long, in tank seconds.
pub const STEPS: [([f64; 2], f64); 4] =
    [([0.0, 0.0], 90.0), ([1.0, -0.5], 240.0), ([-0.5, 0.8], 300.0), ([0.6, 0.6], 240.0)];

/// The lower levels around which a cell works, cm: those of P-, varied by up to 1 cm.
#[must_use]
pub fn base(cell: usize) -> [f64; 2] {
    let noise = Noise::of(0x7265_6369_7065, cell as u64);
    [0, 1].map(|i| tank::LEVELS[i] + noise.uniform(i as u64))
}

/// The recipe's target for a cell, cm.
#[must_use]
pub fn target(cell: usize, step: u32) -> [f32; 2] {
    let (base, (offset, _)) = (base(cell), STEPS[step as usize % STEPS.len()]);
    [0, 1].map(|i| (base[i] + offset[i]) as f32)
}

/// Puts a cell somewhere into its recipe, so that the farm's cells are out of phase.
pub fn enter(cell: &mut CellState, index: usize) {
    cell.step = (index % STEPS.len()) as u32;
    let (_, duration) = STEPS[cell.step as usize];
    cell.timer = (duration * (index / STEPS.len()) as f64 / (CELLS / STEPS.len()) as f64) as f32;
    cell.target = target(index, cell.step);
    cell.reference = cell.target;
}

/// Advances a cell's recipe and references by `dt` tank seconds. Exact in time: a step that ends within `dt` hands the rest of
/// it to the next, so references do not depend on when a cell has its turns.
pub fn advance_cell(cell: &mut CellState, index: usize, dt: f32) {
    let (_, duration) = STEPS[cell.step as usize % STEPS.len()];
    let rest = cell.timer + dt - duration as f32;
    if rest < 0.0 {
        cell.timer += dt;
        approach(cell, dt);
        return;
    }
    approach(cell, dt - rest);
    cell.timer = rest;
    cell.step = (cell.step + 1) % STEPS.len() as u32;
    cell.batches += u32::from(cell.step == 0);
    (cell.lowest, cell.highest) = (cell.filtered, cell.filtered);
    cell.target = target(index, cell.step);
    approach(cell, rest);
}

fn approach(cell: &mut CellState, dt: f32) {
    let most = LEVEL_RATE as f32 * dt;
    for (reference, target) in cell.reference.iter_mut().zip(cell.target) {
        *reference += (target - *reference).clamp(-most, most);
    }
}

/// Advances the axis's recipe and reference by one period.
pub fn advance_axis(axis: &mut AxisState) {
    axis.timer += 1;
    match axis.step {
        LIFT if axis.timer >= LIFT_TICKS => (axis.step, axis.timer) = (SCAN, 0),
        SCAN | SWEEP if axis.timer >= SCAN_TICKS => {
            (axis.step, axis.timer) = (SCAN + SWEEP - axis.step, 0);
            axis.peak_error = 0.0;
        }
        _ => {}
    }
    if axis.step == LIFT {
        axis.reference = lift(axis.timer);
        return;
    }
    turn(&mut axis.phase);
    let most = AMPLITUDE_RATE * PERIOD_S;
    let target = AMPLITUDE[usize::from(axis.step == SWEEP)];
    axis.amplitude += (target - axis.amplitude).clamp(-most, most);
    let ([sine, cosine], w, a) = (axis.phase, FREQUENCY, axis.amplitude);
    axis.reference =
        [axis::OPERATING_GAP + a * sine, a * w * cosine, -a * w * w * sine, -a * w * w * w * cosine];
}

/// The lift: a quintic from the post to the operating gap, at rest at both ends. Gap and three derivatives.
fn lift(timer: u64) -> [f64; 4] {
    let duration = LIFT_TICKS as f64 * PERIOD_S;
    let (t, height) = (timer as f64 * PERIOD_S / duration, axis::OPERATING_GAP - axis::TRAVEL);
    let position = t * t * t * (10.0 + t * (-15.0 + 6.0 * t));
    let speed = 30.0 * t * t * (1.0 - t) * (1.0 - t);
    let acceleration = 60.0 * t * (1.0 - t) * (1.0 - 2.0 * t);
    let jerk = 60.0 - 360.0 * t * (1.0 - t);
    let rate = 1.0 / duration;
    [
        axis::TRAVEL + height * position,
        height * speed * rate,
        height * acceleration * rate * rate,
        height * jerk * rate * rate * rate,
    ]
}

/// Turns (sine, cosine) by one period. By rotation, not by the library's sine, whose last bits may differ between hosts.
fn turn(phase: &mut [f64; 2]) {
    const X: f64 = FREQUENCY * PERIOD_S;
    const S: f64 = X * (1.0 - X * X / 6.0 * (1.0 - X * X / 20.0 * (1.0 - X * X / 42.0)));
    const C: f64 = 1.0 - X * X / 2.0 * (1.0 - X * X / 12.0 * (1.0 - X * X / 30.0));
    let [s, c] = *phase;
    let (s, c) = (s * C + c * S, c * C - s * S);
    // One Newton step back to the unit circle.
    let scale = 1.5 - 0.5 * (s * s + c * c);
    *phase = [s * scale, c * scale];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phase_is_a_sine() {
        let mut phase = [0.0, 1.0];
        for n in 1..=100_000 {
            turn(&mut phase);
            assert!((phase[0] - (FREQUENCY * PERIOD_S * f64::from(n)).sin()).abs() < 1e-8);
        }
    }

    #[test]
    fn the_lift_ends_at_rest_at_the_operating_gap() {
        assert_eq!(lift(0)[0], axis::TRAVEL);
        let [gap, speed, acceleration, _] = lift(LIFT_TICKS);
        assert!((gap - axis::OPERATING_GAP).abs() < 1e-15 && speed == 0.0 && acceleration == 0.0);
    }
}
