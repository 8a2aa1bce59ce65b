//! One direction of one cable: what becomes of each frame on its way.
//!
//! Contract: one seed decides everything. Every frame takes the same number of draws, whatever faults there are, so the
//! `n`th frame meets the same chance in every run.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Frames that a burst takes, one after the other.
pub const BURST: u32 = 10;
/// Frames, of anybody, that a frame is held back for at most.
pub const BEHIND: u64 = 12;

/// How often what befalls a frame: probabilities from 0 to 1, drawn for each anew.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// Nothing passes.
    pub cut: bool,
    /// It is lost.
    pub lose: f64,
    /// It is lost, and the next ones with it: [`BURST`] in all.
    pub burst: f64,
    /// It arrives, and once more as with `reorder`.
    pub double: f64,
    /// It arrives behind frames that were sent after it: one to [`BEHIND`].
    pub reorder: f64,
}

/// What became of the frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sent into the wire.
    pub sent: u64,
    /// Did not pass while the wire was cut.
    pub cut: u64,
    /// Lost by chance, alone or in a burst.
    pub lost: u64,
    /// Bursts that began.
    pub bursts: u64,
    /// Arrived twice.
    pub doubled: u64,
    /// Arrived late, and not before.
    pub reordered: u64,
    /// Came to a device that was down.
    pub refused: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        let Self { sent, cut, lost, bursts, doubled, reordered, refused } = more;
        self.sent += sent;
        self.cut += cut;
        self.lost += lost;
        self.bursts += bursts;
        self.doubled += doubled;
        self.reordered += reordered;
        self.refused += refused;
    }
}

/// The way from one member to another.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) faults: Faults,
    pub(super) counts: Counts,
    rng: ChaCha8Rng,
    /// Frames that the burst under way still takes.
    burst: u32,
    /// Frames held back, each with the time at which it arrives.
    held: Vec<(u64, Vec<u8>)>,
}

impl Wire {
    pub(super) fn new(seed: u64) -> Self {
        let (faults, counts) = (Faults::default(), Counts::default());
        Self { faults, counts, rng: ChaCha8Rng::seed_from_u64(seed), burst: 0, held: vec![] }
    }

    /// Takes a frame in at `now`, and gives to `arrive` what comes out. Time is counted in frames, of whatever wire. `arrive`
    /// says whether the frame was wanted.
    pub(super) fn pass(&mut self, frame: &[u8], now: u64, arrive: &mut impl FnMut(&[u8]) -> bool) {
        let faults = self.faults;
        let [lost, burst, double, late] = [faults.lose, faults.burst, faults.double, faults.reorder]
            .map(|chance| self.rng.random::<f64>() < chance);
        let due = now + self.rng.random_range(1..=BEHIND);
        self.counts.sent += 1;
        if burst && self.burst == 0 {
            (self.burst, self.counts.bursts) = (BURST, self.counts.bursts + 1);
        }
        let lost = self.burst > 0 || lost;
        self.burst = self.burst.saturating_sub(1);
        if faults.cut {
            self.counts.cut += 1;
        } else if lost {
            self.counts.lost += 1;
        } else if late {
            self.counts.reordered += 1;
            self.held.push((due, frame.into()));
        } else {
            self.counts.refused += u64::from(!arrive(frame));
            if double {
                self.counts.doubled += 1;
                self.held.push((due, frame.into()));
            }
        }
    }

    /// Lets arrive what was held back until `now`.
    pub(super) fn release(&mut self, now: u64, arrive: &mut impl FnMut(&[u8]) -> bool) {
        let Self { held, counts, .. } = self;
        held.retain(|(due, frame)| {
            let kept = *due > now;
            if !kept {
                counts.refused += u64::from(!arrive(frame));
            }
            kept
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends frames of one byte, numbered, and gives what arrived, in that order.
    fn through(faults: Faults, seed: u64) -> (Vec<u8>, Counts) {
        let mut wire = Wire { faults, ..Wire::new(seed) };
        let mut arrived = vec![];
        for number in 0..200 {
            let mut arrive = |frame: &[u8]| {
                arrived.push(frame[0]);
                true
            };
            wire.pass(&[number], u64::from(number), &mut arrive);
            wire.release(u64::from(number), &mut arrive);
        }
        wire.release(u64::MAX, &mut |frame| {
            arrived.push(frame[0]);
            true
        });
        (arrived, wire.counts)
    }

    #[test]
    fn a_good_wire_changes_nothing_and_a_cut_one_lets_nothing_pass() {
        let all: Vec<u8> = (0..200).collect();
        assert_eq!(through(Faults::default(), 1), (all, Counts { sent: 200, ..Counts::default() }));
        let (arrived, counts) = through(Faults { cut: true, ..Faults::default() }, 1);
        assert_eq!((arrived.len(), counts.cut), (0, 200));
    }

    #[test]
    fn what_is_lost_is_counted_and_bursts_take_their_number() {
        let (arrived, counts) = through(Faults { lose: 0.2, ..Faults::default() }, 2);
        assert_eq!(arrived.len() as u64 + counts.lost, 200);
        assert!((10..100).contains(&counts.lost) && counts.bursts == 0, "{counts:?}");

        let (arrived, counts) = through(Faults { burst: 0.02, ..Faults::default() }, 3);
        assert_eq!(arrived.len() as u64 + counts.lost, 200);
        assert!(counts.bursts > 1, "{counts:?}");
        // The last one may still be under way.
        let gaps = arrived.windows(2).filter(|pair| pair[1] - pair[0] > 1);
        assert!(gaps.clone().count() > 0);
        gaps.for_each(|pair| assert_eq!(u32::from(pair[1] - pair[0] - 1) % BURST, 0, "{pair:?}"));
    }

    #[test]
    fn doubled_frames_arrive_twice_and_reordered_ones_once() {
        let (mut arrived, counts) = through(Faults { double: 0.2, ..Faults::default() }, 4);
        assert_eq!(arrived.len() as u64, 200 + counts.doubled);
        assert!(counts.doubled > 10, "{counts:?}");
        arrived.sort_unstable();
        arrived.dedup();
        assert_eq!(arrived.len(), 200);

        let (mut arrived, counts) = through(Faults { reorder: 0.2, ..Faults::default() }, 5);
        assert!(counts.reordered > 10 && !arrived.is_sorted(), "{counts:?}");
        arrived.sort_unstable();
        assert_eq!(arrived, (0..200).collect::<Vec<u8>>());
    }

    #[test]
    fn a_seed_says_what_happens_and_another_says_otherwise() {
        let faults = Faults { lose: 0.1, double: 0.1, reorder: 0.1, ..Faults::default() };
        assert_eq!(through(faults, 6), through(faults, 6));
        assert_ne!(through(faults, 6), through(faults, 7));
    }
}
