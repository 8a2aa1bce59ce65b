//! Chance: one seed, forked by name.
//!
//! Contract: [`Rng::fork`] depends on seed, name and number only. So a draw added in one component changes nothing in
//! any other, and a fault switched off while a failure is shrunk leaves the rest of the run as it was.

/// SplitMix64: small, fast, and good enough to choose faults with.
#[derive(Clone, Debug)]
pub struct Rng(u64);

/// Mixes 64 bits so that each depends on all.
#[must_use]
pub fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// The generator of component `name`, number `number`.
    #[must_use]
    pub fn fork(seed: u64, name: &str, number: u64) -> Self {
        let name = name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| mix(h ^ u64::from(b)));
        Self(mix(mix(seed ^ name).wrapping_add(number)))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Below `n`; 0 when `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// From `low` to `high`, both included.
    pub fn range(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// From `low` to `high`, small ones as likely as large ones.
    pub fn log_range(&mut self, low: u64, high: u64) -> u64 {
        let octaves = (high.max(1).ilog2() + 1).saturating_sub(low.max(1).ilog2());
        let top = (low.max(1) << self.below(u64::from(octaves) + 1)).min(high);
        self.range(low.min(top), top)
    }

    /// True `ppm` times in a million.
    pub fn chance(&mut self, ppm: u64) -> bool {
        ppm > 0 && self.below(1_000_000) < ppm
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}
