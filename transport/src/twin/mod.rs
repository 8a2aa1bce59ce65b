//! Two networks that carry every frame twice, so that either may fail (the way of PRP, IEC 62439-3).
//!
//! Contract: everything of [`crate::link`]. Every frame goes out on both, the same bytes on each; the first copy that arrives is
//! handed to the receiver, the second is dropped and counted. Neither network waits for the other: what one has no room
//! for, or refuses, or loses, goes by the other alone, and each takes its turn at being read, so that a flood on one
//! does not silence the other. The health of each is kept apart ([`Link::networks`]). Nothing is decided by it: a
//! network that failed is used like a sound one, so there is nothing to switch over, and nothing to switch back.
//!
//! **Why a dropped copy is never the only good one.** A frame is dropped if one with the same sender, number and checksum
//! was handed over before, and that one's checksum was verified. So a copy that was damaged on one network is never noted
//! (it is handed on, and the receiver counts it), and the good copy of the other passes. Copies are compared without
//! being verified themselves: one that carries the checksum of a sound frame and other bytes is a damaged copy of that
//! frame. What is verified here the receiver verifies again (25 ns for 1,472 bytes); in exchange it never sees the second
//! copy, and each network's missing frames are counted from numbers that can be believed. Two sound frames with the same
//! sender and number (a sender that was restarted) have the same checksum with probability 2^-32; one is then lost like
//! any frame, and sent again. Whoever can forge a sound frame could have a good one dropped; but he could lead the group as
//! well: frames are not authenticated. Once they are, what is noted here must be what was authenticated.
//!
//! Handed on twice, and harmless to a receiver that ignores what it knows: frames of whoever is no member, and
//! copies that come more than 1,024 frames of their sender apart.

mod copies;

use crate::{Link, LinkStats, Nanos, NetworkHealth, WaitMode, wait};
use copies::{Copies, Seen};
use mirror_core::FrameSink;
use rustix::event::{PollFd, PollFlags};

/// What a [`Twin`] is told.
#[derive(Clone, Copy, Debug)]
pub struct TwinConfig<'a> {
    /// Hash of the group's name, as its frames carry it.
    pub group: u64,
    /// The node ids whose frames are known again, at most 255: the other members. Each takes 8 KiB.
    pub senders: &'a [u8],
    /// How [`Link::wait`] waits. [`WaitMode::Block`] needs networks that have something to [sleep on](Link::readable); with
    /// others it gives the core away instead.
    pub wait: WaitMode,
    /// A network that brought nothing for so long while the other did is [silent](NetworkHealth::silent), nanoseconds. More
    /// than members ever keep quiet.
    pub silence: Nanos,
}

/// Why two links cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the first network carries frames of {first} bytes, the second frames of {second}: open both with the smaller number"
)]
pub struct UnequalFrames {
    /// Bytes of the first's frames.
    pub first: usize,
    /// Bytes of the second's.
    pub second: usize,
}

/// A link over two networks. See the [module](self).
pub struct Twin {
    links: [Box<dyn Link>; 2],
    copies: Copies,
    wait: WaitMode,
    silence: Nanos,
    opened: Nanos,
    /// Which network lent the memory of the frame that is being written.
    lent: Option<usize>,
    /// Frames for which a network lent no memory when the other did.
    unlent: [u64; 2],
    /// Which network is read first the next time.
    first: usize,
    /// Something may be left of what was read last.
    left: bool,
    /// What the networks had counted when asked last.
    before: [LinkStats; 2],
    stats: LinkStats,
    health: [NetworkHealth; 2],
}

impl std::fmt::Debug for Twin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Twin")
            .field("stats", &self.stats)
            .field("health", &self.health)
            .finish_non_exhaustive()
    }
}

impl Twin {
    /// One link over two, which are to hear nothing of each other. All memory is allocated here.
    ///
    /// # Errors
    /// [`UnequalFrames`].
    pub fn new(
        first: Box<dyn Link>,
        second: Box<dyn Link>,
        config: &TwinConfig<'_>,
    ) -> Result<Self, UnequalFrames> {
        if first.frame_bytes() != second.frame_bytes() {
            return Err(UnequalFrames { first: first.frame_bytes(), second: second.frame_bytes() });
        }
        Ok(Self {
            links: [first, second],
            copies: Copies::new(config.group, config.senders),
            wait: config.wait,
            silence: config.silence,
            opened: wait::now(),
            lent: None,
            unlent: [0; 2],
            first: 0,
            left: false,
            before: [LinkStats::default(); 2],
            stats: LinkStats::default(),
            health: [NetworkHealth::default(); 2],
        })
    }

    /// Reads one network. Returns how many frames it took off it. `now`: when the networks are read, once it is known.
    fn read(
        &mut self,
        network: usize,
        limit: usize,
        now: &mut Option<Nanos>,
        sink: &mut dyn FnMut(&[u8]),
    ) -> usize {
        let Self { links, copies, stats, health, .. } = self;
        let mut members = 0;
        let taken = links[network].receive(limit, &mut |frame| {
            let seen = copies.see(network, frame);
            members += u64::from(seen != Seen::Stranger);
            if seen == Seen::Second {
                stats.second_copies += 1;
                return;
            }
            stats.received_frames += 1;
            stats.received_bytes += frame.len() as u64;
            sink(frame);
        });
        if members > 0 {
            health[network].received_frames += members;
            // One time for both: a stall between reading the one and the other is nobody's silence.
            health[network].heard_at = *now.get_or_insert_with(wait::now);
        }
        taken
    }
}

impl FrameSink for Twin {
    fn frame_bytes(&self) -> usize {
        self.links[0].frame_bytes()
    }

    /// The first network's memory, or the second's if the first has no room. `None` if neither has.
    fn lend(&mut self) -> Option<&mut [u8]> {
        let [first, second] = &mut self.links;
        self.lent = None;
        if let Some(memory) = first.lend() {
            self.lent = Some(0);
            return Some(memory);
        }
        let memory = second.lend()?;
        self.lent = Some(1);
        Some(memory)
    }

    fn push(&mut self, len: usize) {
        let Some(lent) = self.lent.take().filter(|_| len > 0) else { return };
        let len = len.min(self.frame_bytes());
        let [first, second] = &mut self.links;
        if lent == 1 {
            self.unlent[0] += 1;
            return second.push(len);
        }
        // What is lent again is as it was left.
        match (first.lend(), second.lend()) {
            (Some(from), Some(to)) => {
                to[..len].copy_from_slice(&from[..len]);
                second.push(len);
            }
            _ => self.unlent[1] += 1,
        }
        first.push(len);
    }
}

impl Link for Twin {
    fn describe(&self) -> String {
        let [first, second] = self.links.each_ref().map(|link| link.describe());
        format!("two networks, every frame on both; first: {first}; second: {second}")
    }

    fn flush(&mut self) {
        self.lent = None;
        self.links.iter_mut().for_each(|link| link.flush());
    }

    /// Each network has half of the limit for certain; what one leaves of it the other may have.
    fn receive(&mut self, limit: usize, sink: &mut dyn FnMut(&[u8])) -> usize {
        let (one, other) = (self.first, 1 - self.first);
        self.first = other;
        let (half, mut now) = (limit.div_ceil(2), None);
        let begun = self.read(one, half, &mut now, sink);
        let mut taken = begun + self.read(other, limit.saturating_sub(begun), &mut now, sink);
        if begun >= half && taken < limit {
            taken += self.read(one, limit - taken, &mut now, sink);
        }
        self.left = taken >= limit;
        taken
    }

    fn wait(&mut self, until: Nanos) {
        if self.left {
            return;
        }
        wait::wait(self.wait, || match self.links.each_ref().map(|link| link.readable()) {
            [Some(first), Some(second)] => wait::sleep(
                &mut [
                    PollFd::from_borrowed_fd(first, PollFlags::IN),
                    PollFd::from_borrowed_fd(second, PollFlags::IN),
                ],
                until,
            ),
            _ => rustix::thread::sched_yield(),
        });
    }

    /// Counts frames, not copies: a frame counts as sent if either network took it, as refused if neither did. Since each
    /// network counts for itself, that is known to within what changed between two calls, and of the frames that the
    /// kernel dropped it is the greater number: some of them may have come by the other network.
    fn stats(&mut self) -> LinkStats {
        let mut now = self.links.each_mut().map(|link| link.stats());
        for (stats, unlent) in now.iter_mut().zip(self.unlent) {
            stats.refused_frames += unlent;
        }
        let before = std::mem::replace(&mut self.before, now);
        let grown =
            |count: fn(&LinkStats) -> u64| [0, 1].map(|n| count(&now[n]).saturating_sub(count(&before[n])));
        let most = |count| grown(count).into_iter().fold(0, u64::max);
        let stats = &mut self.stats;
        stats.sent_frames += most(|s| s.sent_frames);
        stats.sent_bytes += most(|s| s.sent_bytes);
        stats.refused_frames += grown(|s| s.refused_frames).into_iter().fold(u64::MAX, u64::min);
        stats.oversized_frames += most(|s| s.oversized_frames);
        stats.kernel_drops += most(|s| s.kernel_drops);

        let heard = self.health.map(|health| health.heard_at.max(self.opened));
        for (n, health) in self.health.iter_mut().enumerate() {
            health.sent_frames = now[n].sent_frames;
            health.refused_frames = now[n].refused_frames;
            health.kernel_drops = now[n].kernel_drops;
            health.missing_frames = self.copies.missing[n];
            health.silent = heard[1 - n].saturating_sub(heard[n]) > self.silence;
        }
        self.stats
    }

    fn networks(&self) -> &[NetworkHealth] {
        &self.health
    }
}
