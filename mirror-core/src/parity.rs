//! Parity: a cycle whose lost frames are made good without asking for them.
//!
//! Contract: the data frames of a cycle are dealt out to [`groups`], frame `i` to group `i % groups`, so that a burst of
//! as many neighbours as there are groups costs each group one frame. A group's parity is the exclusive or of its frames'
//! bodies, each as long as the others but for the cycle's last, which counts as if zeros followed. Whoever has a group's
//! parity and all of its frames but one has that one, byte for byte. Nothing here allocates but the constructors,
//! and nothing panics: what does not fit is refused.
//!
//! A frame made good stands for what the parity's sender summed up; it is to be checked like one that arrived.
//!
//! | frames of the cycle | a group has | lost frames made good |
//! | --- | --- | --- |
//! | 1 to 3 | no groups: repeating costs as much | none |
//! | 4 to 31 | up to 8 frames | one a group |
//! | 32 and more | up to 16 frames | one a group |

extern crate alloc;

use alloc::boxed::Box;
use alloc::vec;

/// Below so many frames a cycle has no parity.
const FEW: u32 = 4;
/// From so many frames on, groups are larger.
const MANY: u32 = 32;
/// The most frames of a group of a cycle of fewer than [`MANY`].
const SMALL: u32 = 8;
/// The most frames of any group.
const LARGE: u32 = 16;

/// How many groups, and so parity frames, a cycle of `count` data frames has.
#[must_use]
pub const fn groups(count: u32) -> u32 {
    match count {
        0..FEW => 0,
        FEW..MANY => count.div_ceil(SMALL),
        MANY.. => count.div_ceil(LARGE),
    }
}

/// The most groups that a cycle of up to `count` data frames has.
#[must_use]
pub const fn most_groups(count: u32) -> u32 {
    let (all, few) = (groups(count), groups(if count < MANY { count } else { MANY - 1 }));
    if all > few { all } else { few }
}

/// Adds up the parity of one cycle after the other, on the sender's side.
#[derive(Debug)]
pub struct Encoder {
    sums: Sums,
    count: u32,
    groups: u32,
    next: u32,
}

impl Encoder {
    /// Room for cycles of up to `most_groups` groups with bodies of `body` bytes.
    #[must_use]
    pub fn new(most_groups: u32, body: usize) -> Self {
        Self { sums: Sums::new(most_groups, body), count: 0, groups: 0, next: 0 }
    }

    /// Begins a cycle of `count` data frames. Gives how many groups it has: 0 if it is too small for parity, or too large
    /// for the room.
    pub fn begin(&mut self, count: u32) -> u32 {
        let groups = groups(count);
        let fits = groups <= self.sums.groups;
        (self.count, self.groups, self.next) = (count, if fits { groups } else { 0 }, 0);
        self.groups
    }

    /// Adds the body of the next data frame, in the order of their indices. False, and nothing is added: the cycle has
    /// no parity or no more frames, or the length is not that of a body (the last one may be shorter).
    pub fn add(&mut self, body: &[u8]) -> bool {
        if self.groups == 0 || !self.sums.fits(body, self.next, self.count) {
            return false;
        }
        self.sums.add(self.next % self.groups, body, self.next < self.groups);
        self.next += 1;
        true
    }

    /// The parity of a group, once all frames were added.
    #[must_use]
    pub fn parity(&self, group: u32) -> Option<&[u8]> {
        (self.next == self.count && group < self.groups).then(|| self.sums.of(group))
    }
}

/// What was received of one cycle, in any order, and what follows from it.
#[derive(Debug)]
pub struct Decoder {
    sums: Sums,
    states: Box<[Group]>,
    /// A bit for each data frame that was had.
    had: Box<[u64]>,
    count: u32,
    groups: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Group {
    /// Data frames not had yet.
    missing: u32,
    parity: bool,
    /// Nothing was added yet: the sum's bytes are an older cycle's.
    empty: bool,
}

impl Decoder {
    /// Room for cycles of up to `most_groups` groups with bodies of `body` bytes.
    #[must_use]
    pub fn new(most_groups: u32, body: usize) -> Self {
        let frames = most_groups as usize * LARGE as usize;
        Self {
            sums: Sums::new(most_groups, body),
            states: vec![Group::default(); most_groups as usize].into(),
            had: vec![0; frames.div_ceil(64)].into(),
            count: 0,
            groups: 0,
        }
    }

    /// Forgets the cycle, and begins one of `count` data frames. False: it is too small for parity, or too large for
    /// the room, and whatever comes of it is refused.
    pub fn reset(&mut self, count: u32) -> bool {
        let groups = groups(count);
        let fits = groups > 0 && groups <= self.sums.groups;
        (self.count, self.groups) = if fits { (count, groups) } else { (0, 0) };
        self.had[..(self.count as usize).div_ceil(64)].fill(0);
        for (group, state) in (0..self.groups).zip(&mut self.states) {
            *state = Group { missing: (count - group).div_ceil(groups), parity: false, empty: true };
        }
        fits
    }

    /// Takes the body of a data frame. Gives its group, in which a frame may have become recoverable. `None`, and
    /// nothing changes: it was had before, the cycle has no such frame, or the length is not that of a body (the last one
    /// may be shorter).
    pub fn data(&mut self, index: u32, body: &[u8]) -> Option<u32> {
        if !self.sums.fits(body, index, self.count) {
            return None;
        }
        let (word, bit) = (&mut self.had[index as usize / 64], 1 << (index % 64));
        if *word & bit != 0 {
            return None;
        }
        *word |= bit;
        let group = index % self.groups;
        let state = &mut self.states[group as usize];
        self.sums.add(group, body, state.empty);
        state.empty = false;
        state.missing -= 1;
        Some(group)
    }

    /// Takes the parity of a group. False, and nothing changes: it was had before, the cycle has no such group, or the
    /// length is not that of a body.
    pub fn parity(&mut self, group: u32, body: &[u8]) -> bool {
        if group >= self.groups || body.len() != self.sums.body {
            return false;
        }
        let state = &mut self.states[group as usize];
        if state.parity {
            return false;
        }
        self.sums.add(group, body, state.empty);
        state.empty = false;
        state.parity = true;
        true
    }

    /// The one data frame that the group lacks, and its body (of the cycle's last frame, with the zeros that follow it), if
    /// the parity is had. It can be asked for until the frame itself is taken by [`data`](Self::data).
    #[must_use]
    pub fn recover(&self, group: u32) -> Option<(u32, &[u8])> {
        if group >= self.groups {
            return None;
        }
        let state = &self.states[group as usize];
        if state.missing != 1 || !state.parity {
            return None;
        }
        let lacks = |index: &u32| self.had[*index as usize / 64] & 1 << (index % 64) == 0;
        let index = (group..self.count).step_by(self.groups as usize).find(lacks)?;
        Some((index, self.sums.of(group)))
    }
}

/// A sum of bodies for each group, one after the other.
#[derive(Debug)]
struct Sums {
    bytes: Box<[u8]>,
    body: usize,
    groups: u32,
}

impl Sums {
    fn new(groups: u32, body: usize) -> Self {
        Self { bytes: vec![0; groups as usize * body].into(), body, groups }
    }

    /// Whether this may be the body of frame `index` of `count`.
    fn fits(&self, body: &[u8], index: u32, count: u32) -> bool {
        let last = count.checked_sub(1);
        index < count && (body.len() == self.body || body.len() < self.body && Some(index) == last)
    }

    fn of(&self, group: u32) -> &[u8] {
        &self.bytes[group as usize * self.body..][..self.body]
    }

    /// Adds a body that fits; the first one takes the place of what is there.
    fn add(&mut self, group: u32, body: &[u8], first: bool) {
        let sum = &mut self.bytes[group as usize * self.body..][..self.body];
        if first {
            let (same, rest) = sum.split_at_mut(body.len());
            same.copy_from_slice(body);
            rest.fill(0);
        } else {
            xor(sum, body);
        }
    }
}

/// A word at a time, of which the compiler makes what the target has; bodies are whole words in practice.
fn xor(sum: &mut [u8], body: &[u8]) {
    let (sums, sum_rest) = sum.as_chunks_mut::<8>();
    let (words, word_rest) = body.as_chunks::<8>();
    for (sum, word) in sums.iter_mut().zip(words) {
        *sum = (u64::from_ne_bytes(*sum) ^ u64::from_ne_bytes(*word)).to_ne_bytes();
    }
    // The rest of a shorter body ends within a word of the sum.
    let at = words.len();
    let sum_rest = sums.get_mut(at).map_or(sum_rest, |word| word);
    for (sum, byte) in sum_rest.iter_mut().zip(word_rest) {
        *sum ^= byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec::Vec;

    const BODY: usize = 75;
    const MOST: u32 = 300;

    /// The bodies of a cycle of `count` frames, of which the last one has `last` bytes.
    fn cycle(count: u32, last: usize) -> Vec<Vec<u8>> {
        let mut random = u64::from(count) << 8 | last as u64;
        let mut byte = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 56) as u8
        };
        (1..=count).map(|i| (0..if i == count { last } else { BODY }).map(|_| byte()).collect()).collect()
    }

    fn padded(body: &[u8]) -> Vec<u8> {
        let mut body = body.to_vec();
        body.resize(BODY, 0);
        body
    }

    /// What the sender adds to the cycle.
    fn parities(encoder: &mut Encoder, bodies: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let count = bodies.len() as u32;
        assert_eq!(encoder.begin(count), groups(count));
        for body in bodies {
            assert_eq!(encoder.parity(0), None);
            assert!(encoder.add(body));
        }
        (0..groups(count)).map(|group| encoder.parity(group).expect("all were added").to_vec()).collect()
    }

    /// Gives the decoder everything but the frames that `lost` names, data first or parity first.
    fn hear(decoder: &mut Decoder, bodies: &[Vec<u8>], parities: &[Vec<u8>], lost: impl Fn(u32) -> bool) {
        let groups = parities.len() as u32;
        assert!(decoder.reset(bodies.len() as u32));
        let parity_first = bodies.len().is_multiple_of(2);
        let parity = |decoder: &mut Decoder| {
            (0..).zip(parities).for_each(|(group, parity)| assert!(decoder.parity(group, parity)));
        };
        if parity_first {
            parity(decoder);
        }
        for (index, body) in (0..).zip(bodies).filter(|&(index, _)| !lost(index)) {
            assert_eq!(decoder.data(index, body), Some(index % groups));
        }
        if !parity_first {
            parity(decoder);
        }
    }

    fn pair() -> (Encoder, Decoder) {
        let most = most_groups(MOST);
        (Encoder::new(most, BODY), Decoder::new(most, BODY))
    }

    #[test]
    fn groups_grow_with_the_cycle() {
        assert_eq!([0, 1, 3, 4, 8, 9, 31, 32, 33, 300].map(groups), [0, 0, 0, 1, 1, 2, 4, 2, 3, 19]);
        assert_eq!(groups(u32::MAX), 1 << 28);
        assert_eq!([3, 8, 31, 32, 48, 64, 65].map(most_groups), [0, 1, 4, 4, 4, 4, 5]);
        for count in 0..1000 {
            assert!((0..=count).all(|fewer| groups(fewer) <= most_groups(count)), "{count}");
            let largest = if count < MANY { SMALL } else { LARGE };
            assert!(count < FEW || count.div_ceil(groups(count)) <= largest, "{count}");
        }
    }

    #[test]
    fn any_one_frame_of_a_group_is_made_good() {
        let (mut encoder, mut decoder) = pair();
        for count in FEW..=MOST {
            let bodies = cycle(count, count as usize % (BODY + 1));
            let parities = parities(&mut encoder, &bodies);
            // A place in the group for each try; in each group that has as many.
            for place in 0..count.div_ceil(groups(count)) {
                let lost = |index| index / groups(count) == place;
                hear(&mut decoder, &bodies, &parities, lost);
                for group in 0..groups(count) {
                    let index = place * groups(count) + group;
                    let body = bodies.get(index as usize).map(|body| padded(body));
                    let expected = body.as_ref().map(|body| (index, &body[..]));
                    assert_eq!(decoder.recover(group), expected, "{count} frames, frame {index}");
                }
            }
        }
    }

    #[test]
    fn a_burst_of_as_many_neighbours_as_groups_is_made_good() {
        let (mut encoder, mut decoder) = pair();
        for count in [4, 5, 17, 31, 32, 33, 100, 255, 256, 257, MOST] {
            let bodies = cycle(count, 1);
            let parities = parities(&mut encoder, &bodies);
            for from in 0..=count - groups(count) {
                let burst = from..from + groups(count);
                hear(&mut decoder, &bodies, &parities, |index| burst.contains(&index));
                for index in burst {
                    let body = padded(&bodies[index as usize]);
                    assert_eq!(
                        decoder.recover(index % groups(count)),
                        Some((index, &body[..])),
                        "{count}, {from}"
                    );
                }
            }
        }
    }

    #[test]
    fn of_two_lost_in_a_group_one_must_come_again() {
        let (mut encoder, mut decoder) = pair();
        for count in [4, 9, 31, 32, 100, MOST] {
            let bodies = cycle(count, BODY);
            let parities = parities(&mut encoder, &bodies);
            let (first, second) = (1, 1 + groups(count));
            hear(&mut decoder, &bodies, &parities, |index| index == first || index == second);
            let group = first % groups(count);
            assert_eq!(decoder.recover(group), None);
            assert_eq!(decoder.data(second, &bodies[second as usize]), Some(group));
            assert_eq!(decoder.recover(group), Some((first, &bodies[first as usize][..])));
            // Taken as if it had arrived, it is not lacking any more.
            let body = bodies[first as usize].clone();
            assert_eq!(decoder.data(first, &body), Some(group));
            assert_eq!(decoder.recover(group), None);
        }
    }

    #[test]
    fn without_the_parity_nothing_is_made_good() {
        let (mut encoder, mut decoder) = pair();
        let bodies = cycle(10, BODY);
        let parities = parities(&mut encoder, &bodies);
        hear(&mut decoder, &bodies, &[], |_| true);
        (1..10).for_each(|i| assert_eq!(decoder.data(i, &bodies[i as usize]), Some(i % 2)));
        assert_eq!([decoder.recover(0), decoder.recover(1)], [None, None]);
        assert!(decoder.parity(0, &parities[0]));
        assert_eq!(decoder.recover(0), Some((0, &bodies[0][..])));
    }

    #[test]
    fn what_comes_twice_counts_once() {
        let (mut encoder, mut decoder) = pair();
        for count in [4, 40, 41] {
            let bodies = cycle(count, 9);
            let parities = parities(&mut encoder, &bodies);
            hear(&mut decoder, &bodies, &parities, |index| index == 2);
            for (index, body) in (0..).zip(&bodies).filter(|&(index, _)| index != 2) {
                assert_eq!(decoder.data(index, body), None);
            }
            (0..).zip(&parities).for_each(|(group, parity)| assert!(!decoder.parity(group, parity)));
            assert_eq!(decoder.recover(2 % groups(count)), Some((2, &bodies[2][..])));
        }
    }

    #[test]
    fn nothing_of_the_cycle_before_remains() {
        let (mut encoder, mut decoder) = pair();
        for count in [MOST, 4, 31, 32, 5, MOST] {
            let bodies = cycle(count, 3);
            let parities = parities(&mut encoder, &bodies);
            hear(&mut decoder, &bodies, &parities, |_| true);
            assert!((0..groups(count)).all(|group| decoder.recover(group).is_none()));
            // The short last frame first: what follows it must be zeros, not the older cycle's.
            assert!(decoder.reset(count));
            for index in (0..count).rev().filter(|&index| index != 1) {
                assert!(decoder.data(index, &bodies[index as usize]).is_some());
            }
            let group = 1 % groups(count);
            assert!(decoder.parity(group, &parities[group as usize]));
            assert_eq!(decoder.recover(group), Some((1, &bodies[1][..])));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (mut encoder, mut decoder) = (Encoder::new(2, BODY), Decoder::new(2, BODY));
        // Too few frames, and too many groups for the room.
        for count in [0, 1, 3, 17, 33, u32::MAX] {
            assert_eq!(encoder.begin(count), 0, "{count}");
            assert!(!encoder.add(&[0; BODY]));
            assert_eq!(encoder.parity(0), None);
            assert!(!decoder.reset(count), "{count}");
            assert_eq!(decoder.data(0, &[0; BODY]), None);
            assert!(!decoder.parity(0, &[0; BODY]));
            assert_eq!(decoder.recover(0), None);
        }
        assert_eq!(encoder.begin(9), 2);
        assert!(decoder.reset(9));
        for length in [0, 1, BODY - 1, BODY + 1] {
            assert!(!encoder.add(&std::vec![1; length]));
            assert_eq!(decoder.data(0, &std::vec![1; length]), None);
            assert!(!decoder.parity(0, &std::vec![1; length]));
        }
        assert_eq!(decoder.data(8, &[1; BODY + 1]), None);
        for beyond in [9, 10, u32::MAX] {
            assert_eq!(decoder.data(beyond, &[1; BODY]), None);
            assert!(!decoder.parity(beyond, &[1; BODY]));
            assert_eq!(decoder.recover(beyond), None);
        }
        assert!(!decoder.parity(2, &[1; BODY]));
        (0..8).for_each(|_| assert!(encoder.add(&[1; BODY])));
        assert!(encoder.add(&[]));
        assert!(!encoder.add(&[]));
        assert_eq!(encoder.parity(0), Some(&[0; BODY][..]));
        assert_eq!(encoder.parity(2), None);
        // Of the refused nothing was counted.
        (1..9).for_each(|index| assert!(decoder.data(index, &[1; BODY]).is_some()));
        assert!(decoder.parity(0, &[0; BODY]));
        assert_eq!(decoder.recover(0), Some((0, &[0; BODY][..])));
    }

    #[test]
    fn without_room_nothing_is_made_good() {
        let mut decoder = Decoder::new(0, BODY);
        assert!(!decoder.reset(4));
        assert_eq!(decoder.data(0, &[0; BODY]), None);
        assert_eq!(Encoder::new(0, BODY).begin(4), 0);
    }
}
