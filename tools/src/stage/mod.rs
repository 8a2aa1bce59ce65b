//! `mirror demo`: the processes, and who directs them.
//!
//! Contract: the plant, each controller and the director are processes of their own. They meet in two places only: the *bus*, which
//! stands for the fieldbus (sensors to the controllers, outputs with their tokens to the plant), and the multicast
//! group, over which the controllers keep each other in step. The plant goes on when a controller dies, has the Gate at
//! its actuators, and steps a twin that never fails on the same ticks.
//!
//! | file | what |
//! | --- | --- |
//! | [`bus`] | the words in shared memory that stand for wires |
//! | [`plant`] | the plant's process |
//! | [`controller`] | a controller's process, mirrored or cold |
//! | [`children`] | starting and killing them |
//! | [`fuse`] | SIGKILL in the middle of a step or a commit |
//! | [`director`] | trials: kill, wait, measure |
//! | [`outcome`] | from what was measured to the report and the printed summary |

pub mod bus;
pub mod children;
pub mod controller;
pub mod director;
pub mod fuse;
pub mod outcome;
pub mod plant;

/// Where in the millisecond the controllers' ticks fall, microseconds after the plant's: the sensors are there by then.
pub const PHASE_US: u64 = 350;

/// Cycles of silence after which a standby takes over.
pub const SILENCE_CYCLES: u32 = 5;
