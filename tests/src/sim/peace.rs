//! When faults last happened: what may be expected depends on it.

use super::clock::Nanos;
use super::network::Mishap;

/// Times of the last faults.
#[derive(Debug)]
pub struct Peace {
    /// Of any kind, anywhere.
    pub any: Nanos,
    /// Of more than a single frame, anywhere.
    pub outage: Nanos,
    /// By node: of a frame to it, or of the node itself.
    pub node: Vec<Nanos>,
}

impl Peace {
    /// No faults yet.
    #[must_use]
    pub fn new(nodes: u64) -> Self {
        Self { any: 0, outage: 0, node: vec![0; nodes as usize] }
    }

    /// A fault of node `place`, or of a frame to it, at `at`.
    pub fn broken(&mut self, place: usize, at: Nanos, mishap: Mishap) {
        self.any = self.any.max(at);
        self.node[place] = self.node[place].max(at);
        if mishap == Mishap::Outage {
            self.outage = self.outage.max(at);
        }
    }
}
