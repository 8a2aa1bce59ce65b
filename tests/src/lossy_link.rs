//! A link that loses some of what it receives: a bad network for one receiver, whatever carries it.
//!
//! Contract: that of the link inside, but for the frames lost, which one seed decides.

use std::os::fd::BorrowedFd;

use mirror_core::FrameSink;
use mirror_transport::{Link, LinkStats, Nanos};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Loses frames on their way in.
pub struct LossyLink<L> {
    inside: L,
    loss: f64,
    rng: ChaCha8Rng,
}

impl<L> std::fmt::Debug for LossyLink<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LossyLink").field("loss", &self.loss).finish_non_exhaustive()
    }
}

impl<L: Link> LossyLink<L> {
    /// Loses each frame that `inside` receives with probability `loss`.
    #[must_use]
    pub fn new(inside: L, loss: f64, seed: u64) -> Self {
        Self { inside, loss, rng: ChaCha8Rng::seed_from_u64(seed) }
    }
}

impl<L: Link> FrameSink for LossyLink<L> {
    fn frame_bytes(&self) -> usize {
        self.inside.frame_bytes()
    }
    fn lend(&mut self) -> Option<&mut [u8]> {
        self.inside.lend()
    }
    fn push(&mut self, len: usize) {
        self.inside.push(len);
    }
}

impl<L: Link> Link for LossyLink<L> {
    fn describe(&self) -> String {
        format!("{}, losing {} of what it receives", self.inside.describe(), self.loss)
    }
    fn flush(&mut self) {
        self.inside.flush();
    }
    fn receive(&mut self, limit: usize, sink: &mut dyn FnMut(&[u8])) -> usize {
        let Self { inside, loss, rng } = self;
        inside.receive(limit, &mut |frame| {
            if !rng.random_bool(*loss) {
                sink(frame);
            }
        })
    }
    fn wait(&mut self, until: Nanos) {
        self.inside.wait(until);
    }
    fn stats(&mut self) -> LinkStats {
        self.inside.stats()
    }
    fn readable(&self) -> Option<BorrowedFd<'_>> {
        self.inside.readable()
    }
}
