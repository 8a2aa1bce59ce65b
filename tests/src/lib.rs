//! What the tests across crates stand on.
//!
//! - [`memory_link`]: a network inside the process, with faults.
//! - [`sim`]: a cluster of members under faults, decided by one seed.
//! - [`namespace`]: a network namespace of one's own, gone when its last user is.
//! - [`skip`]: how a test says that it did not run.

pub mod memory_link;
pub mod namespace;
pub mod sim;
pub mod skip;

pub use memory_link::{Fate, Faults, MemoryLink, MemoryNet, Passage};
pub use namespace::Namespace;
