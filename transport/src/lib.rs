//! The links of Mirror.
#![warn(missing_docs)]

pub mod conformance;
pub mod link;
pub mod twin;
pub mod udp;
mod wait;
pub use link::{Link, LinkStats, Nanos, NetworkHealth, WaitMode};
pub use twin::Twin;
