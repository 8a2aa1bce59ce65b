//! The links of Mirror.
#![warn(missing_docs)]

pub mod conformance;
pub mod link;
pub mod udp;
pub use link::{Link, LinkStats, Nanos, WaitMode};
