//! UDP multicast: frames as datagrams on any network, or on `lo` between processes of one host.
//!
//! Contract: everything of [`crate::link`]. Two sockets: one sends to the group, one hears it, both bound to one
//! interface by name; no route is needed and no other interface is touched. Frames of one size queued together leave
//! in one system call and arrive in one (`UDP_SEGMENT`, `UDP_GRO`), which is the largest single gain in speed; where kernel or
//! interface refuse, each frame is a datagram of its own, and [`describe`](Link::describe) says so. A shorter frame
//! ends its batch, so it costs a system call when others follow it.
//!
//! A node hears itself unless [`UdpConfig::own_node`] drops its own frames in the kernel.
//!
//! **What `kernel_drops` counts.** The kernel's counter of the receiving socket, less the node's own frames, which
//! its filter drops and which the kernel counts there too. It counts pieces: a batch that travels as one (up to 64
//! frames, both ends on [`Offload::Auto`]) counts once. It is exact whenever the node's own last sends have gone
//! through; while one is on its way between the two sockets the count may lag behind, never run ahead, and it never goes
//! back. What the kernel loses before the socket (a full backlog of the receiving core) nobody counts here; with a
//! filter each own piece lost there hides one true drop.
//!
//! **What `sent_frames` means.** The kernel took the frame. A cable that is pulled without the interface going
//! down, or a switch, loses it later unseen; a full queue of the device and an interface that is down are seen, and
//! counted as refused.
//!
//! A link is opened in the network namespace of its thread and stays there. It survives the interface going down and
//! up again; it does not survive the interface's deletion or a change of the address that it sends from: open anew.

mod config;
mod error;
mod interface;
mod open;
mod rx;
mod sys;
mod tx;

pub use config::{DEFAULT_FRAME_BYTES, NodeFilter, Offload, UdpConfig, receive_buffer_for};
pub use error::OpenError;

use std::fmt::Write as _;
use std::os::fd::{AsFd, BorrowedFd};

use mirror_core::FrameSink;

use crate::{Link, LinkStats, Nanos, WaitMode, wait};
use interface::Interface;
use open::Buffer;
use rx::Receiver;
use tx::{Segmenting, Sender};

/// A link over UDP multicast. See the [module](self).
#[derive(Debug)]
pub struct UdpLink {
    tx: Sender,
    rx: Receiver,
    wait: WaitMode,
    drops: Drops,
    /// What `describe` begins with.
    address: String,
    warnings: Vec<String>,
}

impl UdpLink {
    /// Opens the link: makes both sockets, joins the group, and allocates and touches all memory it will ever use.
    ///
    /// # Errors
    ///
    /// [`OpenError`] names what is wrong, its limit and what to do. A buffer smaller than asked for is no error but
    /// one of the [`warnings`](Self::warnings).
    pub fn open(config: &UdpConfig) -> Result<Self, OpenError> {
        open::check(config)?;
        let (send, receive) = (open::socket(config.group)?, open::socket(config.group)?);
        let interface = Interface::find(&config.interface, config.group, &send)?;
        open::check_mtu(config, &interface)?;

        // Before the group is joined, so that nothing arrives to a small buffer.
        let warnings = [
            open::size_buffer(&receive, Buffer::Receive, config.receive_buffer)?,
            open::size_buffer(&send, Buffer::Send, config.send_buffer)?,
        ];
        open::set_up_sender(&send, config, &interface)?;
        let tx = Sender::new(send, config.frame_bytes, open::most_bytes(config.group), config.offload);
        let rx = Receiver::new(receive, config.frame_bytes, config.offload);
        open::set_up_receiver(rx.socket(), config, &interface)?;

        Ok(Self {
            tx,
            rx,
            wait: config.wait,
            drops: Drops {
                // On a loopback interface everything sent comes back, whatever was asked.
                own_return: config.own_node.is_some() && (config.loopback || interface.is_loopback),
                ..Drops::default()
            },
            address: format!(
                "UDP multicast {} on {} (MTU {}), frames of {} bytes",
                config.group, interface.name, interface.mtu, config.frame_bytes
            ),
            warnings: warnings.into_iter().flatten().collect(),
        })
    }

    /// What is not as it was asked for and may cost frames, in words, each with its remedy. Fixed at open.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl FrameSink for UdpLink {
    fn frame_bytes(&self) -> usize {
        self.tx.frame_bytes()
    }

    /// Never `None`: what the kernel has no room for is refused at the flush.
    fn lend(&mut self) -> Option<&mut [u8]> {
        Some(self.tx.lend())
    }

    fn push(&mut self, len: usize) {
        self.tx.push(len);
    }
}

impl Link for UdpLink {
    fn describe(&self) -> String {
        let mut said = self.address.clone();
        // Writing to a String cannot fail.
        let _ = match self.tx.segmenting() {
            Segmenting::On => write!(said, "; {} a send (UDP_SEGMENT)", self.tx.batch_frames()),
            Segmenting::NotAsked => write!(said, "; one datagram a frame (sendmmsg)"),
            Segmenting::Refused(errno) => {
                let why = std::io::Error::from_raw_os_error(errno);
                write!(said, "; one datagram a frame (sendmmsg; UDP_SEGMENT was refused: {why})")
            }
        };
        let joined = if self.rx.joining() { "joined by UDP_GRO" } else { "one frame each" };
        let _ = write!(said, "; up to {} datagrams a receive, {joined}", self.rx.slots());
        for warning in &self.warnings {
            let _ = write!(said, "; {warning}");
        }
        said
    }

    fn flush(&mut self) {
        self.tx.flush();
    }

    fn receive(&mut self, limit: usize, sink: &mut dyn FnMut(&[u8])) -> usize {
        self.rx.receive(limit, sink)
    }

    fn wait(&mut self, until: Nanos) {
        wait::wait(self.wait, || self.rx.block(until));
    }

    fn stats(&mut self) -> LinkStats {
        // If the kernel would not say, the last answer stands.
        if let Ok(counter) = sys::drops(self.rx.socket()) {
            self.drops.update(counter, self.tx.sent_pieces);
        }
        LinkStats {
            sent_frames: self.tx.sent_frames,
            sent_bytes: self.tx.sent_bytes,
            refused_frames: self.tx.refused_frames,
            received_frames: self.rx.frames,
            received_bytes: self.rx.bytes,
            oversized_frames: self.rx.oversized,
            kernel_drops: self.drops.foreign,
            second_copies: 0,
        }
    }

    fn readable(&self) -> Option<BorrowedFd<'_>> {
        Some(self.rx.socket().as_fd())
    }
}

/// The kernel's counter of drops, made 64 bits wide and rid of the node's own frames.
#[derive(Debug, Default)]
struct Drops {
    /// Own frames come back and are dropped by the filter.
    own_return: bool,
    counter: u32,
    total: u64,
    foreign: u64,
}

impl Drops {
    fn update(&mut self, counter: u32, own_pieces: u64) {
        self.total += u64::from(counter.wrapping_sub(self.counter));
        self.counter = counter;
        let own = if self.own_return { own_pieces } else { 0 };
        // Own pieces on their way are subtracted too early: keep the larger, which was exact when it was taken.
        self.foreign = self.foreign.max(self.total.saturating_sub(own));
    }
}

#[cfg(test)]
mod tests {
    use super::Drops;

    #[test]
    fn drops_are_wide_and_never_go_back() {
        let mut drops = Drops { own_return: true, counter: u32::MAX - 1, ..Drops::default() };
        drops.update(1, 0);
        assert_eq!(drops.foreign, 3);
        drops.update(1, 2);
        assert_eq!(drops.foreign, 3);
        drops.update(4, 2);
        assert_eq!(drops.foreign, 4);
    }
}
