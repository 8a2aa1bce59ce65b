//! A TAP device: a network card whose cable ends in this process.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use rustix::ioctl::{Setter, ioctl, opcode};

/// A TAP device, which the kernel removes when this is dropped.
#[derive(Debug)]
pub(super) struct Tap {
    file: File,
}

/// `struct ifreq`, as far as TUNSETIFF reads it.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    flags: i16,
    spare: [u8; 22],
}

const _: () = assert!(size_of::<Request>() == size_of::<libc::ifreq>());

impl Tap {
    /// A new device of this name, at most 15 bytes, in the network namespace of the calling thread. Frames are taken and given
    /// as they are, without a header before them; without offloads, so that each is one packet.
    pub(super) fn new(name: &str) -> io::Result<Self> {
        const SET_INTERFACE: rustix::ioctl::Opcode = opcode::write::<libc::c_int>(b'T', 202);
        let file =
            OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun")?;
        let flags = (libc::IFF_TAP | libc::IFF_NO_PI) as i16;
        let mut request = Request { name: [0; libc::IFNAMSIZ], flags, spare: [0; 22] };
        let name = &name.as_bytes()[..name.len().min(libc::IFNAMSIZ - 1)];
        request.name[..name.len()].copy_from_slice(name);
        // SAFETY: this request takes a pointer to a `struct ifreq`, which `Request` is in size and layout; the kernel
        // keeps no pointer to it.
        unsafe { ioctl(&file, Setter::<SET_INTERFACE, Request>::new(request)) }?;
        Ok(Self { file })
    }

    /// The next frame that the namespace sent, into `frame`; `None` if there is none now.
    pub(super) fn take<'a>(&self, frame: &'a mut [u8]) -> Option<&'a [u8]> {
        // Nothing to read is the one error that comes while the device exists.
        let len = (&self.file).read(frame).ok()?;
        Some(&frame[..len])
    }

    /// Lets the namespace receive a frame. False: its device is down.
    pub(super) fn give(&self, frame: &[u8]) -> bool {
        (&self.file).write(frame).is_ok()
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
