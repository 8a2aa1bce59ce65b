//! One cell of the farm: the quadruple-tank process. Two pumps fill four tanks; the upper two drain into the lower two,
//! whose levels are measured and controlled. Levels stay in 0..20 cm and pumps in 0..10 V, whatever is asked.
//!
//! K. H. Johansson, "The Quadruple-Tank Process: A Multivariable Laboratory Process with an Adjustable Zero", IEEE
//! Transactions on Control Systems Technology 8(3), 2000, pp. 456-465, doi:10.1109/87.845876. Model, parameters, the
//! minimum-phase operating point P- and the decentralized PI settings are the paper's. The paper's tables were not
//! read directly; its numbers were confirmed from secondary sources that reproduce it: Bequette, Process Control:
//! Modeling, Design, and Simulation, appendix 14.1 (areas, outlets, kc, g, levels, voltages, the 20 cm), a public
//! reproduction of the paper's control experiment (all parameters, P-, and the PI settings 3.0 / 30 s and 2.7 / 40 s), and
//! a predictive-control library's example of the same process (all parameters and P-).
//!
//! The tanks are slow (time constants of 23 s to 90 s), too slow to watch: the demo runs their clock [`TIME_SCALE`] times
//! faster than the wall, plant and controller alike. One tick of 1 ms is 60 ms in the tanks.

use super::noise::Noise;

/// Seconds in the tanks for one second on the wall. A choice of the demo, not of the paper.
pub const TIME_SCALE: f64 = 60.0;
/// Tank seconds of one tick.
pub const TICK_S: f64 = TIME_SCALE * super::PERIOD_S;
/// Cross-sections A1..A4 of the tanks, cm^2.
pub const FLOOR: [f64; 4] = [28.0, 32.0, 28.0, 32.0];
/// Cross-sections a1..a4 of the outlets, cm^2.
pub const OUTLET: [f64; 4] = [0.071, 0.057, 0.071, 0.057];
/// The level sensors' gain kc, V/cm.
pub const SENSOR_GAIN: f64 = 0.50;
/// g, cm/s^2.
pub const GRAVITY: f64 = 981.0;
/// The pumps' gains k1, k2 at P-, cm^3/(V s).
pub const PUMP_GAIN: [f64; 2] = [3.33, 3.35];
/// The valves' settings gamma1, gamma2 at P-: the share of each pump's flow that goes to its lower tank.
pub const SPLIT: [f64; 2] = [0.70, 0.60];
/// Levels h1..h4 at P-, cm.
pub const LEVELS: [f64; 4] = [12.4, 12.7, 1.8, 1.4];
/// Pump voltages v1, v2 at P-, V.
pub const PUMPS: [f64; 2] = [3.00, 3.00];
/// PI gains K1, K2 of the paper's decentralized controller for P-: volts of pump per volt of sensor.
pub const PI_GAIN: [f64; 2] = [3.0, 2.7];
/// PI integral times Ti1, Ti2 for P-, s.
pub const PI_TIME: [f64; 2] = [30.0, 40.0];
/// The tanks' height, cm: the span that level deviations are measured by.
pub const LEVEL_SPAN: f64 = 20.0;
/// The pumps' range, V: 0 to this.
pub const PUMP_SPAN: f64 = 10.0;
/// How far a cell's outlets, pumps and valves differ from the published ones, at most: 3 %.
pub const VARIATION: f64 = 0.03;

/// What distinguishes one cell from another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameters {
    /// Cross-sections of the outlets, cm^2.
    pub outlet: [f64; 4],
    /// Gains of the pumps, cm^3/(V s).
    pub pump_gain: [f64; 2],
    /// Settings of the valves.
    pub split: [f64; 2],
}

/// The published process.
pub const NOMINAL: Parameters = Parameters { outlet: OUTLET, pump_gain: PUMP_GAIN, split: SPLIT };

impl Parameters {
    /// The parameters of one cell of the farm: the published ones, each varied by up to [`VARIATION`].
    #[must_use]
    pub fn of(seed: u64, cell: usize) -> Self {
        let noise = Noise::of(seed ^ 0x7461_6e6b, cell as u64);
        let vary = |x: f64, channel| x * (1.0 + VARIATION * noise.uniform(channel));
        Self {
            outlet: [0, 1, 2, 3].map(|i| vary(OUTLET[i], i as u64)),
            pump_gain: [0, 1].map(|i| vary(PUMP_GAIN[i], 4 + i as u64)),
            split: [0, 1].map(|i| vary(SPLIT[i], 6 + i as u64)),
        }
    }

    /// The pumps and levels at which the lower levels rest at `lower`.
    #[must_use]
    pub fn equilibrium(&self, lower: [f64; 2]) -> ([f64; 2], [f64; 4]) {
        let out = [0, 1].map(|i| self.outlet[i] * (2.0 * GRAVITY * lower[i]).sqrt());
        let ([k1, k2], [g1, g2]) = (self.pump_gain, self.split);
        // g1 k1 v1 + (1 - g2) k2 v2 = out 1;  (1 - g1) k1 v1 + g2 k2 v2 = out 2.
        let determinant = k1 * k2 * (g1 + g2 - 1.0);
        let pumps = [
            (out[0] * g2 - out[1] * (1.0 - g2)) * k2 / determinant,
            (out[1] * g1 - out[0] * (1.0 - g1)) * k1 / determinant,
        ];
        let upper =
            [(1.0 - g2) * k2 * pumps[1] / self.outlet[2], (1.0 - g1) * k1 * pumps[0] / self.outlet[3]];
        let rest = upper.map(|speed| speed * speed / (2.0 * GRAVITY));
        (pumps, [lower[0], lower[1], rest[0], rest[1]])
    }
}

/// One cell: its levels, and its parameters as rates.
#[derive(Debug, Clone, PartialEq)]
pub struct Tank {
    levels: [f64; 4],
    /// cm/s of level lost by each tank per square root of cm.
    drain: [f64; 4],
    /// The same gained by tank 1 from 3 and by tank 2 from 4.
    fall: [f64; 2],
    /// cm/s per volt: tank 1 from pump 1, 2 from 2, 3 from 2, 4 from 1.
    fill: [f64; 4],
}

impl Tank {
    /// A cell with these parameters and levels.
    #[must_use]
    pub fn new(parameters: &Parameters, levels: [f64; 4]) -> Self {
        let root = (2.0 * GRAVITY).sqrt();
        let (k, g) = (parameters.pump_gain, parameters.split);
        let flow = [g[0] * k[0], g[1] * k[1], (1.0 - g[1]) * k[1], (1.0 - g[0]) * k[0]];
        Self {
            levels,
            drain: [0, 1, 2, 3].map(|i| parameters.outlet[i] * root / FLOOR[i]),
            fall: [0, 1].map(|i| parameters.outlet[i + 2] * root / FLOOR[i]),
            fill: [0, 1, 2, 3].map(|i| flow[i] / FLOOR[i]),
        }
    }

    /// The four levels, cm.
    #[must_use]
    pub fn levels(&self) -> &[f64; 4] {
        &self.levels
    }

    /// Advances by `dt` tank seconds with the pumps at these voltages. Explicit Euler: a tick is 1/400 of the fastest time
    /// constant at P-.
    pub fn advance(&mut self, pumps: [f64; 2], dt: f64) {
        let v = pumps.map(|v| v.clamp(0.0, PUMP_SPAN));
        let s = self.levels.map(f64::sqrt);
        let rate = [
            self.fill[0] * v[0] + self.fall[0] * s[2] - self.drain[0] * s[0],
            self.fill[1] * v[1] + self.fall[1] * s[3] - self.drain[1] * s[1],
            self.fill[2] * v[1] - self.drain[2] * s[2],
            self.fill[3] * v[0] - self.drain[3] * s[3],
        ];
        for (level, rate) in self.levels.iter_mut().zip(rate) {
            *level = (*level + dt * rate).clamp(0.0, LEVEL_SPAN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_operating_point_is_an_equilibrium() {
        let (pumps, levels) = NOMINAL.equilibrium([LEVELS[0], LEVELS[1]]);
        // The paper's point is measured on the real process; its model rests close by, not on it.
        for i in 0..2 {
            assert!((pumps[i] - PUMPS[i]).abs() < 0.03 * PUMPS[i], "{pumps:?}");
        }
        for i in 2..4 {
            assert!((levels[i] - LEVELS[i]).abs() < 0.25, "{levels:?}");
        }
        let mut tank = Tank::new(&NOMINAL, levels);
        for _ in 0..10_000 {
            tank.advance(pumps, TICK_S);
        }
        for (now, then) in tank.levels().iter().zip(levels) {
            assert!((now - then).abs() < 1e-9);
        }
    }

    #[test]
    fn levels_and_pumps_are_clamped() {
        let mut tank = Tank::new(&NOMINAL, LEVELS);
        for _ in 0..100_000 {
            tank.advance([99.0, 99.0], TICK_S);
        }
        assert_eq!(tank.levels()[0], LEVEL_SPAN);
        for _ in 0..100_000 {
            tank.advance([-5.0, -5.0], TICK_S);
        }
        assert!(tank.levels().iter().all(|&h| (0.0..0.01).contains(&h)));
    }

    #[test]
    fn cells_differ_within_the_variation() {
        let (a, b) = (Parameters::of(1, 0), Parameters::of(1, 1));
        assert_ne!(a, b);
        for cell in 0..super::super::CELLS {
            let p = Parameters::of(1, cell);
            assert!((p.split[0] / SPLIT[0] - 1.0).abs() <= VARIATION);
        }
    }
}
