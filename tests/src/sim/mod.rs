//! The simulated cluster: members as they run in production, over a network, clocks, crashes and stalls that one seed
//! decides.
//!
//! # Contract
//! [`run()`] of a seed is a pure function: no wall clock, no thread, no address, no hash order decides anything, so a failure
//! is replayed by its seed. The protocol is used through [`mirror_core::Member`] and [`mirror_core::Region`] alone, in the order of
//! `mirror::Node`; how a standby is repaired is not known here, and what is expected of it stands in [`expect`].
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`options`], [`expect`] | what a run is told, drawn from its seed; what is expected of the protocol |
//! | [`rng`], [`clock`], [`queue`] | chance, forked by component; a clock per node; what happens next |
//! | [`network`], [`stranger`] | what becomes of frames; frames of others |
//! | [`memory`], [`node`], [`workload`], [`history`] | a node and what it keeps; its step; the model: a byte vector per cut |
//! | [`observer`] | who only reads |
//! | [`cluster`], `turn` | events and faults; a node's turn, with crashes inside it |
//! | [`checkers`] | one promise a file |
//! | `rot` | memory that something alters |
//! | [`mod@run`], [`mod@shrink`], [`trace`] | a run, a smaller one that still fails, what happened in it |

pub mod checkers;
pub mod clock;
pub mod cluster;
pub mod expect;
pub mod history;
pub mod memory;
pub mod network;
pub mod node;
pub mod observer;
pub mod options;
pub mod peace;
pub mod queue;
pub mod rng;
mod rot;
pub mod run;
pub mod shrink;
pub mod stranger;
pub mod trace;
mod turn;
pub mod workload;

pub use options::Options;
pub use run::{Failure, Stats, run, run_with};
pub use shrink::shrink;
pub use trace::Trace;
