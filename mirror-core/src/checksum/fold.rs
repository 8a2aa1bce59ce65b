//! The checksum of a frame by AVX-512 carry-less multiplication, made for lengths of a frame.
//!
//! Contract: [`of`] gives the same value as any other CRC-64/NVME, or nothing where the machine or the length is not
//! made for it. (The general crate takes lengths that are no multiple of 128 in small steps at the end, which for a frame
//! of 1,472 bytes are half of the time.)
//!
//! # How
//! A message is a polynomial M; its CRC is M * x^64 mod P. All zeros in front of M change nothing, so the first block
//! is filled up with zeros *in front* and there is no rest at the end. Blocks of 512 bits are folded: X * x^512 + next block has
//! the same remainder as the message so far, and X * x^512 is made out of two products of 64 bits by constants x^n mod P.
//! What is left of it at the end, 128 bits, is reduced by Barrett's way.
//!
//! Bits are reflected: bit i of a word of 64 is the coefficient of x^(63 - i). The product of two reflected words, read as
//! a reflected word of 128, is their product times x; so the constant for x^n is that of x^(n - 1).

use core::arch::x86_64::{
    __m128i, __m512i, _mm_clmulepi64_si128, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_extract_epi64,
    _mm_set_epi64x, _mm_xor_si128, _mm512_clmulepi64_epi128, _mm512_extracti32x4_epi32, _mm512_loadu_si512,
    _mm512_maskz_loadu_epi8, _mm512_maskz_set1_epi8, _mm512_set_epi64, _mm512_ternarylogic_epi64,
    _mm512_xor_si512,
};

/// P without its x^64.
const POLYNOMIAL: u64 = 0xAD93_D235_94C9_3659;

/// Bytes of a block.
const BLOCK: usize = 64;

/// Fewer than two blocks are not worth it; every frame has more.
const LEAST: usize = BLOCK + 1;

cpufeatures::new!(usable, "avx512f", "avx512bw", "vpclmulqdq", "pclmulqdq", "sse4.1");

/// The CRC-64/NVME of `bytes`, if this machine and their number allow.
#[inline]
pub(super) fn of(bytes: &[u8]) -> Option<u64> {
    // SAFETY: the machine has the instructions.
    (bytes.len() >= LEAST && usable::get()).then(|| unsafe { crc(bytes) })
}

/// x^n mod P, reflected.
const fn power(n: u32) -> i64 {
    let (mut value, mut i) = (1u64, 0);
    while i < n {
        value = value << 1 ^ if value >> 63 != 0 { POLYNOMIAL } else { 0 };
        i += 1;
    }
    value.reverse_bits() as i64
}

/// x^128 / P without its x^64, reflected.
const fn quotient() -> i64 {
    let (mut quotient, mut rest, mut i) = (0u64, POLYNOMIAL, 0);
    while i < 64 {
        let bit = rest >> 63;
        quotient = quotient << 1 | bit;
        rest = rest << 1 ^ if bit != 0 { POLYNOMIAL } else { 0 };
        i += 1;
    }
    quotient.reverse_bits() as i64
}

/// What 128 bits are multiplied by to move them `BITS` further: for their first 64, and for their last.
struct Move<const BITS: u32>;
impl<const BITS: u32> Move<BITS> {
    const FIRST: i64 = power(BITS + 63);
    const LAST: i64 = power(BITS - 1);
}

#[inline]
#[target_feature(enable = "avx512f")]
fn everywhere<const BITS: u32>() -> __m512i {
    let (a, b) = (Move::<BITS>::FIRST, Move::<BITS>::LAST);
    _mm512_set_epi64(b, a, b, a, b, a, b, a)
}

/// `x` moved, plus `next`.
#[inline]
#[target_feature(enable = "avx512f,vpclmulqdq")]
fn fold(x: __m512i, by: __m512i, next: __m512i) -> __m512i {
    let (first, last) = (_mm512_clmulepi64_epi128::<0x00>(x, by), _mm512_clmulepi64_epi128::<0x11>(x, by));
    _mm512_ternarylogic_epi64::<0x96>(first, last, next)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(block: &[u8; BLOCK]) -> __m512i {
    // SAFETY: a block has the 64 bytes that are read; no alignment is claimed.
    unsafe { _mm512_loadu_si512(block.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f,avx512bw,vpclmulqdq,pclmulqdq,sse4.1")]
fn crc(bytes: &[u8]) -> u64 {
    // The first block is short by `gap` bytes; 1 to 64 of it remain.
    let gap = bytes.len().wrapping_neg() % BLOCK;
    let (head, rest) = bytes.split_at(BLOCK - gap);
    let (rest, _) = rest.as_chunks::<BLOCK>();
    let Some((second, rest)) = rest.split_first() else { return !0 };
    // SAFETY: the mask takes only those of the 64 bytes that lie in `head`; the others are not touched.
    let first = unsafe { _mm512_maskz_loadu_epi8(u64::MAX << gap, head.as_ptr().wrapping_sub(gap).cast()) };
    // All ones in: the first eight bytes of the message, which may reach into the second block.
    let spill = if gap > BLOCK - 8 { 0xFF >> (BLOCK - gap) } else { 0 };
    let first = _mm512_xor_si512(first, _mm512_maskz_set1_epi8(0xFF << gap, -1));
    let second = _mm512_xor_si512(load(second), _mm512_maskz_set1_epi8(spill, -1));

    let by_one = everywhere::<512>();
    let (x, rest) = match rest.split_first_chunk::<2>() {
        None => (fold(first, by_one, second), rest),
        Some(([third, fourth], rest)) => {
            // Four at a time: a product takes several clocks, but one can begin in each.
            let mut x = [first, second, load(third), load(fourth)];
            let by_four = everywhere::<2048>();
            let (fours, rest) = rest.as_chunks::<4>();
            for four in fours {
                for (x, next) in x.iter_mut().zip(four) {
                    *x = fold(*x, by_four, load(next));
                }
            }
            let [a, b, c, d] = x;
            let ab = fold(a, everywhere::<1536>(), fold(b, everywhere::<1024>(), d));
            (fold(c, by_one, ab), rest)
        }
    };
    let x = rest.iter().fold(x, |x, next| fold(x, by_one, load(next)));
    finish(lanes(x))
}

/// 512 bits to 128.
#[inline]
#[target_feature(enable = "avx512f,vpclmulqdq")]
fn lanes(x: __m512i) -> __m128i {
    let by = _mm512_set_epi64(
        0,
        0,
        Move::<128>::LAST,
        Move::<128>::FIRST,
        Move::<256>::LAST,
        Move::<256>::FIRST,
        Move::<384>::LAST,
        Move::<384>::FIRST,
    );
    let moved =
        _mm512_xor_si512(_mm512_clmulepi64_epi128::<0x00>(x, by), _mm512_clmulepi64_epi128::<0x11>(x, by));
    let ab = _mm_xor_si128(_mm512_extracti32x4_epi32::<0>(moved), _mm512_extracti32x4_epi32::<1>(moved));
    let cd = _mm_xor_si128(_mm512_extracti32x4_epi32::<2>(moved), _mm512_extracti32x4_epi32::<3>(x));
    _mm_xor_si128(ab, cd)
}

/// X * x^64 mod P, all ones out.
#[inline]
#[target_feature(enable = "pclmulqdq,sse4.1")]
fn finish(x: __m128i) -> u64 {
    let by = _mm_set_epi64x(0, const { power(127) });
    let first = _mm_clmulepi64_si128::<0x00>(x, by);
    // Its first 64 bits are still to be reduced, its last are part of the result, and so are the last of `x` moved.
    let high = (_mm_cvtsi128_si64(first) ^ _mm_extract_epi64::<1>(x)) as u64;
    let low = _mm_extract_epi64::<1>(first) as u64;
    let times = _mm_set_epi64x(POLYNOMIAL.reverse_bits() as i64, const { quotient() });
    let product = _mm_clmulepi64_si128::<0x00>(_mm_cvtsi64_si128(high as i64), times);
    let whole = high ^ (_mm_cvtsi128_si64(product) as u64) << 1;
    let product = _mm_clmulepi64_si128::<0x10>(_mm_cvtsi64_si128(whole as i64), times);
    let (first, last) = (_mm_cvtsi128_si64(product) as u64, _mm_extract_epi64::<1>(product) as u64);
    !(last << 1 | first >> 63) ^ low
}
