//! Digests of lines: whether two copies hold the same, told by eight bytes.
//!
//! Contract: the digest of a set of lines is the wrapping sum of the digests of its lines, so it may be computed in any
//! order and in any pieces, as frames arrive. A line's digest depends on its number and its content, and is the same
//! on every machine: lines are read as little-endian words. Nothing here allocates or fails. It is no authentication.
//!
//! ```text
//! y    = word ^ key                        for each of the eight words; key = mix((word's place + 1) * GOLDEN)
//! hash = sum of (lo(y) * hi(y) + y)        lo, hi: the halves of 32 bits; sums and products modulo 2^64
//! line = mix(hash + (number + 1) * GOLDEN)
//! ```
//!
//! The product is that of NH (UMAC: RFC 4418, 5.2.2), keyed by exclusive or as in XXH3; the sum over numbered lines is
//! the incremental hash of Bellare and Micciancio (AdHash, 1997); `mix` and `GOLDEN` are those of SplitMix64 (Steele, Lea and
//! Flood 2014, Stafford's variant 13), and `mix` is a bijection. What is missed, and how often:
//!
//! - One line of which one aligned half word changes, so any flipped bit, any byte, any `u32` or `f32`: never. A word's
//!   term is (lo + 2^32) * (hi + 1) - 2^32. If lo changes by d, it changes by (hi + 1) * d, which is not 0 and less than 2^64. If hi
//!   does, by (lo + 2^32) * d; the factor is below 2^33 and so has at most 32 factors of 2, and d, below 2^32, at most 31:
//!   2^64 does not divide it. `mix` keeps what differs apart.
//! - One word that changes in both halves: about 8 of the 2^64 values that it may take digest alike (counted for words
//!   of 12 to 22 bits, where it grows by a quarter for each bit of a half), so a random one is missed with 2^-61.
//! - Any other change within a line: given the other words, at most one key in 2^32 for a changed word hides it. For a
//!   change of one half that is the argument above, with the key for the unknown; for one of both halves it was
//!   counted, for all changes of words of 6 to 12 bits.
//! - Several lines, lines that changed places, a line under another number, a line too few or too many: each line's
//!   digest has gone through `mix`, and the sum of such values comes out alike by chance, with 2^-64.
//! - Equal lines under different numbers never digest alike, and no line of zeros to 0.

use crate::line::LINE;

/// 2^64 divided by the golden ratio, odd: multiples of it are far apart.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// One for each word of a line: the first eight numbers of SplitMix64 from 0.
const KEYS: [u64; LINE / 8] = {
    let mut keys = [0; LINE / 8];
    let mut word = 0;
    while word < keys.len() {
        keys[word] = mix(GOLDEN.wrapping_mul(word as u64 + 1));
        word += 1;
    }
    keys
};

/// The digest of the whole lines in `bytes`, the first of which is line `first`; 0 of none. Bytes after the last whole
/// line do not count.
#[must_use]
pub fn of_lines(first: u32, bytes: &[u8]) -> u64 {
    let (lines, _) = bytes.as_chunks();
    let mut number = (u64::from(first) + 1).wrapping_mul(GOLDEN);
    let mut sum = 0u64;
    for line in lines {
        sum = sum.wrapping_add(mix(hash(line).wrapping_add(number)));
        number = number.wrapping_add(GOLDEN);
    }
    sum
}

/// Not inlined: what the machine multiplies two (or four) words at a time within a line, the compiler would rather
/// spread over several lines, with so much shuffling that it takes twice the time.
#[inline(never)]
fn hash(line: &[u8; LINE]) -> u64 {
    let (words, _) = line.as_chunks();
    let mut sum = 0u64;
    for (word, key) in words.iter().zip(KEYS) {
        let y = u64::from_le_bytes(*word) ^ key;
        sum = sum.wrapping_add((y & 0xffff_ffff) * (y >> 32)).wrapping_add(y);
    }
    sum
}

const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec::Vec;

    /// As many pseudo-random bytes, apart from the keys.
    fn noise(seed: u64, bytes: usize) -> Vec<u8> {
        let word = |i: u64| mix(((seed + 1) << 32 | i).wrapping_mul(GOLDEN)).to_le_bytes();
        (0..bytes.div_ceil(8) as u64).flat_map(word).take(bytes).collect()
    }

    #[test]
    fn the_values_are_fixed() {
        // The first numbers of SplitMix64 from 0, as its authors' program prints them.
        assert_eq!(KEYS[..3], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
        // Computed from the formula by a program in another language.
        let counting: Vec<u8> = (0..=255).collect();
        assert_eq!(of_lines(0, &[]), 0);
        assert_eq!(of_lines(0, &[0; LINE]), 0x3e1e_96c1_378a_5860);
        assert_eq!(of_lines(7, &[0xff; LINE]), 0x08c0_3d43_f153_1554);
        assert_eq!(of_lines(0, &counting), 0x529c_2b60_6f41_1dc4);
        assert_eq!(of_lines(u32::MAX, &counting), 0xc302_f0c7_ee2f_1160);
    }

    #[test]
    fn what_follows_the_last_whole_line_does_not_count() {
        let bytes = noise(1, 3 * LINE);
        assert_eq!(of_lines(5, &bytes[..2 * LINE + 63]), of_lines(5, &bytes[..2 * LINE]));
        assert_ne!(of_lines(5, &bytes), of_lines(5, &bytes[..2 * LINE]));
    }

    #[test]
    fn it_is_the_sum_over_any_pieces_in_any_order() {
        let bytes = noise(2, 100 * LINE);
        let whole = of_lines(900, &bytes);
        for seed in 0..200 {
            let mut pieces = Vec::new();
            let (mut at, mut random) = (0, seed);
            while at < 100 {
                random = mix(random ^ GOLDEN);
                let count = (random as usize % 12).min(100 - at);
                pieces.push((random, at, count));
                at += count;
            }
            pieces.sort_unstable();
            let sum = pieces.iter().fold(0u64, |sum, &(_, at, count)| {
                sum.wrapping_add(of_lines(900 + at as u32, &bytes[at * LINE..][..count * LINE]))
            });
            assert_eq!(sum, whole, "pieces of seed {seed}");
        }
    }

    /// The lines that the changes below begin from.
    fn lines() -> impl Iterator<Item = [u8; LINE]> {
        let keys: Vec<u8> = KEYS.iter().flat_map(|key| key.to_le_bytes()).collect();
        // Such that every factor is as small as it can be, or as large.
        let masked: Vec<u8> = keys.iter().map(|byte| !byte).collect();
        [std::vec![0; LINE], std::vec![0xff; LINE], keys, masked]
            .into_iter()
            .chain((0..50).map(|seed| noise(seed, LINE)))
            .map(|line| line.try_into().expect("as long"))
    }

    #[test]
    fn no_flipped_bit_goes_unseen() {
        for (number, line) in (0..).zip(lines()) {
            let digest = of_lines(number, &line);
            for bit in 0..8 * LINE {
                let mut flipped = line;
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_ne!(of_lines(number, &flipped), digest, "bit {bit} of {line:x?}");
            }
        }
    }

    #[test]
    fn no_other_half_word_goes_unseen() {
        for (number, line) in (0..).zip(lines()) {
            let digest = of_lines(number, &line);
            for half in 0..LINE / 4 {
                let corners = [1, 3, u32::MAX, 1 << 31, 0x5555_5555, 0xffff_0000];
                for change in corners.into_iter().chain((0..100).map(|i| mix(i) as u32 | 1)) {
                    let mut changed = line;
                    let bytes = &mut changed[half * 4..][..4];
                    bytes.iter_mut().zip(change.to_le_bytes()).for_each(|(byte, change)| *byte ^= change);
                    assert_ne!(of_lines(number, &changed), digest, "half {half} ^ {change:x} of {line:x?}");
                }
            }
        }
    }

    /// Every subset of the words with the same bit flipped: what adds up to nothing where keys are related. Not in the two
    /// lines that were made from the keys, whose changes do.
    #[test]
    fn no_bit_flipped_in_several_words_goes_unseen() {
        for (number, line) in (0..).zip(lines()).filter(|(number, _)| !(2..4).contains(number)) {
            let digest = of_lines(number, &line);
            for bit in 0..64 {
                for words in 1..256u32 {
                    let mut changed = line;
                    for word in (0..8).filter(|word| words >> word & 1 == 1) {
                        changed[word * 8 + bit / 8] ^= 1 << (bit % 8);
                    }
                    assert_ne!(
                        of_lines(number, &changed),
                        digest,
                        "bit {bit} of words {words:b} of {line:x?}"
                    );
                }
            }
        }
    }

    #[test]
    fn words_and_halves_have_their_places() {
        fn swaps<const N: usize>(line: &[u8; LINE]) -> usize {
            let (parts, _) = line.as_chunks::<N>();
            let mut tried = 0;
            for (a, b) in (0..parts.len()).flat_map(|a| (0..a).map(move |b| (a, b))) {
                if parts[a] != parts[b] {
                    let mut swapped = parts.to_vec();
                    swapped.swap(a, b);
                    assert_ne!(
                        of_lines(3, swapped.as_flattened()),
                        of_lines(3, line),
                        "{a} and {b} of {line:x?}"
                    );
                    tried += 1;
                }
            }
            tried
        }
        let tried: usize = lines().map(|line| swaps::<8>(&line) + swaps::<4>(&line)).sum();
        assert!(tried > 50 * (28 + 100), "{tried}");
    }

    #[test]
    fn lines_have_their_numbers() {
        // Zeros but for one byte each: where related keys would cancel.
        let plain = |line: usize| {
            let mut bytes = [0; LINE];
            bytes[line % LINE] = 1;
            bytes
        };
        let bytes: Vec<u8> = (0..64).flat_map(plain).chain(noise(3, 64 * LINE)).collect();
        let digest = of_lines(40, &bytes);
        let (lines, _) = bytes.as_chunks::<LINE>();
        for a in 0..lines.len() {
            assert_ne!(of_lines(a as u32, &lines[0]), of_lines(a as u32 + 1, &lines[0]));
            for b in 0..a {
                let mut swapped = lines.to_vec();
                swapped.swap(a, b);
                assert_ne!(of_lines(40, swapped.as_flattened()), digest, "lines {a} and {b}");
            }
        }
        assert_ne!(of_lines(41, &bytes), digest);
    }

    /// The same flag flipped in four lines: the second difference of keys that grow evenly with the line's number is 0.
    #[test]
    fn flags_of_neighbours_do_not_cancel() {
        for bit in 0..8 * LINE {
            for step in [1, 2, 3, 64] {
                let mut lines = std::vec![[0u8; LINE]; 3 * step + 1];
                let zeros = of_lines(0, lines.as_flattened());
                (0..4).for_each(|i| lines[i * step][bit / 8] ^= 1 << (bit % 8));
                assert_ne!(of_lines(0, lines.as_flattened()), zeros, "bit {bit}, every {step} lines");
            }
        }
    }

    #[test]
    fn no_line_of_zeros_digests_to_0() {
        // mix is 0 of 0 only, so there is one number for which it would: not one that a line can have.
        let mut inverse = GOLDEN;
        (0..5).for_each(|_| inverse = inverse.wrapping_mul(2u64.wrapping_sub(GOLDEN.wrapping_mul(inverse))));
        assert_eq!(GOLDEN.wrapping_mul(inverse), 1);
        let number = hash(&[0; LINE]).wrapping_neg().wrapping_mul(inverse).wrapping_sub(1);
        assert!(number > u64::from(u32::MAX), "line {number}");
        assert_eq!(mix(hash(&[0; LINE]).wrapping_add(number.wrapping_add(1).wrapping_mul(GOLDEN))), 0);
    }
}
