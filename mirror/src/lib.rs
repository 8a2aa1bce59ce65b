//! Keep the state of two or more real-time controllers in step, and let a standby carry on when one dies.
#![warn(missing_docs)]

pub mod clock;
pub mod config;
mod error;
mod networks;
mod node;
mod observer;
mod observer_config;
mod pacer;
mod segment;
mod turn;

pub use config::{Config, ConfigError, ObserversConfig, Track};
pub use error::{LoopError, OpenError};
pub use mirror_core::gate::{Gate, Token};
pub use mirror_core::observer::Standing;
pub use mirror_core::region::{Counter, Event, EventKind, Found, Phase};
pub use mirror_core::scrub::{Difference, Proof};
pub use mirror_core::wire::SyncState;
pub use mirror_core::{Cut, Epoch, Layout};
pub use mirror_transport::{NetworkHealth, WaitMode};
pub use node::Node;
pub use observer::{Observer, ReadRefused, Staleness};
pub use observer_config::ObserverConfig;
pub use segment::{Look, Place, SegmentError, unlink};
pub use turn::{Cause, Lead, Receipt, Takeover, Turn, View, Why};
