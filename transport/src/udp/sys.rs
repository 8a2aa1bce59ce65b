//! The system calls that neither `socket2` nor `rustix` has, each behind a safe function.
//!
//! Contract: all `unsafe` of the UDP link is in this file. No function keeps a pointer past its own return: message
//! headers live on the stack and are built anew for every call, so there is nothing to keep alive and nothing that
//! a move of the link could leave dangling.

use std::ffi::CStr;
use std::io;
use std::mem::{self, MaybeUninit};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;

/// The most messages that one call of [`receive_batch`] or [`send_batch`] carries. More would gain little (a system
/// call costs 300 ns) and cost stack.
pub(super) const BATCH: usize = 32;

/// What the kernel said about one received message.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Datagram {
    /// Bytes in the buffer.
    pub(super) len: usize,
    /// Length of each frame in it, all but the last, which may be shorter; `len` itself when it is one frame.
    pub(super) segment: usize,
    /// The message was longer than its buffer.
    pub(super) truncated: bool,
}

/// Receives at most `out.len()` (at most [`BATCH`]) messages, message `i` into `arena[i * slot..][..slot]`, without
/// waiting. Returns how many there were; none is an error of kind `WouldBlock`.
pub(super) fn receive_batch(
    fd: impl AsFd,
    arena: &mut [u8],
    slot: usize,
    out: &mut [Datagram],
) -> io::Result<usize> {
    let n = out.len();
    assert!(n <= BATCH && arena.len() >= n * slot);
    let mut iovecs = [const { MaybeUninit::<libc::iovec>::uninit() }; BATCH];
    let mut controls = [const { MaybeUninit::<Control>::uninit() }; BATCH];
    let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; BATCH];
    for (i, part) in arena.chunks_exact_mut(slot).take(n).enumerate() {
        let iovec = iovecs[i].write(libc::iovec { iov_base: part.as_mut_ptr().cast(), iov_len: slot });
        let control = controls[i].write(Control([0; CONTROL_WORDS]));
        let header = headers[i].write(no_message());
        header.msg_hdr.msg_iov = iovec;
        header.msg_hdr.msg_iovlen = 1;
        header.msg_hdr.msg_control = ptr::from_mut(control).cast();
        header.msg_hdr.msg_controllen = size_of::<Control>() as _;
    }
    // SAFETY: the first `n` headers are initialised above. Each points at its own iovec and control buffer on this
    // stack frame and, through the iovec, at its own `slot` bytes of `arena`, which is borrowed mutably for the whole
    // call. The kernel writes nowhere else, and keeps none of the pointers. A null timeout means none.
    let got = unsafe {
        libc::recvmmsg(
            fd.as_fd().as_raw_fd(),
            headers.as_mut_ptr().cast(),
            n as _,
            libc::MSG_DONTWAIT as _,
            ptr::null_mut(),
        )
    };
    let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
    for (header, datagram) in headers.iter().zip(&mut *out).take(got) {
        // SAFETY: `got <= n`, and the first `n` headers are initialised.
        let header = unsafe { header.assume_init_ref() };
        let len = header.msg_len as usize;
        *datagram = Datagram {
            len,
            segment: segment_of(&header.msg_hdr).filter(|s| (1..len).contains(s)).unwrap_or(len),
            truncated: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
        };
    }
    Ok(got)
}

/// Room for one `UDP_GRO` control message, aligned as `cmsghdr` asks.
#[repr(C, align(8))]
struct Control([u64; CONTROL_WORDS]);
const CONTROL_WORDS: usize = 4;
// SAFETY: `CMSG_SPACE` computes a length and reads no memory.
const _: () = assert!(unsafe { libc::CMSG_SPACE(4) } as usize <= size_of::<Control>());

/// The segment size that `UDP_GRO` reports, if the message carries one.
fn segment_of(header: &libc::msghdr) -> Option<usize> {
    // SAFETY: `msg_control` points at a `Control` that outlives `header`, and the kernel has set `msg_controllen` to
    // what it wrote there; CMSG_FIRSTHDR gives null unless a whole `cmsghdr` fits. Such a header is aligned (Control
    // is) and written by the kernel, and `cmsg_len` covers the int that is read, without claiming its alignment.
    unsafe {
        let first = libc::CMSG_FIRSTHDR(header);
        if first.is_null()
            || (*first).cmsg_level != libc::SOL_UDP
            || (*first).cmsg_type != libc::UDP_GRO
            || ((*first).cmsg_len as usize) < libc::CMSG_LEN(4) as usize
        {
            return None;
        }
        usize::try_from(libc::CMSG_DATA(first).cast::<libc::c_int>().read_unaligned()).ok()
    }
}

/// Sends the first `lens[i]` bytes of `frames[i * slot..]` as one datagram each, at most [`BATCH`] of them, without
/// waiting. Returns how many the kernel took: at least one, or an error.
pub(super) fn send_batch(fd: impl AsFd, frames: &[u8], slot: usize, lens: &[usize]) -> io::Result<usize> {
    let n = lens.len().min(BATCH);
    let mut iovecs = [const { MaybeUninit::<libc::iovec>::uninit() }; BATCH];
    let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; BATCH];
    for (i, (part, &len)) in frames.chunks_exact(slot).zip(lens).take(n).enumerate() {
        let frame = &part[..len];
        let iovec = iovecs[i].write(libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: len });
        let header = headers[i].write(no_message());
        header.msg_hdr.msg_iov = iovec;
        header.msg_hdr.msg_iovlen = 1;
    }
    assert!(frames.len() >= n * slot);
    // SAFETY: the first `n` headers are initialised (the assertion above says that no chunk was missing). Each points
    // at its own iovec on this stack frame, and that at bytes of `frames`, borrowed for the call; sendmmsg reads the
    // bytes and writes only `msg_len` of the headers, which are ours.
    let sent = unsafe {
        libc::sendmmsg(
            fd.as_fd().as_raw_fd(),
            headers.as_mut_ptr().cast(),
            n as _,
            (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) as _,
        )
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

fn no_message() -> libc::mmsghdr {
    // SAFETY: a struct of integers and raw pointers, for which all zero bytes are a value (a musl target has private
    // padding in it, so it cannot be written as a literal).
    unsafe { mem::zeroed() }
}

/// Sets a socket option that takes an `int`.
pub(super) fn set_int(fd: impl AsFd, level: i32, option: i32, value: i32) -> io::Result<()> {
    set(fd, level, option, &value)
}

/// Chooses the interface, and its address (unspecified: the kernel picks), that IPv4 multicasts leave by.
pub(super) fn set_multicast_if_v4(fd: impl AsFd, index: u32, address: Ipv4Addr) -> io::Result<()> {
    let request = libc::ip_mreqn {
        imr_multiaddr: libc::in_addr { s_addr: 0 },
        imr_address: libc::in_addr { s_addr: u32::from_ne_bytes(address.octets()) },
        imr_ifindex: index as i32,
    };
    set(fd, libc::IPPROTO_IP, libc::IP_MULTICAST_IF, &request)
}

fn set<T: Copy>(fd: impl AsFd, level: i32, option: i32, value: &T) -> io::Result<()> {
    // SAFETY: `value` is valid for reads of its own size, which is the length passed, for the length of the call.
    let rc = unsafe {
        libc::setsockopt(
            fd.as_fd().as_raw_fd(),
            level,
            option,
            ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The socket's count of datagrams dropped before they could be read. Wraps at 2^32.
pub(super) fn drops(fd: impl AsFd) -> io::Result<u32> {
    let mut info = [0u32; 9];
    let mut len = size_of_val(&info) as libc::socklen_t;
    // SAFETY: `info` is valid for writes of `len` bytes and any bytes are valid `u32`s; `len` is ours.
    let rc = unsafe {
        libc::getsockopt(
            fd.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            info.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    if rc == 0 { Ok(info[libc::SK_MEMINFO_DROPS as usize]) } else { Err(io::Error::last_os_error()) }
}

/// One line of the kernel's list: an interface, and at most one of its addresses.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) flags: u32,
    pub(super) address: Option<IpAddr>,
}

/// Every interface of this network namespace, once for each of its addresses and once more for itself.
pub(super) fn interfaces() -> io::Result<Vec<Entry>> {
    let mut list = ptr::null_mut();
    // SAFETY: `list` is ours to be written.
    if unsafe { libc::getifaddrs(&raw mut list) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut entries = Vec::new();
    let mut at = list;
    // SAFETY: `at` is null or an element of the list that getifaddrs made, which lives until freeifaddrs below.
    while let Some(item) = unsafe { at.as_ref() } {
        // SAFETY: `ifa_name` is a string of the same list, ended by a zero.
        let name = unsafe { CStr::from_ptr(item.ifa_name) };
        entries.push(Entry {
            name: name.to_string_lossy().into_owned(),
            flags: item.ifa_flags,
            // SAFETY: `ifa_addr` is null or an address of the same list, as long as its family says.
            address: unsafe { address(item.ifa_addr) },
        });
        at = item.ifa_next;
    }
    // SAFETY: made by getifaddrs, freed once, and nothing of it is kept: names and addresses were copied.
    unsafe { libc::freeifaddrs(list) };
    Ok(entries)
}

/// # Safety
///
/// `from` is null, or valid for reads as the address structure of its family.
unsafe fn address(from: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: the caller's promise; the family is read before the pointer is taken for a longer structure, and the
    // reads claim no alignment.
    unsafe {
        if from.is_null() {
            return None;
        }
        match i32::from((&raw const (*from).sa_family).read_unaligned()) {
            libc::AF_INET => {
                let v4 = from.cast::<libc::sockaddr_in>().read_unaligned();
                Some(Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes()).into())
            }
            libc::AF_INET6 => {
                let v6 = from.cast::<libc::sockaddr_in6>().read_unaligned();
                Some(Ipv6Addr::from(v6.sin6_addr.s6_addr).into())
            }
            _ => None,
        }
    }
}

/// The largest packet, IP header included, that the interface carries whole.
pub(super) fn mtu(fd: impl AsFd, interface: &str) -> io::Result<usize> {
    let mut name = [0; libc::IFNAMSIZ];
    if interface.len() >= name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in name.iter_mut().zip(interface.bytes()) {
        *to = from as libc::c_char;
    }
    let mut request = libc::ifreq { ifr_name: name, ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_mtu: 0 } };
    // SAFETY: SIOCGIFMTU reads the name, which ends in a zero (checked above), and writes `ifru_mtu`, both of which
    // lie in `request`, whose size the kernel knows.
    let rc = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), libc::SIOCGIFMTU as _, &raw mut request) };
    if rc != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so the kernel has written this member; it is an integer, any bytes are valid.
    let mtu = unsafe { request.ifr_ifru.ifru_mtu };
    usize::try_from(mtu).map_err(|_| io::ErrorKind::InvalidData.into())
}
