//! Why a UDP link could not be opened.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;

/// Why [`UdpLink::open`](super::UdpLink::open) failed. Nothing is left behind.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The group's address is not one that many can listen to.
    #[error(
        "group {0} is not a multicast address: take one of 224.0.0.0 to 239.255.255.255 \
         (239.x.y.z for private use), or ff00::/8"
    )]
    NotMulticast(SocketAddr),
    /// The group has port 0.
    #[error("group {0} has no port: all members must share one, from 1 to 65535")]
    NoPort(SocketAddr),
    /// The time to live does not fit its field.
    #[error("ttl {0} is out of range: 0 (this host) to 255, usually 1 (this network)")]
    Ttl(u32),
    /// The frame size is no UDP payload.
    #[error("frame_bytes {frame_bytes} is out of range: 1 to {most}, the largest UDP payload")]
    FrameBytes {
        /// What was asked for.
        frame_bytes: usize,
        /// The largest payload of the address family.
        most: usize,
    },
    /// The frame does not fit the interface's packets.
    #[error(
        "frame_bytes {frame_bytes} does not fit {interface}: its MTU of {mtu} less {headers} bytes of headers leaves \
         {most}. Set frame_bytes to {most} or less on every member, or raise the MTU on the whole network \
         (ip link set {interface} mtu {})", frame_bytes + headers
    )]
    AboveMtu {
        /// What was asked for.
        frame_bytes: usize,
        /// The interface's name.
        interface: String,
        /// Its MTU in bytes.
        mtu: usize,
        /// Bytes of the IP and UDP headers.
        headers: usize,
        /// The largest frame that fits.
        most: usize,
    },
    /// No interface has that name or address.
    #[error("there is no interface {asked:?}, by name or by address; there are: {present}")]
    NoInterface {
        /// What was asked for.
        asked: String,
        /// Those that exist, with their addresses.
        present: String,
    },
    /// The interface is administratively down.
    #[error("interface {0} is down: ip link set {0} up")]
    InterfaceDown(String),
    /// The interface does not carry multicast.
    #[error("interface {0} does not carry multicast: ip link set {0} multicast on, or take another")]
    InterfaceWithoutMulticast(String),
    /// The interface has no address that frames could come from.
    #[error("interface {interface} has no {family} address to send from: ip address add ... dev {interface}")]
    InterfaceWithoutAddress {
        /// The interface's name.
        interface: String,
        /// `IPv4` or `IPv6`.
        family: &'static str,
    },
    /// IPv6 multicast was asked of the loopback interface.
    #[error(
        "group {group} cannot use {interface}: Linux turns IPv6 multicast routes over a loopback interface into \
         rejections. Take an IPv4 group on {interface}, or another interface"
    )]
    LoopbackV6 {
        /// The group.
        group: SocketAddr,
        /// The loopback interface's name.
        interface: String,
    },
    /// The kernel has no way to the group through the interface, or no address to send from that is ready.
    #[error(
        "group {group} cannot be reached through {interface} yet: over IPv6 an interface is ready only a moment after its \
         cable has been plugged in and its addresses were checked for doubles; \
         `ip -6 route get {} oif {interface}` tells; try again then", group.ip()
    )]
    Unreachable {
        /// The group.
        group: SocketAddr,
        /// The interface's name.
        interface: String,
    },
    /// Another socket holds the port and does not share it.
    #[error(
        "port {port} of group {0} is held by a socket that does not share it (SO_REUSEADDR): \
         `ss -ulnp sport = :{port}` names it; stop it or take another port", port = .0.port()
    )]
    PortInUse(SocketAddr),
    /// A system call failed.
    #[error("{step}: {source}")]
    Socket {
        /// What was being done.
        step: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Names the step that an `io::Error` came from.
pub(super) trait At<T> {
    fn at(self, step: &'static str) -> Result<T, OpenError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, step: &'static str) -> Result<T, OpenError> {
        self.map_err(|source| OpenError::Socket { step, source })
    }
}
