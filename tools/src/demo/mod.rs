//! The plant and the controller of `mirror demo`: pure and deterministic, without clock, socket or thread.
//!
//! One tick is one control period, [`PERIOD_NS`].
//!
//! | file | what |
//! | --- | --- |
//! | [`tank`] | the quadruple-tank process: parameters and physics of one cell |
//! | [`axis`] | the magnetic-levitation axis: parameters and physics |
//! | [`noise`] | noise and variation as a function of (seed, tick, channel) |
//!
//! Only +, -, *, / and the square root are used on the way from inputs to outputs, all exactly rounded by IEEE 754, so the
//! same bytes give the same bytes on every host that runs the same binary.

pub mod axis;
pub mod noise;
pub mod tank;

/// One tick and one control period: 1 ms, in nanoseconds.
pub const PERIOD_NS: u64 = 1_000_000;

/// One tick in seconds.
pub const PERIOD_S: f64 = 1e-3;

/// Quadruple-tank cells in the farm.
pub const CELLS: usize = 256;
