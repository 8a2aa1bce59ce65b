//! The axis's part of a cycle: advance the reference, observe, feed back. After missed cycles the observer replays the held
//! voltage over all of them, so that the feedback starts from where the ball is and not from where it was.
//!
//! Observer: the nonlinear model run forward a period at a time, corrected by the measured gap and current (for the gap an
//! alpha-beta-gamma filter: gap, speed, and the acceleration that the model does not explain). Feedback: exact
//! linearisation with gap, speed and acceleration as coordinates; the reference's jerk is the feedforward; the error obeys
//! (s + [`POLE`])^4 = 0. The sensors are a period old when the voltage acts, so the observer looks one period ahead with
//! the voltage that is already on its way.

use super::axis::{self, Motion};
use super::state::{AxisState, Inputs};
use super::{PERIOD_S, recipe};

/// Closed-loop poles of the axis, rad/s. Our choice.
pub const POLE: f64 = 100.0;
/// Bound of the observed push, m/s^2.
pub const PUSH_MAX: f64 = 2.0;
/// Observer: share of the gap's innovation taken over each period.
pub const ALPHA: f64 = 0.2;
/// Observer: share of the current's innovation taken over each period.
pub const CURRENT_SHARE: f64 = 0.25;
/// Bound of the integrator, m s: enough to hold against an unexplained jerk of 1000 m/s^3.
pub const INTEGRAL_MAX: f64 = 1e-5;
/// Alarm: the ball is within 1 mm of a stop.
pub const NEAR_STOP: u64 = 1;
/// Alarm: the error exceeds 0.5 mm.
pub const DEVIATION: u64 = 2;

/// One step after `periods` periods. Returns the voltage.
pub fn step(state: &mut AxisState, inp: &Inputs, periods: u64) -> f64 {
    for _ in 0..periods {
        recipe::advance_axis(state);
    }
    let now = observe(state, inp, periods);
    let ahead = now.after(state.volts, axis::PULL, state.push);
    let volts = feedback(state, &ahead);
    (state.volts_before, state.volts) = (state.volts, volts);
    volts
}

fn observe(state: &mut AxisState, inp: &Inputs, periods: u64) -> Motion {
    if state.observing == 0 {
        state.observing = 1;
        state.observer = [inp.gap, 0.0, inp.current];
        return Motion { gap: inp.gap, speed: 0.0, current: inp.current };
    }
    let [gap, speed, current] = state.observer;
    let mut model = Motion { gap, speed, current };
    for period in 0..periods {
        // The outputs of the last step act from the second period on.
        let volts = if period == 0 { state.volts_before } else { state.volts };
        model = model.after(volts, axis::PULL, state.push);
    }
    // After a gap the model is trusted less: as if the filter had run, and forgotten, every period.
    let (mut keep, mut keep_current) = (1.0, 1.0);
    for _ in 0..periods {
        keep *= 1.0 - ALPHA;
        keep_current *= 1.0 - CURRENT_SHARE;
    }
    let alpha = 1.0 - keep;
    let beta = alpha * alpha / (2.0 - alpha);
    state.innovation = [inp.gap - model.gap, inp.current - model.current];
    model.gap += alpha * state.innovation[0];
    model.speed += beta * state.innovation[0] / (periods as f64 * PERIOD_S);
    if periods == 1 {
        let gain = beta * beta / (2.0 * alpha) / (PERIOD_S * PERIOD_S);
        state.push = (state.push + gain * state.innovation[0]).clamp(-PUSH_MAX, PUSH_MAX);
    }
    model.current += (1.0 - keep_current) * state.innovation[1];
    state.observer = [model.gap, model.speed, model.current];
    model
}

fn feedback(state: &mut AxisState, at: &Motion) -> f64 {
    const P: f64 = POLE;
    let [gap, speed, acceleration, jerk] = state.reference;
    let error = gap - at.gap;
    let asked = jerk
        + 4.0 * P * (acceleration - at.acceleration(axis::PULL) - state.push)
        + 6.0 * P * P * (speed - at.speed)
        + 4.0 * P * P * P * error
        + P * P * P * P * state.integral;
    // d/dt of (g - pull I^2 / x^2), solved for I'. The floors keep it finite off the magnet and without current.
    let (x, i) = (at.gap.max(axis::GAP_MIN), at.current.max(0.05));
    let rate = i * at.speed / x - asked * x * x / (2.0 * axis::PULL * i);
    let wanted = axis::RESISTANCE * at.current + axis::INDUCTANCE * rate;
    let volts = wanted.clamp(-axis::VOLTS_MAX, axis::VOLTS_MAX);
    if wanted == volts {
        state.integral = (state.integral + error * PERIOD_S).clamp(-INTEGRAL_MAX, INTEGRAL_MAX);
    } else {
        state.saturated += 1;
    }
    state.absolute_error += error.abs() * PERIOD_S;
    state.peak_error = state.peak_error.max(error.abs());
    let near = at.gap < 0.001 || at.gap > axis::TRAVEL - 0.001;
    state.alarms = if near { NEAR_STOP } else { 0 } | if error.abs() > 0.0005 { DEVIATION } else { 0 };
    volts
}
