//! How the nodes of a pair are set up: one place for all benchmarks that run two processes on `lo`.

use crate::error::Error;
use mirror::{Config, Place, Track, WaitMode};
use mirror_core::wire::own_node_offset;
use mirror_transport::udp::{NodeFilter, UdpConfig, UdpLink, receive_buffer_for};
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

/// Nanoseconds between cycles.
pub const PERIOD: u64 = 1_000_000;
/// The primary and the standby.
pub const PRIMARY: u8 = 1;
/// The standby.
pub const STANDBY: u8 = 2;
/// Most that is asked for as receive buffer, as the product does.
const MOST_RECEIVE_BUFFER: usize = 64 << 20;

/// What a node is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// [`PRIMARY`] or [`STANDBY`].
    pub node: u8,
    /// Where both meet.
    pub group: SocketAddrV4,
    /// Bytes of the state.
    pub region: usize,
    /// The primary's cycles follow one another without a pause.
    pub back_to_back: bool,
    /// Cycles kept; `None`: the product's default.
    pub records: Option<u32>,
    /// Frames that the primary may send a cycle; `None`: the product's default.
    pub budget: Option<u32>,
}

impl Setup {
    /// The primary of a pair.
    #[must_use]
    pub fn primary(group: SocketAddrV4, region: usize) -> Self {
        Self { node: PRIMARY, group, region, back_to_back: false, records: None, budget: None }
    }

    /// The standby to it.
    #[must_use]
    pub fn standby(self) -> Self {
        Self { node: STANDBY, ..self }
    }

    /// As the product is told it.
    #[must_use]
    pub fn config(&self) -> Config {
        let mut config = Config::new("bench", self.node, SocketAddr::V4(self.group), "lo");
        config.place = Place::Anonymous;
        config.track = Track::Marked;
        config.link.wait = WaitMode::Spin;
        config.records = self.records;
        if self.node == PRIMARY {
            // It leads at once, and alone if need be.
            config.begin_alone = true;
            (config.silence_cycles, config.patience_cycles) = (100, 200);
            config.period_us = if self.back_to_back { 10 } else { PERIOD / 1000 };
        } else {
            // The longest there is: stalls of the machine and pauses between slices are no deaths.
            (config.silence_cycles, config.patience_cycles) = (1000, 2000);
            config.period_us = PERIOD / 1000;
        }
        set_budget(&mut config, self.budget);
        config
    }

    /// The link that the product would open.
    ///
    /// # Errors
    /// What the link says.
    pub fn link(&self) -> Result<UdpLink, Error> {
        let mut udp = UdpConfig::new(SocketAddr::V4(self.group), "lo");
        udp.wait = WaitMode::Spin;
        udp.own_node = Some(NodeFilter { offset: own_node_offset() as u16, id: self.node });
        udp.receive_buffer =
            receive_buffer_for(self.region as u64 * 1_000_000_000 / PERIOD).min(MOST_RECEIVE_BUFFER);
        Ok(UdpLink::open(&udp)?)
    }
}

/// The one place where a benchmark's send budget, in frames a cycle, enters the product's configuration; `None`: the
/// product's own.
fn set_budget(config: &mut Config, frames: Option<u32>) {
    config.send_frames = frames.unwrap_or(config.send_frames);
}

/// Frames that a primary may send again after a cycle of `frames` frames, by the product's rule (PROTOCOL.md).
#[must_use]
pub fn repair_budget(frames: u64) -> u64 {
    (frames / 2).max(16)
}

/// Where pair number `pair` of a run meets; different for every run.
#[must_use]
pub fn group(run: u32, pair: usize) -> SocketAddrV4 {
    let [_, a, b, c] = run.to_be_bytes();
    SocketAddrV4::new(Ipv4Addr::new(239, 128 | a & 63, b, c), 29_400 + pair as u16)
}
