//! The floor of a cycle: the same bytes over bare UDP multicast, and nothing else.
//!
//! Contract: the sockets are set up as the product's link sets up its own (interface, group, buffers, `UDP_SEGMENT`,
//! `UDP_GRO`, frames of 1472 bytes, connected sender, filter against its own frames, both ends members of the group), and both ends spin on a
//! receive call that does not wait, as the product does. No region, no tracking, no checksum, no numbering, no recovery: a cycle is
//! a prepared buffer that is sent in as few calls as the kernel allows, and received until all its bytes are there.

use crate::workload::Stamp;
use mirror::clock;
use mirror_core::wire::own_node_offset;
use mirror_transport::udp::{DEFAULT_FRAME_BYTES, receive_buffer_for};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use socket2::{Domain, InterfaceIndexOrAddress, SockFilter, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;

const FRAME: usize = DEFAULT_FRAME_BYTES;
/// Frames of one send: what 65,507 bytes hold.
const BATCH: usize = 65_507 / FRAME * FRAME;
/// The largest piece that the kernel hands over.
const PIECE: usize = 1 << 16;
const _: () = assert!(own_node_offset() >= Stamp::BYTES && own_node_offset() < 64);

/// One end of the exchange.
#[derive(Debug)]
pub struct Bare {
    tx: Socket,
    rx: Socket,
    node: u8,
    buffer: Box<[u8]>,
    piece: Box<[u8]>,
}

impl Bare {
    /// Opens both sockets in `group` on the loopback interface, for messages of `bytes` bytes, a thousand a second.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open(group: SocketAddrV4, node: u8, bytes: usize) -> io::Result<Self> {
        let [tx, rx] = [
            Socket::new(Domain::IPV4, Type::DGRAM.nonblocking().cloexec(), None)?,
            Socket::new(Domain::IPV4, Type::DGRAM.nonblocking().cloexec(), None)?,
        ];
        let buffer_bytes = receive_buffer_for(bytes as u64 * 1000) as i32;
        if set(&rx, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, buffer_bytes).is_err() {
            rx.set_recv_buffer_size(buffer_bytes as usize)?;
        }
        if set(&tx, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, 2 << 20).is_err() {
            tx.set_send_buffer_size(2 << 20)?;
        }
        tx.set_multicast_if_v4(&Ipv4Addr::LOCALHOST)?;
        tx.set_multicast_ttl_v4(1)?;
        tx.set_multicast_loop_v4(true)?;
        set(&tx, libc::IPPROTO_IP, libc::IP_RECVERR, 1)?;
        set(&tx, libc::SOL_UDP, libc::UDP_SEGMENT, FRAME as i32)?;
        tx.connect(&group.into())?;

        set(&rx, libc::SOL_UDP, libc::UDP_GRO, 1)?;
        rx.set_reuse_address(true)?;
        rx.bind(&group.into())?;
        rx.attach_filter(&own_frames(node))?;
        rx.set_multicast_all_v4(false)?;
        let lo = rustix::net::netdevice::name_to_index(&rx, "lo")?;
        rx.join_multicast_v4_n(group.ip(), &InterfaceIndexOrAddress::Index(lo))?;
        Ok(Self { tx, rx, node, buffer: vec![0xA5; bytes].into(), piece: vec![0xA5; PIECE].into() })
    }

    /// Sends a cycle. `at` of the stamp is read here, just before the first call.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn publish(&mut self, cycle: u64, last: bool) -> io::Result<()> {
        let stamp = Stamp { at: clock::now(), cycle, last: last.into() };
        for part in 0..self.buffer.len().div_ceil(BATCH) {
            self.send_part(part, stamp)?;
        }
        Ok(())
    }

    /// Sends part number `part` of the buffer, in one call: the bytes that it has, 0 beyond the end.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn send_part(&mut self, part: usize, stamp: Stamp) -> io::Result<usize> {
        // Every send is told apart by its first frame, whoever filters or collects.
        let Some(batch) = self.buffer.chunks_mut(BATCH).nth(part) else { return Ok(0) };
        stamp.write(batch);
        batch[own_node_offset()] = self.node;
        Ok(send(&self.tx, batch, SendFlags::DONTWAIT)?)
    }

    /// Sends a stamp alone.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn say(&mut self, stamp: Stamp) -> io::Result<()> {
        let mut word = [0; 64];
        stamp.write(&mut word);
        word[own_node_offset()] = self.node;
        send(&self.tx, &word, SendFlags::DONTWAIT)?;
        Ok(())
    }

    /// One receive call; the stamp and the length of what came. Nothing came: `None`.
    #[inline]
    pub fn piece(&mut self) -> Option<(Stamp, usize)> {
        let (_, got) = recv(&self.rx, &mut self.piece[..], RecvFlags::DONTWAIT).ok()?;
        (got >= Stamp::BYTES).then(|| (Stamp::read(&self.piece), got))
    }

    /// Bytes of a cycle.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }
}

fn set(socket: &Socket, level: i32, option: i32, value: i32) -> io::Result<()> {
    // SAFETY: `value` is valid for reads of its own size, which is the length passed, for the length of the call.
    let rc = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The product's filter: drops what carries this node's id.
fn own_frames(node: u8) -> [SockFilter; 4] {
    use libc::{BPF_ABS, BPF_B, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET};
    const UDP_HEADER: u32 = 8;
    let op = |code: u32, jump_true, jump_false, k| SockFilter::new(code as u16, jump_true, jump_false, k);
    [
        op(BPF_LD | BPF_B | BPF_ABS, 0, 0, UDP_HEADER + own_node_offset() as u32),
        op(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, node.into()),
        op(BPF_RET | BPF_K, 0, 0, 0),
        op(BPF_RET | BPF_K, 0, 0, u32::MAX),
    ]
}
