//! What the `mirror` command is made of, as a library, so that tests and examples reach the same code.
//!
//! [`demo`] holds the physics and the control of `mirror demo` as pure, deterministic code, [`stage`] the processes that
//! play it, and [`report`] turns the figures of a run into one self-contained page.

pub mod demo;
pub mod report;
pub mod stage;
