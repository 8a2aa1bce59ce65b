//! What the `mirror` command is made of.
//!
//! [`demo`] holds the physics and the control of `mirror demo` as pure, deterministic code.

pub mod demo;
