//! What a UDP link is told at open.

use std::net::SocketAddr;

use crate::WaitMode;

/// Bytes of UDP payload that fill an Ethernet packet of 1500 over IPv4.
pub const DEFAULT_FRAME_BYTES: usize = 1472;

/// Settings of one UDP link. Start from [`UdpConfig::new`] and change what differs.
#[derive(Clone, Debug)]
pub struct UdpConfig {
    /// The multicast group and port, IPv4 or IPv6. All members of a group use the same. The scope id of an IPv6
    /// group is taken from [`interface`](Self::interface).
    pub group: SocketAddr,
    /// The interface that carries the group, by name (`eth0`, `lo`) or by one of its addresses.
    pub interface: String,
    /// How many routers a frame may pass, 0 to 255. 1 (the default) keeps it on its own network, 0 on its own host.
    pub ttl: u32,
    /// Whether other links on this host hear this one too (default: true). On `lo` they always do.
    ///
    /// Set it to false where every host runs one node: the kernel then makes no copy of what was sent.
    pub loopback: bool,
    /// The largest frame in bytes, from 1 to what the interface's MTU leaves: MTU - 28 over IPv4, MTU - 48 over IPv6.
    /// The same for all members of a group (default: 1472).
    pub frame_bytes: usize,
    /// How [`Link::wait`](crate::Link::wait) waits (default: [`WaitMode::Block`]).
    pub wait: WaitMode,
    /// Bytes to ask for as receive buffer (default: 8 MiB); see [`receive_buffer_for`].
    pub receive_buffer: usize,
    /// Bytes to ask for as send buffer (default: 2 MiB). It bounds what waits for a slow interface; more is refused.
    pub send_buffer: usize,
    /// Drops, in the kernel, the frames that this node itself sent (default: none; the node hears itself).
    pub own_node: Option<NodeFilter>,
    /// Whether the kernel may cut and join frames (default: [`Offload::Auto`]).
    pub offload: Offload,
}

impl UdpConfig {
    /// The defaults for `group` on `interface`.
    #[must_use]
    pub fn new(group: SocketAddr, interface: impl Into<String>) -> Self {
        Self {
            group,
            interface: interface.into(),
            ttl: 1,
            loopback: true,
            frame_bytes: DEFAULT_FRAME_BYTES,
            wait: WaitMode::default(),
            receive_buffer: 8 << 20,
            send_buffer: 2 << 20,
            own_node: None,
            offload: Offload::Auto,
        }
    }
}

/// How to know a frame that this node sent: by one byte at a fixed place.
///
/// Frames that are too short to have that byte pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeFilter {
    /// Where the sender's id stands, in bytes from the frame's start.
    pub offset: u16,
    /// The id of this node.
    pub id: u8,
}

/// Whether the kernel cuts one large send into frames (`UDP_SEGMENT`) and hands frames up joined (`UDP_GRO`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Offload {
    /// Both where the kernel and the interface allow, else one datagram a frame. Several times faster.
    #[default]
    Auto,
    /// One datagram a frame.
    Off,
}

/// The receive buffer, in bytes, for a link that hears `bytes_per_second` of frames.
///
/// A receiver may be off its core for a while: stalls of up to 60 ms are usual on a shared machine and the buffer has
/// to hold what arrives meanwhile. The kernel charges a datagram by the memory it occupies, not by its payload: 2,304
/// bytes for a frame of 1,472, hence the factor of 1.6. (Frames that arrive joined cost 1 % above their payload; very
/// small ones far more, 832 bytes for 100: ask for more where they are the bulk.) It is never less than 1 MiB, so that a
/// single large cycle finds room whatever the rate.
#[must_use]
pub const fn receive_buffer_for(bytes_per_second: u64) -> usize {
    const STALL_MS: u64 = 60;
    const LEAST: u64 = 1 << 20;
    let bytes = (bytes_per_second / 10_000).saturating_mul(STALL_MS * 16);
    // A socket's buffer is an int, and the kernel doubles what it is given.
    let most = i32::MAX as u64 / 2;
    (if bytes < LEAST {
        LEAST
    } else if bytes > most {
        most
    } else {
        bytes
    }) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_holds_a_stall() {
        assert_eq!(receive_buffer_for(100_000_000), 9_600_000);
        assert_eq!(receive_buffer_for(0), 1 << 20);
        assert_eq!(receive_buffer_for(u64::MAX), i32::MAX as usize / 2);
    }
}
