//! What happened, as a hash and, if asked for, as lines.

use super::clock::Nanos;
use super::rng::mix;
use std::fmt::Arguments;

/// The events of a run.
#[derive(Debug, Default)]
pub struct Trace {
    hash: u64,
    /// Lines cost more than the run itself.
    print: bool,
}

impl Trace {
    /// A hash alone, or lines too, printed at once.
    #[must_use]
    pub fn new(print: bool) -> Self {
        Self { print, ..Self::default() }
    }

    /// Notes an event by its numbers, and by words where somebody reads them.
    pub fn note(&mut self, at: Nanos, numbers: [u64; 4], words: Arguments<'_>) {
        self.hash = numbers.iter().fold(mix(self.hash ^ at), |hash, &n| mix(hash.rotate_left(7) ^ n));
        if self.print {
            println!("{at:>13} {words}");
        }
    }

    /// Equal for equal runs.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }
}
