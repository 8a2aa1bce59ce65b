//! The protocol and the memory model of Mirror.
//!
//! Contract: bytes and time go in, bytes come out. No socket, clock, thread or system call is in this crate; heap is
//! used by constructors only. So the machines here run unchanged in a real-time loop, in a simulated cluster and
//! under miri.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`cut`](Cut), [`mod@line`], [`layout`] | the words: epochs and cuts, lines and runs, what members must agree on |
//! | [`wire`] | frames, encoded and decoded (drawn in PROTOCOL.md) |
//! | [`region`] | live memory, image, stamps, record; crash-safe commit; reading from other processes |
//! | [`track`] | finding what changed |
//! | [`digest`], [`parity`] | whether two copies hold the same; making good what was lost |
//! | [`scrub`] | silent differences: told, found, and how long one can live |
//! | [`primary`], [`standby`] | a cycle out, a cycle in |
//! | `sweep`, `staging` | whole parts of the region out, and in |
//! | [`takeover`] | who leads; the only module that knows both |
//! | [`observer`], `serve` | who only reads, and who fills it |
//! | [`gate`] | what refuses old outputs at the actuator |
//! | [`planted`] | bugs that the tests must catch; none in a plain build |
#![no_std]

extern crate alloc;

pub mod checksum;
mod cut;
pub mod digest;
mod extra;
pub mod gate;
pub mod layout;
pub mod line;
pub mod observer;
pub mod parity;
pub mod planted;
pub mod primary;
pub mod region;
pub mod scrub;
mod serve;
pub mod sink;
mod staging;
pub mod standby;
mod sweep;
pub mod takeover;
pub mod track;
pub mod wire;

pub use cut::{Cut, Epoch};
pub use gate::{Gate, Token};
pub use layout::Layout;
pub use line::{LINE, Run};
pub use observer::Observer;
pub use region::Region;
pub use sink::FrameSink;
pub use takeover::Member;
pub use track::Tracker;
