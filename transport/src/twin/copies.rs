//! Which frames were heard, by which of the two networks.
//!
//! Contract: a fixed amount of memory for each sender, made at the start; work for a frame is bounded by the number of
//! places of a window. Numbers, as a sender gives them, may come in any order and begin anew when it is restarted.

use mirror_core::wire::{Glance, is_sound};

/// How far back, in frames of one sender, a second copy is known and a missing one may still come. Beyond what two networks
/// differ by: while one is read, a few hundred frames wait at the other.
pub(super) const KEPT: usize = 1024;

/// What a frame is to the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing that could be known again: damaged, a stranger's, of another protocol.
    Stranger,
    /// The first copy of a sound frame of a member.
    First,
    /// The second.
    Second,
}

/// The windows of all members that are listened to.
#[derive(Debug)]
pub(super) struct Copies {
    group: u64,
    /// For each node id, where its window stands; 0: nobody that is listened to.
    places: Box<[u8; 256]>,
    windows: Box<[Window]>,
    /// Frames that each network did not bring.
    pub(super) missing: [u64; 2],
}

impl Copies {
    /// For the frames of `senders` in the group with this hash.
    pub(super) fn new(group: u64, senders: &[u8]) -> Self {
        let mut places = Box::new([0; 256]);
        let mut windows = Vec::new();
        for &sender in senders {
            if places[usize::from(sender)] == 0 {
                windows.push(Window::new());
                // There are at most 256 ids; one too many would not be listened to.
                places[usize::from(sender)] = u8::try_from(windows.len()).unwrap_or(0);
            }
        }
        Self { group, places, windows: windows.into(), missing: [0; 2] }
    }

    /// Takes note of a frame that `network` (0 or 1) brought.
    pub(super) fn see(&mut self, network: usize, frame: &[u8]) -> Seen {
        let Some(glance) = Glance::of(frame).filter(|glance| glance.group == self.group) else {
            return Seen::Stranger;
        };
        let place = usize::from(self.places[usize::from(glance.node)]);
        let Some(window) = place.checked_sub(1).and_then(|place| self.windows.get_mut(place)) else {
            return Seen::Stranger;
        };
        // 32 bits, as the checksum has them.
        let check = glance.check as u32;
        if window.again(network, glance.sequence, check) {
            return Seen::Second;
        }
        // Only what is sound is noted: see the parent module.
        if !is_sound(frame) {
            return Seen::Stranger;
        }
        for (missing, more) in self.missing.iter_mut().zip(window.note(network, glance.sequence, check)) {
            *missing += more;
        }
        Seen::First
    }
}

/// The last [`KEPT`] numbers of one sender.
#[derive(Debug)]
struct Window {
    /// The greatest noted; 0: none yet.
    newest: u64,
    /// Number `n` stands at `n % KEPT`.
    places: Box<[Place]>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    check: u32,
    /// `check` is that of a sound frame with this number.
    known: bool,
    /// Which network brought it, or is not expected to.
    heard: [bool; 2],
}

/// A number of which nothing was heard.
const AWAITED: Place = Place { check: 0, known: false, heard: [false; 2] };
/// A number that lies before the first heard: nobody can say whether it was sent.
const NOT_AWAITED: Place = Place { heard: [true; 2], ..AWAITED };

impl Window {
    fn new() -> Self {
        Self { newest: 0, places: vec![NOT_AWAITED; KEPT].into() }
    }

    /// The place of a number that is not newer than the newest and not too old.
    fn place(&mut self, number: u64) -> Option<&mut Place> {
        let back = self.newest.checked_sub(number)?;
        (back < KEPT as u64).then(|| &mut self.places[(number % KEPT as u64) as usize])
    }

    /// Whether this frame was noted before; then `network` brought it, too.
    fn again(&mut self, network: usize, number: u64, check: u32) -> bool {
        match self.place(number) {
            Some(place) if place.known && place.check == check => {
                place.heard[network] = true;
                true
            }
            _ => false,
        }
    }

    /// Notes a sound frame that was not noted before. Gives how many frames are missing at each network with that.
    fn note(&mut self, network: usize, number: u64, check: u32) -> [u64; 2] {
        let mut missing = [0; 2];
        let ahead = number.saturating_sub(self.newest);
        let fills_a_gap = self.place(number).is_some_and(|place| !place.known);
        if self.newest != 0 && (1..KEPT as u64).contains(&ahead) {
            for passed in self.newest + 1..=number {
                let place = &mut self.places[(passed % KEPT as u64) as usize];
                for (missing, heard) in missing.iter_mut().zip(place.heard) {
                    *missing += u64::from(!heard);
                }
                *place = AWAITED;
            }
            self.newest = number;
        } else if !fills_a_gap {
            // The first, or so far from all others that the sender was restarted, or both networks were down. What was
            // sent meanwhile nobody knows.
            self.places.fill(NOT_AWAITED);
            self.newest = number;
        }
        let place = &mut self.places[(number % KEPT as u64) as usize];
        (place.check, place.known, place.heard[network]) = (check, true, true);
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDGE: u64 = KEPT as u64;

    /// Network `network` brings the frames with these numbers; gives how many were second copies, and adds up what is missing.
    fn bring(
        window: &mut Window,
        network: usize,
        numbers: impl IntoIterator<Item = u64>,
        missing: &mut [u64; 2],
    ) -> usize {
        let mut again = 0;
        for number in numbers {
            let check = (number as u32).wrapping_mul(2_654_435_761);
            if window.again(network, number, check) {
                again += 1;
            } else {
                let more = window.note(network, number, check);
                *missing = [missing[0] + more[0], missing[1] + more[1]];
            }
        }
        again
    }

    #[test]
    fn every_frame_is_first_once() {
        let (mut window, mut missing) = (Window::new(), [0; 2]);
        for burst in 0..100 {
            let numbers = 1 + burst * 100..101 + burst * 100;
            assert_eq!(bring(&mut window, (burst % 2) as usize, numbers.clone(), &mut missing), 0);
            assert_eq!(bring(&mut window, 1 - (burst % 2) as usize, numbers, &mut missing), 100);
        }
        assert_eq!(missing, [0; 2]);
    }

    #[test]
    fn what_a_network_does_not_bring_is_missing_once_it_can_no_longer_be_late() {
        let (mut window, mut missing) = (Window::new(), [0; 2]);
        bring(&mut window, 0, 1..=EDGE, &mut missing);
        assert_eq!(missing, [0, 0]);
        // The second lags by as much as it may, and lacks ten; number 1 is not awaited: it was the first heard.
        assert_eq!(bring(&mut window, 1, (1..=EDGE).filter(|n| !(50..60).contains(n)), &mut missing), 1014);
        bring(&mut window, 0, EDGE + 1..=2 * EDGE, &mut missing);
        assert_eq!(missing, [0, 10]);
        // From here on it brings nothing, and the count follows.
        bring(&mut window, 0, 2 * EDGE + 1..=2 * EDGE + 100, &mut missing);
        assert_eq!(missing, [0, 110]);
    }

    #[test]
    fn any_order_within_the_window_is_no_loss() {
        let (mut window, mut missing) = (Window::new(), [0; 2]);
        bring(&mut window, 0, [1], &mut missing);
        // Blocks of 512, each backwards; the second network forwards.
        for block in 0..20 {
            let numbers = 2 + block * 512..2 + (block + 1) * 512;
            assert_eq!(bring(&mut window, 0, numbers.clone().rev(), &mut missing), 0);
            assert_eq!(bring(&mut window, 1, numbers, &mut missing), 512);
        }
        assert_eq!(missing, [0, 0], "number 1 stands before all that is awaited");
    }

    #[test]
    fn a_sender_that_begins_anew_is_followed_and_nothing_is_missing() {
        let (mut window, mut missing) = (Window::new(), [0; 2]);
        bring(&mut window, 0, 5000..5100, &mut missing);
        bring(&mut window, 1, 5000..5100, &mut missing);
        assert_eq!(bring(&mut window, 0, 1..=10, &mut missing), 0);
        assert_eq!(bring(&mut window, 1, 1..=10, &mut missing), 10);
        // Its numbers lie near the old ones: other frames all the same.
        assert!(!window.again(0, 4, 99) && window.note(0, 4, 99) == [0; 2]);
        assert!(window.again(1, 4, 99) && !window.again(1, 10, 10));
        // A jump beyond the window, and the ends of all numbers.
        assert_eq!(bring(&mut window, 0, [EDGE + 4, u64::MAX, 0, 1, u64::MAX], &mut missing), 0);
        assert_eq!(missing, [0; 2]);
    }

    #[test]
    fn what_cannot_be_known_again_is_a_stranger() {
        let mut copies = Copies::new(7, &[2, 3, 2]);
        assert_eq!(copies.windows.len(), 2);
        for frame in [&[][..], &[0; 79], &[0; 200]] {
            assert_eq!(copies.see(0, frame), Seen::Stranger);
        }
    }
}
