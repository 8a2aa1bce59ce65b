//! Which frames are lost.
//!
//! Contract: from a seed, always the same. Each receiver has a [`Losses`] of its own, and asks it once for each frame.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A kind of loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weather {
    /// For people: `1%`.
    pub name: &'static str,
    /// Share of the frames that is lost, 0 to 1.
    pub share: f64,
    /// Frames that are lost in a row, at least 1.
    pub burst: u32,
}

/// Nothing is lost.
pub const CALM: Weather = Weather { name: "none", share: 0.0, burst: 1 };

/// What is measured.
pub const WEATHERS: [Weather; 4] = [
    Weather { name: "0.1%", share: 0.001, burst: 1 },
    Weather { name: "1%", share: 0.01, burst: 1 },
    Weather { name: "5%", share: 0.05, burst: 1 },
    Weather { name: "1% in 10s", share: 0.01, burst: 10 },
];

/// Decides frame by frame.
#[derive(Clone, Debug)]
pub struct Losses {
    rng: ChaCha8Rng,
    /// Chance that a frame begins a burst.
    begins: f64,
    burst: u32,
    /// Frames of the present burst still to lose.
    left: u32,
}

impl Losses {
    /// For one receiver.
    #[must_use]
    pub fn new(weather: &Weather, seed: u64) -> Self {
        let Weather { share, burst, .. } = *weather;
        // Between two bursts lie 1 / begins - 1 frames on average, so that `share` of all are lost.
        let begins = share / (f64::from(burst) * (1.0 - share) + share);
        Self { rng: ChaCha8Rng::seed_from_u64(seed), begins, burst, left: 0 }
    }

    /// Whether the next frame is lost.
    pub fn next_is_lost(&mut self) -> bool {
        if self.left == 0 && self.begins > 0.0 && self.rng.random_bool(self.begins) {
            self.left = self.burst;
        }
        let lost = self.left > 0;
        self.left = self.left.saturating_sub(1);
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_is_lost_as_it_says_and_the_same_again() {
        for weather in WEATHERS.iter().chain([&CALM]) {
            let draw = |seed| {
                let mut losses = Losses::new(weather, seed);
                (0..100_000).map(|_| losses.next_is_lost()).collect::<Vec<_>>()
            };
            assert_eq!(draw(7), draw(7));
            let frames: Vec<bool> = (0..16).flat_map(draw).collect();
            let lost = frames.iter().filter(|lost| **lost).count() as f64 / frames.len() as f64;
            assert!((lost - weather.share).abs() <= weather.share * 0.1, "{}: {lost}", weather.name);
            let one = draw(7);
            let bursts = one.split(|lost| !lost).filter(|burst| !burst.is_empty());
            // The last may have begun just before the end.
            assert!(bursts.rev().skip(1).all(|burst| burst.len() >= weather.burst as usize));
        }
    }
}
