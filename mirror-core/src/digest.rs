//! Digests of lines: whether two copies hold the same, told by eight bytes.
//!
//! Contract: the digest of a set of lines is the wrapping sum of the digests of its lines, so it may be computed in any
//! order and in any pieces, as frames arrive. A line's digest is rapidhash (version 3) of its 64 bytes, with the line's number
//! for the seed, and is the same on every machine. Nothing here allocates or fails. It is no authentication.
//!
//! The sum over numbered lines is the incremental hash of Bellare and Micciancio (AdHash, 1997). Whatever differs,
//! bits or whole lines, lines that changed places, a line under another number, a line too few or too many: it is missed by
//! chance only, with 2^-64. Nothing is certain. A line whose first, third or fifth word is the very constant that the function
//! combines it with hides the words before that one and the next: by chance with 2^-64, or by intent.

use crate::line::LINE;
use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

/// The digest of the whole lines in `bytes`, the first of which is line `first`; 0 of none. Bytes after the last whole
/// line do not count.
#[must_use]
pub fn of_lines(first: u32, bytes: &[u8]) -> u64 {
    let (lines, _) = bytes.as_chunks::<LINE>();
    lines.iter().zip(u64::from(first)..).fold(0, |sum: u64, (line, number)| {
        sum.wrapping_add(rapidhash_v3_seeded(line, &RapidSecrets::seed_cpp(number)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec::Vec;

    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

    fn mix(mut x: u64) -> u64 {
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// As many pseudo-random bytes.
    fn noise(seed: u64, bytes: usize) -> Vec<u8> {
        let word = |i: u64| mix(((seed + 1) << 32 | i).wrapping_mul(GOLDEN)).to_le_bytes();
        (0..bytes.div_ceil(8) as u64).flat_map(word).take(bytes).collect()
    }

    #[test]
    fn the_values_are_fixed() {
        // Computed from rapidhash's reference code by a program in another language.
        let counting: Vec<u8> = (0..=255).collect();
        assert_eq!(of_lines(0, &[]), 0);
        assert_eq!(of_lines(0, &[0; LINE]), 0x4edf_c226_0f49_cc02);
        assert_eq!(of_lines(7, &[0xff; LINE]), 0xa960_f482_92e3_bc78);
        assert_eq!(of_lines(0, &counting), 0x3c00_d4ec_42ef_5e18);
        assert_eq!(of_lines(u32::MAX, &counting), 0x6818_cdd9_983e_a60c);
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
        [std::vec![0; LINE], std::vec![0xff; LINE]]
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

    /// Every subset of the words with the same bit flipped: what adds up to nothing where keys are related.
    #[test]
    fn no_bit_flipped_in_several_words_goes_unseen() {
        for (number, line) in (0..).zip(lines()) {
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
}
