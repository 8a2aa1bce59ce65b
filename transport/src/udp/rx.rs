//! The receiving half: several datagrams, each perhaps many frames, by one system call.
//!
//! Contract: never waits. What the kernel joined (`UDP_GRO`) is cut into frames again and handed out whole; what a
//! call had to leave behind for its limit, the next one hands out first.

use rustix::event::{PollFd, PollFlags};
use socket2::Socket;

use super::config::Offload;
use super::sys::{self, Datagram};
use crate::{Nanos, wait};

/// The largest piece that the kernel joins.
const JOINED_BYTES: usize = 1 << 16;
/// Few, so that the buffers stay in the cache. One cycle is seldom more than two or three pieces.
const JOINED_SLOTS: usize = 4;

#[derive(Debug)]
pub(super) struct Receiver {
    socket: Socket,
    frame_bytes: usize,
    joining: bool,
    slot: usize,
    arena: Box<[u8]>,
    /// What lies in the slots; those from `next` to `filled` were not handed out yet.
    datagrams: Box<[Datagram]>,
    next: usize,
    filled: usize,
    pub(super) frames: u64,
    pub(super) bytes: u64,
    pub(super) oversized: u64,
}

impl Receiver {
    /// `socket` is bound, a member of its group, and does not block.
    pub(super) fn new(socket: Socket, frame_bytes: usize, offload: Offload) -> Self {
        // A kernel that has no UDP_GRO gives one frame a datagram, which is a case of the same code.
        let joining =
            offload == Offload::Auto && sys::set_int(&socket, libc::SOL_UDP, libc::UDP_GRO, 1).is_ok();
        let (slot, slots) = if joining {
            (JOINED_BYTES, JOINED_SLOTS)
        } else {
            (frame_bytes.next_multiple_of(64), sys::BATCH)
        };
        Self {
            socket,
            frame_bytes,
            joining,
            slot,
            // Not zero, so that its pages are there before the first frame.
            arena: vec![0xA5; slot * slots].into(),
            datagrams: vec![Datagram::default(); slots].into(),
            next: 0,
            filled: 0,
            frames: 0,
            bytes: 0,
            oversized: 0,
        }
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    pub(super) fn joining(&self) -> bool {
        self.joining
    }

    pub(super) fn slots(&self) -> usize {
        self.datagrams.len()
    }

    pub(super) fn receive(&mut self, limit: usize, sink: &mut dyn FnMut(&[u8])) -> usize {
        // What is not handed out is work all the same: a stranger's flood may not hold the caller.
        let mut handled = 0;
        let mut emptied = false;
        while handled < limit {
            if self.next == self.filled {
                if emptied || !self.fill() {
                    break;
                }
                // Slots to spare: the queue was empty, and asking again would cost a system call to hear so.
                emptied = self.filled < self.datagrams.len();
            }
            handled += self.hand_out(sink).max(1);
        }
        handled
    }

    /// Refills the slots; false if nothing waits.
    fn fill(&mut self) -> bool {
        self.next = 0;
        // An error here is a pending one of the socket or plain emptiness: either way nothing to read this time.
        self.filled =
            sys::receive_batch(&self.socket, &mut self.arena, self.slot, &mut self.datagrams).unwrap_or(0);
        self.filled > 0
    }

    /// Hands out the frames of the next slot and returns their number.
    fn hand_out(&mut self, sink: &mut dyn FnMut(&[u8])) -> usize {
        let Datagram { len, segment, truncated } = self.datagrams[self.next];
        let piece = &self.arena[self.next * self.slot..][..len];
        self.next += 1;
        if truncated || segment > self.frame_bytes {
            self.oversized += piece.chunks(segment.max(1)).len() as u64;
            return 0;
        }
        self.bytes += len as u64;
        let mut frames = 0;
        if piece.is_empty() {
            // Nobody of ours sends it, but a stranger may, and the receiver counts what strangers send.
            sink(piece);
            frames = 1;
        }
        for frame in piece.chunks(segment.max(1)) {
            sink(frame);
            frames += 1;
        }
        self.frames += frames as u64;
        frames
    }

    /// Sleeps until something waits or `until` has passed.
    pub(super) fn block(&self, until: Nanos) {
        if self.next < self.filled {
            return;
        }
        wait::sleep(&mut [PollFd::new(&self.socket, PollFlags::IN)], until);
    }
}
