//! The networks under a node: opened, and their health told.
//!
//! Contract: [`open`] allocates all there is; [`note`] allocates nothing and makes no system call.

use crate::config::{Config, LinkConfig};
use crate::error::OpenError;
use crate::node::STATUS_EVERY;
use mirror_core::region::{Counter, EventKind};
use mirror_core::wire::own_node_offset;
use mirror_core::{Region, checksum};
use mirror_transport::twin::{Twin, TwinConfig};
use mirror_transport::udp::{self, NodeFilter, Offload, UdpConfig, UdpLink, receive_buffer_for};
use mirror_transport::{Link, LinkStats, Nanos};
use std::net::SocketAddr;

/// Most that is asked for as receive buffer unless the configuration says more.
const MOST_RECEIVE_BUFFER: usize = 64 << 20;
/// Receive buffer of the observers' channel.
const OBSERVERS_BUFFER: usize = 512 << 10;

/// The link that `config` describes for a state of `region_bytes`, with what is not as it was asked for.
pub(crate) fn open(config: &Config, region_bytes: usize) -> Result<(Box<dyn Link>, Vec<String>), OpenError> {
    let open = |link| UdpLink::open(&udp_config(link, config, region_bytes));
    let Some(second) = &config.second_link else {
        let link = open(&config.link)?;
        let warnings = link.warnings().to_vec();
        return Ok((Box::new(link), warnings));
    };
    let named = |network, table| move |source: udp::OpenError| OpenError::Network { network, table, source };
    let first = open(&config.link).map_err(named("first", "link"))?;
    let second = open(second).map_err(named("second", "link.second"))?;
    let told = |network: &str, link: &UdpLink| -> Vec<String> {
        link.warnings().iter().map(|warning| format!("the {network} network: {warning}")).collect()
    };
    let mut warnings = [told("first", &first), told("second", &second)].concat();
    if let Some(second) =
        config.second_link.as_ref().filter(|second| second.interface == config.link.interface)
    {
        let interface = &second.interface;
        warnings.push(format!(
            "both networks are on {interface}, and fail with it: give link.second an interface and a cable of its own"
        ));
    }
    let senders: Vec<u8> = config.members.iter().copied().filter(|&id| id != config.node).collect();
    let silence = u64::from(config.silence_cycles) * config.period_us * 1000;
    let twin = TwinConfig {
        group: checksum::of(config.group.as_bytes()),
        senders: &senders,
        wait: config.link.wait,
        // A primary hears nothing of a standby that lacks nothing but its regular status.
        silence: silence.max(3 * STATUS_EVERY),
    };
    Ok((Box::new(Twin::new(Box::new(first), Box::new(second), &twin)?), warnings))
}

/// The observers' channel of a group: on the first network, beside the members' own. One datagram is one frame there, so that
/// what is read at once is bounded; and there is little room: what waits is soon old.
pub(crate) fn open_observers(
    config: &Config,
    address: SocketAddr,
) -> Result<(Box<dyn Link>, Vec<String>), OpenError> {
    let mut udp = udp_config(&config.link, config, 0);
    (udp.group, udp.receive_buffer, udp.offload) = (address, OBSERVERS_BUFFER, Offload::Off);
    let link = UdpLink::open(&udp).map_err(|source| OpenError::Network {
        network: "observers'",
        table: "observers",
        source,
    })?;
    let warnings =
        link.warnings().iter().map(|warning| format!("the observers' channel: {warning}")).collect();
    Ok((Box::new(link), warnings))
}

fn udp_config(link: &LinkConfig, config: &Config, region_bytes: usize) -> UdpConfig {
    let mut udp = UdpConfig::new(link.address, link.interface.clone());
    udp.ttl = link.ttl;
    udp.loopback = link.loopback;
    udp.frame_bytes = link.frame_bytes;
    udp.wait = link.wait;
    udp.own_node = Some(NodeFilter { offset: own_node_offset() as u16, id: config.node });
    udp.receive_buffer = link.receive_buffer.unwrap_or_else(|| {
        let rate = region_bytes as u64 * 1_000_000 / config.period_us;
        receive_buffer_for(rate).min(MOST_RECEIVE_BUFFER)
    });
    udp
}

/// Shows the health of each of two networks to tools, and logs which fell silent or came back. `before`: which were silent
/// the last time. Gives those that are now.
pub(crate) fn note(
    region: &Region,
    link: &dyn Link,
    stats: &LinkStats,
    before: [bool; 2],
    now: Nanos,
) -> [bool; 2] {
    use Counter::{
        FirstNetworkMissing, FirstNetworkReceived, FirstNetworkRefused, SecondNetworkMissing,
        SecondNetworkReceived, SecondNetworkRefused,
    };
    const COUNTERS: [[Counter; 3]; 2] = [
        [FirstNetworkReceived, FirstNetworkMissing, FirstNetworkRefused],
        [SecondNetworkReceived, SecondNetworkMissing, SecondNetworkRefused],
    ];
    let mut silent = before;
    for (n, (health, counters)) in link.networks().iter().zip(COUNTERS).enumerate() {
        let values = [health.received_frames, health.missing_frames, health.refused_frames];
        counters.into_iter().zip(values).for_each(|(counter, value)| region.set_counter(counter, value));
        region.set_counter(Counter::SecondCopies, stats.second_copies);
        silent[n] = health.silent;
        if health.silent != before[n] {
            let kind = if health.silent { EventKind::NetworkSilent } else { EventKind::NetworkBack };
            region.event(now, kind, n as u64 + 1);
        }
    }
    silent
}
