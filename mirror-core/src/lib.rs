//! The protocol and the memory model of Mirror.
#![no_std]
#![warn(missing_docs)]

pub mod sink;
pub use sink::FrameSink;
