//! Parity: a cycle whose lost frames are made good without asking for them.
//!
//! Contract: the data frames of a cycle are dealt out to [`groups`], frame `i` to group `i % groups`, so that a burst of
//! as many neighbours as there are groups costs each group one frame. A group's parity is the exclusive or of its frames'
//! bodies, where what is shorter than the others counts as if zeros followed. Whoever has a group's parity and all of its
//! frames but one has that one, byte for byte. It is to be checked like one that arrived.
//!
//! Neither side keeps frames for this: a body is written again from the lines in the record, which it was made of, or
//! taken into, and only where it is needed.
//!
//! | frames of the cycle | a group has | lost frames made good |
//! | --- | --- | --- |
//! | 1 to 3 | no groups: repeating costs as much | none |
//! | 4 to 31 | up to 8 frames | one a group |
//! | 32 and more | up to 16 frames | one a group |

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

/// The frames of a group, ascending; none, if a cycle of `count` frames has no such group.
pub fn members(group: u32, count: u32) -> impl Iterator<Item = u32> {
    let groups = groups(count);
    let end = if group < groups { count } else { group };
    (group..end).step_by(groups.max(1) as usize)
}

/// Adds `body` to `sum`, as far as that goes.
///
/// A word at a time, of which the compiler makes what the target has; bodies are whole words in practice.
pub fn add(sum: &mut [u8], body: &[u8]) {
    let both = sum.len().min(body.len());
    let (sums, sum_rest) = sum[..both].as_chunks_mut::<8>();
    let (words, word_rest) = body[..both].as_chunks::<8>();
    for (sum, word) in sums.iter_mut().zip(words) {
        *sum = (u64::from_ne_bytes(*sum) ^ u64::from_ne_bytes(*word)).to_ne_bytes();
    }
    for (sum, byte) in sum_rest.iter_mut().zip(word_rest) {
        *sum ^= byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn groups_grow_with_the_cycle() {
        assert_eq!([0, 1, 3, 4, 8, 9, 31, 32, 33, 300].map(groups), [0, 0, 0, 1, 1, 2, 4, 2, 3, 19]);
        assert_eq!(groups(u32::MAX), 1 << 28);
        for count in FEW..1000 {
            let largest = if count < MANY { SMALL } else { LARGE };
            assert!(count.div_ceil(groups(count)) <= largest, "{count}");
        }
    }

    #[test]
    fn every_frame_is_in_one_group_and_neighbours_are_in_different_ones() {
        for count in [4, 5, 31, 32, 33, 256, 300] {
            let mut all: Vec<u32> = (0..groups(count)).flat_map(|group| members(group, count)).collect();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..count), "{count}");
            for group in 0..groups(count) {
                let own: Vec<u32> = members(group, count).collect();
                assert!(own.windows(2).all(|pair| pair[1] - pair[0] == groups(count)));
            }
        }
        assert_eq!(members(0, 3).count() + members(1, 8).count() + members(9, 16).count(), 0);
    }

    #[test]
    fn what_is_added_twice_is_gone() {
        let body: Vec<u8> = (1..78).collect();
        for length in [0, 1, 8, 63, 77, 90] {
            let mut sum: Vec<u8> = (100..100 + length).collect();
            let before = sum.clone();
            add(&mut sum, &body);
            assert!(length == 0 || sum != before);
            for (at, (sum, before)) in sum.iter().zip(&before).enumerate() {
                assert_eq!(*sum, before ^ body.get(at).copied().unwrap_or(0));
            }
            add(&mut sum, &body);
            assert_eq!(sum, before);
        }
    }
}
