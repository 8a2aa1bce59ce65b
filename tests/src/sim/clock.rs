//! A node's clock: its own rate and offset over the one true time that only the simulator knows.

/// Nanoseconds.
pub type Nanos = u64;

/// A clock that runs at its own rate.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    offset: Nanos,
    /// How much too fast it is, in parts per million; may be negative.
    ppm: i64,
}

impl Clock {
    /// A clock that shows `offset` at the true time 0.
    #[must_use]
    pub const fn new(offset: Nanos, ppm: i64) -> Self {
        Self { offset, ppm }
    }

    /// What it shows at the true time `now`.
    #[must_use]
    pub fn local(&self, now: Nanos) -> Nanos {
        self.offset + (i128::from(now) * i128::from(1_000_000 + self.ppm) / 1_000_000) as u64
    }

    /// The first true time at which it shows `local` or more.
    #[must_use]
    pub fn when(&self, local: Nanos) -> Nanos {
        let rate = i128::from(1_000_000 + self.ppm);
        let since = i128::from(local.saturating_sub(self.offset)) * 1_000_000;
        ((since + rate - 1) / rate) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::Clock;

    #[test]
    fn when_is_the_first_time_that_shows_it() {
        for ppm in [-10_000, -1, 0, 7, 10_000] {
            let clock = Clock::new(12_345, ppm);
            for local in [12_345, 12_346, 20_000, 1_000_000_007] {
                let at = clock.when(local);
                assert!(clock.local(at) >= local);
                assert!(at == 0 || clock.local(at - 1) < local, "{ppm} {local}");
            }
        }
    }
}
