//! The plant and the controller of `mirror demo`: pure and deterministic, without clock, socket or thread.
//!
//! One tick is one control period, [`PERIOD_NS`]. At tick n the plant publishes `world.sense(n)` and advances to n + 1 with
//! the outputs it holds; the controller puts the sensors into its [`state::DemoState`], calls [`control::step`], commits,
//! and sends the state's outputs, which the plant holds from tick n + 1 on. Without new outputs it keeps the last
//! (zero-order hold).
//!
//! | file | what |
//! | --- | --- |
//! | [`tank`] | the quadruple-tank process: parameters and physics of one cell |
//! | [`axis`] | the magnetic-levitation axis: parameters and physics |
//! | [`state`] | the controller's whole state, 64 KiB of fixed layout that certifies itself |
//! | [`recipe`] | the references of the cells and of the axis |
//! | [`control`] | one control cycle: the tanks' PI, and what ties the cycle together |
//! | [`levitate`] | one control cycle: the axis |
//! | [`world`] | the plant with 256 cells and the axis, the twin that never fails, and the bump between the two |
//! | [`offline`] | failures without processes: how large a bump a takeover leaves |
//! | [`noise`] | noise and variation as a function of (seed, tick, channel) |
//!
//! Only +, -, *, / and the square root are used on the way from inputs to outputs, all exactly rounded by IEEE 754, so the
//! same bytes give the same bytes on every host that runs the same binary.

pub mod axis;
pub mod control;
pub mod levitate;
pub mod noise;
pub mod offline;
pub mod recipe;
pub mod state;
pub mod tank;
pub mod world;

/// One tick and one control period: 1 ms, in nanoseconds.
pub const PERIOD_NS: u64 = 1_000_000;

/// One tick in seconds.
pub const PERIOD_S: f64 = 1e-3;

/// Quadruple-tank cells in the farm.
pub const CELLS: usize = 256;
