//! What the tests across crates stand on.
//!
//! - [`memory_link`]: a network inside the process, with faults. [`null_link`]: none at all.
//! - [`sealed_link`]: any bytes as frames of the protocol, for links that look at these.
//! - [`sim`]: a cluster of members under faults, decided by one seed.
//! - [`lossy_link`]: any link, losing some of what it receives.
//! - [`namespace`]: a network namespace of one's own, gone when its last user is.
//! - [`fault_net`]: namespaces joined by a hub that loses, doubles, reorders and cuts as told, for real processes.
//! - [`skip`]: how a test says that it did not run.
//! - [`plant`]: a state that certifies itself.
//! - [`member`]: a member on a wire of byte vectors.
//! - [`stepped`]: bare cycles for a process that is run one instruction at a time.
//! - [`child`]: real processes, reaped whatever happens; `src/bin/mirror-test-child.rs` is what they run.
//! - [`memory`]: page-aligned memory for regions, and copies of memory that a process died over.

pub mod child;
pub mod fault_net;
pub mod lossy_link;
pub mod member;
pub mod memory;
pub mod memory_link;
pub mod namespace;
pub mod null_link;
pub mod plant;
pub mod sealed_link;
pub mod sim;
pub mod skip;
pub mod stepped;

pub use child::Child;
pub use lossy_link::LossyLink;
pub use memory::Memory;
pub use memory_link::{Fate, Faults, MemoryLink, MemoryNet, Passage};
pub use namespace::Namespace;
pub use null_link::NullLink;
pub use plant::Plant;
pub use sealed_link::SealedLink;
