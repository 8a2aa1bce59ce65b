//! One direction of a simulated link: frames in, the same frames later, but for those that are lost.
//!
//! Contract: frames keep their order. A frame takes its time on the wire, after those before it, then the latency. What
//! waits for the wire is bounded as a socket's send buffer is; beyond that the pipe lends no memory. Every frame is counted by
//! what it is for, lost or not.

use super::weather::Losses;
use mirror_core::FrameSink;
use mirror_core::wire::{Frame, FrameKind};
use std::collections::VecDeque;

/// Bytes of Ethernet, IPv4 and UDP around a frame: preamble, headers, check sequence and gap.
pub const AROUND: u64 = 66;
/// Most bytes that wait for the wire: the send buffer of a UDP link.
const MOST_WAITING: u64 = 2 << 20;
/// Cycles of which the pipe knows what was sent.
const KNOWN: usize = 128;
/// Where a frame has its kind and its flags, and the kinds without lines of their own (PROTOCOL.md).
const AT_KIND: usize = 32;
const AT_FLAGS: usize = 33;
const PARITY: u8 = 5;

/// Frames and their bytes on the wire.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    /// How many.
    pub frames: u64,
    /// Bytes, with what is [`AROUND`] them.
    pub bytes: u64,
}

/// What frames were for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Lines of a cycle, for the first time.
    pub data: Count,
    /// Lines again: frames sent again, sweeps, cycles sent whole on request.
    pub repair: Count,
    /// Parity.
    pub parity: Count,
    /// Statuses.
    pub status: Count,
    /// Of all of these, those that were lost.
    pub lost: u64,
    /// Times that no memory was lent.
    pub refused: u64,
}

impl Counts {
    /// Frames of all kinds.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.data.frames + self.repair.frames + self.parity.frames + self.status.frames
    }
}

/// One direction.
#[derive(Debug)]
pub struct Pipe {
    frame: Box<[u8]>,
    lines: usize,
    /// When and what arrives.
    queue: VecDeque<(u64, Vec<u8>)>,
    /// Memory of frames that have arrived.
    spare: Vec<Vec<u8>>,
    bits_per_second: u64,
    latency: u64,
    losses: Losses,
    now: u64,
    /// When the wire is free.
    free: u64,
    /// Cycles lately sent, with a flag for each frame.
    known: VecDeque<(u64, Vec<bool>)>,
    /// Since [`begin`](Self::begin).
    pub counts: Counts,
}

impl Pipe {
    /// An ideal wire for frames of `frame_bytes` of a region of `lines` lines: no loss, no end to its rate.
    #[must_use]
    pub fn new(frame_bytes: usize, lines: usize, latency: u64, losses: Losses) -> Self {
        Self {
            frame: vec![0; frame_bytes].into(),
            lines,
            queue: VecDeque::new(),
            spare: Vec::new(),
            bits_per_second: u64::MAX,
            latency,
            losses,
            now: 0,
            free: 0,
            known: VecDeque::new(),
            counts: Counts::default(),
        }
    }

    /// From now on it has this rate and loses what `losses` says. Counts anew.
    pub fn begin(&mut self, bits_per_second: u64, losses: Losses) {
        (self.bits_per_second, self.losses, self.counts) = (bits_per_second, losses, Counts::default());
    }

    /// The time at which frames are pushed next, nanoseconds.
    pub fn at(&mut self, now: u64) -> &mut Self {
        self.now = now;
        self
    }

    /// When the next frame arrives.
    #[must_use]
    pub fn next(&self) -> Option<u64> {
        self.queue.front().map(|(at, _)| *at)
    }

    /// Hands the next frame to `hear`.
    pub fn arrive<R>(&mut self, hear: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let (_, bytes) = self.queue.pop_front()?;
        let heard = hear(&bytes);
        self.spare.push(bytes);
        Some(heard)
    }

    /// Whether this frame of a cycle is sent for the first time.
    fn is_new(&mut self, cycle: u64, index: u32, count: u32) -> bool {
        let at = self.known.iter().position(|(known, _)| *known == cycle).unwrap_or_else(|| {
            if self.known.len() == KNOWN {
                self.known.pop_front();
            }
            self.known.push_back((cycle, vec![false; count as usize]));
            self.known.len() - 1
        });
        let Some(sent) = self.known[at].1.get_mut(index as usize) else { return false };
        !std::mem::replace(sent, true)
    }

    fn count(&mut self, len: usize) {
        let (kind, whole) = (self.frame[AT_KIND], self.frame[AT_FLAGS] & 1 != 0);
        let which = if kind == FrameKind::Status as u8 {
            &mut self.counts.status
        } else if kind == PARITY {
            &mut self.counts.parity
        } else {
            let data = match Frame::decode(&self.frame[..len], self.lines) {
                Ok(Frame::Data(_, data, _)) if !whole => Some((data.cycle, data.index, data.count)),
                _ => None,
            };
            let new = data.is_some_and(|(cycle, index, count)| self.is_new(cycle, index, count));
            if new { &mut self.counts.data } else { &mut self.counts.repair }
        };
        which.frames += 1;
        which.bytes += len as u64 + AROUND;
    }
}

impl FrameSink for Pipe {
    fn frame_bytes(&self) -> usize {
        self.frame.len()
    }

    fn lend(&mut self) -> Option<&mut [u8]> {
        let waits = self.free.saturating_sub(self.now);
        if u128::from(waits) * u128::from(self.bits_per_second) / 8_000_000_000 >= MOST_WAITING.into() {
            self.counts.refused += 1;
            return None;
        }
        Some(&mut self.frame)
    }

    fn push(&mut self, len: usize) {
        self.count(len);
        let wire = (len as u64 + AROUND) * 8 * 1_000_000_000 / self.bits_per_second;
        self.free = self.free.max(self.now) + wire;
        if self.losses.next_is_lost() {
            self.counts.lost += 1;
            return;
        }
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.clear();
        bytes.extend_from_slice(&self.frame[..len]);
        self.queue.push_back((self.free + self.latency, bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::weather::CALM;

    #[test]
    fn frames_take_their_time_in_order_until_too_many_wait() {
        let mut pipe = Pipe::new(1000, 1, 10_000, Losses::new(&CALM, 0));
        let (rate, len) = (1_000_000_000, 1000 - AROUND as usize);
        pipe.begin(rate, Losses::new(&CALM, 0));
        pipe.at(500);
        let mut pushed = 0;
        while let Some(frame) = pipe.lend() {
            frame[0] = pushed as u8;
            pipe.push(len);
            pushed += 1;
        }
        assert_eq!(pushed, MOST_WAITING.div_ceil(1000));
        assert_eq!((pipe.counts.refused, pipe.counts.repair.bytes), (1, pushed * 1000));
        for number in 0..pushed {
            assert_eq!(pipe.next(), Some(500 + (number + 1) * 8000 + 10_000));
            assert_eq!(pipe.arrive(|bytes| (bytes.len(), bytes[0])), Some((len, number as u8)));
        }
        assert_eq!(pipe.next(), None);
        assert!(pipe.at(500 + pushed * 8000).lend().is_some(), "the wire is free again");
    }
}
