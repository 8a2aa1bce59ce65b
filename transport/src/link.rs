//! The one trait behind which every way for frames to travel stands.
//!
//! Contract: a link belongs to one thread. It carries whole frames or loses them; it may lose, double and reorder,
//! and never mixes two. Sending never waits for a receiver. After construction no call allocates, locks or logs.

use mirror_core::FrameSink;
use std::os::fd::BorrowedFd;

/// Nanoseconds of `CLOCK_MONOTONIC`, the clock in which links take deadlines.
pub type Nanos = u64;

/// How a loop waits for frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum WaitMode {
    /// Return at once: the caller spins. Lowest latency, one whole core.
    Spin,
    /// Give the core away (`sched_yield`) and return.
    Yield,
    /// Sleep in the kernel until a frame or the deadline. About 25 us more latency, no core.
    #[default]
    Block,
}

/// What a link has done since it was opened. All counts are frames unless they say otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Frames given to the network.
    pub sent_frames: u64,
    /// Bytes of those frames.
    pub sent_bytes: u64,
    /// Frames that the network would not take (queue full, interface down).
    pub refused_frames: u64,
    /// Frames handed to the receiver.
    pub received_frames: u64,
    /// Bytes of those frames.
    pub received_bytes: u64,
    /// Frames that arrived and were longer than this link's frames: not handed to the receiver.
    pub oversized_frames: u64,
    /// Datagrams that arrived and were dropped before they could be read (the receive buffer was full). A batch that the
    /// kernel carries in one piece counts once.
    pub kernel_drops: u64,
    /// Frames that arrived again, by another network, and were not handed to the receiver a second time.
    pub second_copies: u64,
}

/// How one of several networks that carry the same frames does. Counts are frames, since the link was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkHealth {
    /// Frames given to it.
    pub sent_frames: u64,
    /// Frames that it would not take (queue full, interface down).
    pub refused_frames: u64,
    /// Frames of members that it brought, whether first or second.
    pub received_frames: u64,
    /// Frames of members that it did not bring, by the numbers that each sender gives its frames. A frame counts as missing
    /// when 1,024 later ones of its sender were heard, by whichever network, so one that is only late does not count.
    pub missing_frames: u64,
    /// What [`LinkStats::kernel_drops`] says of it.
    pub kernel_drops: u64,
    /// When it last brought a frame of a member; 0: never.
    pub heard_at: Nanos,
    /// It brings nothing, while another does.
    pub silent: bool,
}

/// A way for frames to travel.
pub trait Link: FrameSink + Send {
    /// In words, for people: kind, group, interface, and what was chosen or refused at open.
    fn describe(&self) -> String;

    /// Sends everything that was pushed. Frames that the network refuses are counted in
    /// [`LinkStats::refused_frames`] and forgotten: a lost frame is a lost frame, wherever it is lost.
    fn flush(&mut self);

    /// Hands at most about `limit` waiting frames to `sink`, in the order of arrival, and returns how many it took off the
    /// network, those that it does not hand out included (too long, second copies): fewer than `limit` means that nothing is left. A batch that the kernel
    /// delivers in one piece is never cut, so the number may exceed `limit` by that batch. Never waits.
    ///
    /// The bytes are only lent for the call.
    fn receive(&mut self, limit: usize, sink: &mut dyn FnMut(&[u8])) -> usize;

    /// Waits, in the way of the link's [`WaitMode`], until something may have arrived or `until` has passed.
    /// May return early.
    fn wait(&mut self, until: Nanos);

    /// The counts so far. May make a system call for each network; meant for once in many cycles.
    fn stats(&mut self) -> LinkStats;

    /// What becomes readable when a frame arrives, for whoever waits for several links at once: with [`WaitMode::Block`] it
    /// sleeps on this in the place of [`wait`](Self::wait), after `receive` has said that nothing is left. `None` (unless a
    /// link says otherwise): there is no such thing.
    fn readable(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Each network apart, where the link carries every frame over several; else none. As of the last call of
    /// [`stats`](Self::stats) for what is sent, refused, dropped and silent; the rest as it is now.
    fn networks(&self) -> &[NetworkHealth] {
        &[]
    }
}
