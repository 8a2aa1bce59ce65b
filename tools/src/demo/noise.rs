//! Noise and variation as pure functions: the same (seed, tick, channel) gives the same value, whoever asks and whenever.

/// 2^64 / the golden ratio, odd: the increment of the Weyl sequence behind splitmix64.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finalizer of splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014).
#[inline]
#[must_use]
pub fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The noise of one tick: every channel has its own value.
#[derive(Debug, Clone, Copy)]
pub struct Noise(u64);

impl Noise {
    /// The noise of `tick` under `seed`.
    #[must_use]
    pub fn of(seed: u64, tick: u64) -> Self {
        Self(mix(mix(seed.wrapping_add(GOLDEN)).wrapping_add(tick.wrapping_mul(GOLDEN))))
    }

    /// Close to normal, mean 0, standard deviation 1: the sum of four uniform numbers, so bounded by +-3.46.
    #[inline]
    #[must_use]
    pub fn normal(self, channel: u64) -> f64 {
        let bits = mix(self.0.wrapping_add(channel.wrapping_mul(GOLDEN)));
        let sum = (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
        // Four times U(0, 65535): mean 131070; variance 4 * 65536^2 / 12, standard deviation 65536 / sqrt(3).
        (sum as f64 - 131_070.0) * (1.732_050_807_568_877_2 / 65_536.0)
    }

    /// Uniform in [-1, 1).
    #[must_use]
    pub fn uniform(self, channel: u64) -> f64 {
        let bits = mix(self.0.wrapping_add(channel.wrapping_mul(GOLDEN)));
        (bits >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_has_the_stated_moments() {
        let n = 200_000u64;
        let (mut sum, mut squares) = (0.0, 0.0);
        for tick in 0..n / 100 {
            for channel in 0..100 {
                let x = Noise::of(7, tick).normal(channel);
                assert!(x.abs() < 3.47);
                sum += x;
                squares += x * x;
            }
        }
        assert!((sum / n as f64).abs() < 0.01);
        assert!((squares / n as f64 - 1.0).abs() < 0.02);
    }

    #[test]
    fn uniform_stays_in_range_and_seeds_differ() {
        for channel in 0..1000 {
            let x = Noise::of(1, 2).uniform(channel);
            assert!((-1.0..1.0).contains(&x));
            assert_ne!(x, Noise::of(2, 2).uniform(channel));
        }
    }
}
