//! Making the two sockets.

use std::io;
use std::net::{SocketAddr, SocketAddrV6};

use socket2::{Domain, InterfaceIndexOrAddress, SockFilter, Socket, Type};

use super::config::{NodeFilter, UdpConfig};
use super::error::{At, OpenError};
use super::interface::Interface;
use super::sys;

/// Bytes of the IP and UDP headers before a frame.
fn header_bytes(group: SocketAddr) -> usize {
    if group.is_ipv4() { 20 + 8 } else { 40 + 8 }
}

/// The largest payload of one send. The length field of IPv4 counts its own header, that of IPv6 does not.
pub(super) fn most_bytes(group: SocketAddr) -> usize {
    if group.is_ipv4() { 65_535 - 20 - 8 } else { 65_535 - 8 }
}

/// Refuses what no machine could do.
pub(super) fn check(config: &UdpConfig) -> Result<(), OpenError> {
    let (group, frame_bytes) = (config.group, config.frame_bytes);
    if !group.ip().is_multicast() {
        return Err(OpenError::NotMulticast(group));
    }
    if group.port() == 0 {
        return Err(OpenError::NoPort(group));
    }
    if config.ttl > 255 {
        return Err(OpenError::Ttl(config.ttl));
    }
    let most = most_bytes(group);
    if frame_bytes == 0 || frame_bytes > most {
        return Err(OpenError::FrameBytes { frame_bytes, most });
    }
    Ok(())
}

/// Refuses frames that the interface would have to fragment: one lost fragment loses the frame.
pub(super) fn check_mtu(config: &UdpConfig, interface: &Interface) -> Result<(), OpenError> {
    let headers = header_bytes(config.group);
    let most = interface.mtu.saturating_sub(headers).min(most_bytes(config.group));
    if config.frame_bytes <= most {
        return Ok(());
    }
    Err(OpenError::AboveMtu {
        frame_bytes: config.frame_bytes,
        interface: interface.name.clone(),
        mtu: interface.mtu,
        headers,
        most,
    })
}

/// A datagram socket of the group's family, nonblocking and closed on exec.
pub(super) fn socket(group: SocketAddr) -> Result<Socket, OpenError> {
    Socket::new(Domain::for_address(group), Type::DGRAM.nonblocking().cloexec(), None).at("making a socket")
}

/// The group's address; an IPv6 one with the interface as its scope.
fn scoped(group: SocketAddr, interface: &Interface) -> SocketAddr {
    match group {
        SocketAddr::V4(_) => group,
        SocketAddr::V6(v6) => SocketAddrV6::new(*v6.ip(), v6.port(), 0, interface.index).into(),
    }
}

/// Makes `socket` send to the group, and to nobody else.
pub(super) fn set_up_sender(
    socket: &Socket,
    config: &UdpConfig,
    interface: &Interface,
) -> Result<(), OpenError> {
    // By default Linux hides that a device's queue was full; this has it said (ENOBUFS), so that it can be counted.
    let (level, report) = match config.group {
        SocketAddr::V4(_) => {
            sys::set_multicast_if_v4(socket, interface.index, interface.source_v4)
                .at("choosing the interface (IP_MULTICAST_IF)")?;
            socket.set_multicast_ttl_v4(config.ttl).at("setting the ttl (IP_MULTICAST_TTL)")?;
            socket.set_multicast_loop_v4(config.loopback).at("setting IP_MULTICAST_LOOP")?;
            (libc::IPPROTO_IP, libc::IP_RECVERR)
        }
        SocketAddr::V6(_) => {
            socket.set_multicast_if_v6(interface.index).at("choosing the interface (IPV6_MULTICAST_IF)")?;
            socket.set_multicast_hops_v6(config.ttl).at("setting the ttl (IPV6_MULTICAST_HOPS)")?;
            socket.set_multicast_loop_v6(config.loopback).at("setting IPV6_MULTICAST_LOOP")?;
            (libc::IPPROTO_IPV6, libc::IPV6_RECVERR)
        }
    };
    sys::set_int(socket, level, report, 1).at("asking for errors of the device (IP_RECVERR)")?;
    match socket.connect(&scoped(config.group, interface).into()) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable
            ) =>
        {
            Err(OpenError::Unreachable { group: config.group, interface: interface.name.clone() })
        }
        connected => connected.at("connecting to the group"),
    }
}

/// Makes `socket` hear the group on that interface, and nothing else.
pub(super) fn set_up_receiver(
    socket: &Socket,
    config: &UdpConfig,
    interface: &Interface,
) -> Result<(), OpenError> {
    // Several nodes on one host share the port; each gets every frame.
    socket.set_reuse_address(true).at("sharing the port (SO_REUSEADDR)")?;
    if config.group.is_ipv6() {
        socket.set_only_v6(true).at("setting IPV6_V6ONLY")?;
    }
    match socket.bind(&scoped(config.group, interface).into()) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            return Err(OpenError::PortInUse(config.group));
        }
        bound => bound.at("binding to the group")?,
    }
    // The filter stands before the first frame can arrive.
    if let Some(own) = config.own_node {
        socket.attach_filter(&own_frames(own)).at("dropping this node's own frames (SO_ATTACH_FILTER)")?;
    }
    // Linux would hand over what any socket of the host joined, on any interface; only this one's is wanted.
    match config.group {
        SocketAddr::V4(group) => {
            socket.set_multicast_all_v4(false).at("clearing IP_MULTICAST_ALL")?;
            let on = InterfaceIndexOrAddress::Index(interface.index);
            socket.join_multicast_v4_n(group.ip(), &on).at("joining the group (IP_ADD_MEMBERSHIP)")
        }
        SocketAddr::V6(group) => {
            socket.set_multicast_all_v6(false).at("clearing IPV6_MULTICAST_ALL")?;
            socket.join_multicast_v6(group.ip(), interface.index).at("joining the group (IPV6_JOIN_GROUP)")
        }
    }
}

/// A classic BPF program: nothing of a datagram that carries `own.id` at its place, all of any other.
fn own_frames(own: NodeFilter) -> [SockFilter; 6] {
    use libc::{BPF_ABS, BPF_B, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_LEN, BPF_RET, BPF_W};
    const UDP_HEADER: u32 = 8;
    let at = UDP_HEADER + u32::from(own.offset);
    let op = |code: u32, jump_true, jump_false, k| SockFilter::new(code as u16, jump_true, jump_false, k);
    [
        // Loading beyond the end would end the program with a drop: ask the length first.
        op(BPF_LD | BPF_W | BPF_LEN, 0, 0, 0),
        op(BPF_JMP | BPF_JGE | BPF_K, 0, 3, at + 1),
        op(BPF_LD | BPF_B | BPF_ABS, 0, 0, at),
        op(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, u32::from(own.id)),
        op(BPF_RET | BPF_K, 0, 0, 0),
        op(BPF_RET | BPF_K, 0, 0, u32::MAX),
    ]
}

/// One of a socket's two buffers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Buffer {
    Receive,
    Send,
}

/// Asks for `bytes` of buffer, by privilege if there is any. Returns a warning when the kernel gave less.
pub(super) fn size_buffer(socket: &Socket, which: Buffer, bytes: usize) -> Result<Option<String>, OpenError> {
    // The kernel doubles what it is given (for its own overhead) and keeps it in an int.
    let asked = bytes.min(i32::MAX as usize / 2);
    let granted = match which {
        Buffer::Receive => {
            if sys::set_int(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, asked as i32).is_err() {
                socket.set_recv_buffer_size(asked).at("sizing the receive buffer (SO_RCVBUF)")?;
            }
            socket.recv_buffer_size().at("reading back SO_RCVBUF")?
        }
        Buffer::Send => {
            if sys::set_int(socket, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, asked as i32).is_err() {
                socket.set_send_buffer_size(asked).at("sizing the send buffer (SO_SNDBUF)")?;
            }
            socket.send_buffer_size().at("reading back SO_SNDBUF")?
        }
    };
    Ok(warning(which, bytes, granted / 2))
}

fn warning(which: Buffer, asked: usize, granted: usize) -> Option<String> {
    let (buffer, risk, limit) = match which {
        Buffer::Receive => ("receive", "frames are lost if this process stalls", "rmem_max"),
        Buffer::Send => ("send", "frames are refused when the interface is slow", "wmem_max"),
    };
    let remedy = if asked > i32::MAX as usize / 2 {
        format!("no socket can have more than {}", i32::MAX / 2)
    } else {
        format!("lift the limit with `sysctl -w net.core.{limit}={asked}`, or give the program CAP_NET_ADMIN")
    };
    (granted < asked).then(|| {
        format!("{buffer} buffer: asked for {asked} bytes, the kernel granted {granted}, so {risk}; {remedy}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_buffer_is_said_with_its_remedy() {
        let said = warning(Buffer::Receive, 9_600_000, 212_992).unwrap();
        for part in ["9600000", "212992", "sysctl -w net.core.rmem_max=9600000"] {
            assert!(said.contains(part), "{said}");
        }
        assert!(warning(Buffer::Send, 9_600_000, 212_992).unwrap().contains("wmem_max"));
        assert_eq!(warning(Buffer::Receive, 1000, 1152), None);
    }

    #[test]
    fn no_socket_has_three_gigabytes() {
        let any = socket("239.0.0.1:1".parse().unwrap()).unwrap();
        let said = size_buffer(&any, Buffer::Receive, 3 << 30).unwrap().unwrap();
        assert!(said.contains("no socket can have more"), "{said}");
    }
}
