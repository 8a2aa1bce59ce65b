//! `Diff`: compare the live memory with the image and take the lines that differ.
//!
//! Sees every write, whoever made it, and true changes only: a rewrite of the same value is not sent. Costs one
//! pass over both copies, so it is the choice while the region is small.
//!
//! The inner loop is one piece of portable code, compiled for AVX2 and for whatever the target guarantees, and one
//! of its own for AVX-512. It compares a block of 64 lines at a time into one word of bits, so that the only branch that
//! depends on the data is taken once a block.

use super::Tracker;
use crate::line::LINE;
use crate::region::Recorder;

/// Lines compared into one word.
const BLOCK: usize = 64;
const BLOCK_BYTES: usize = BLOCK * LINE;

type Block = [u8; BLOCK_BYTES];
/// # Safety
/// The processor has the instructions that the function was made for.
type CompareFn = unsafe fn(&Block, &Block) -> u64;

/// The tracker that compares.
#[derive(Clone, Copy, Debug)]
pub struct Diff {
    compare: CompareFn,
    name: &'static str,
}

#[cfg(target_arch = "x86_64")]
cpufeatures::new!(has_avx512, "avx512f", "avx512bw", "avx512vl");
#[cfg(target_arch = "x86_64")]
cpufeatures::new!(has_avx2, "avx2");

impl Diff {
    /// The fastest comparison of this machine.
    #[must_use]
    pub fn new() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if has_avx512::get() {
                return Self { compare: compare_avx512, name: "diff/avx512" };
            }
            if has_avx2::get() {
                return Self { compare: compare_avx2, name: "diff/avx2" };
            }
        }
        Self::portable()
    }

    /// The comparison that runs everywhere (on AArch64 its instructions are NEON's, which every such machine has).
    #[must_use]
    pub const fn portable() -> Self {
        Self { compare: compare_portable, name: "diff/portable" }
    }

    /// Every comparison that this machine can run, for tests and benchmarks.
    pub fn all() -> impl Iterator<Item = Self> {
        let portable = core::iter::once(Self::portable());
        #[cfg(target_arch = "x86_64")]
        let portable = portable
            .chain(has_avx2::get().then_some(Self { compare: compare_avx2, name: "diff/avx2" }))
            .chain(has_avx512::get().then_some(Self { compare: compare_avx512, name: "diff/avx512" }));
        portable
    }
}

impl Default for Diff {
    fn default() -> Self {
        Self::new()
    }
}

impl Tracker for Diff {
    fn name(&self) -> &'static str {
        self.name
    }

    fn mark(&mut self, _at: usize, _bytes: usize) {}

    fn capture(&mut self, live: &[u8], image: &[u8], record: &mut Recorder<'_>) {
        let (live_blocks, live_rest) = live.as_chunks::<BLOCK_BYTES>();
        let (image_blocks, image_rest) = image.as_chunks::<BLOCK_BYTES>();
        for (block, (live, image)) in live_blocks.iter().zip(image_blocks).enumerate() {
            // SAFETY: the constructors choose a function only where the machine has its instructions.
            let differs = unsafe { (self.compare)(live, image) };
            take(differs, block * BLOCK, live, record);
        }
        let differs = line_bits(live_rest, image_rest);
        take(differs, live_blocks.len() * BLOCK, live_rest, record);
    }

    fn reset(&mut self) {}
}

/// Puts the lines whose bits are set into the record. `bytes` begins with line `first`.
#[inline]
pub(super) fn take(mut bits: u64, first: usize, bytes: &[u8], record: &mut Recorder<'_>) {
    if bits == 0 {
        return;
    }
    record.push_all(core::iter::from_fn(|| {
        if bits == 0 {
            return None;
        }
        let start = bits.trailing_zeros() as usize;
        let count = (bits >> start).trailing_ones() as usize;
        // A run may reach the last bit: shift by steps that stay below 64.
        bits &= !(u64::MAX >> (64 - count) << start);
        Some(((first + start) as u32, &bytes[start * LINE..(start + count) * LINE]))
    }));
}

/// One bit for each differing line of at most [`BLOCK`] lines.
#[inline(always)]
fn line_bits(live: &[u8], image: &[u8]) -> u64 {
    let (live, _) = live.as_chunks::<LINE>();
    let (image, _) = image.as_chunks::<LINE>();
    let mut bits = 0;
    for (i, (a, b)) in live.iter().zip(image).enumerate() {
        bits |= u64::from(differ(a, b)) << i;
    }
    bits
}

#[inline(always)]
fn differ(a: &[u8; LINE], b: &[u8; LINE]) -> bool {
    let (a, _) = a.as_chunks::<8>();
    let (b, _) = b.as_chunks::<8>();
    let mut any = 0;
    for (a, b) in a.iter().zip(b) {
        any |= u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b);
    }
    any != 0
}

#[inline(always)]
fn compare(live: &Block, image: &Block) -> u64 {
    line_bits(live, image)
}

fn compare_portable(live: &Block, image: &Block) -> u64 {
    compare(live, image)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn compare_avx2(live: &Block, image: &Block) -> u64 {
    compare(live, image)
}

/// Written out: left to itself the compiler takes eight lines at a time by gathers, at a sixth of the speed.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn compare_avx512(live: &Block, image: &Block) -> u64 {
    use core::arch::x86_64::{_mm512_cmpneq_epi64_mask, _mm512_loadu_si512};
    let (live, _) = live.as_chunks::<LINE>();
    let (image, _) = image.as_chunks::<LINE>();
    let mut bits = 0;
    for (i, (a, b)) in live.iter().zip(image).enumerate() {
        // SAFETY: a line has the 64 bytes that are loaded; the loads claim no alignment.
        let (a, b) =
            unsafe { (_mm512_loadu_si512(a.as_ptr().cast()), _mm512_loadu_si512(b.as_ptr().cast())) };
        bits |= u64::from(_mm512_cmpneq_epi64_mask(a, b) != 0) << i;
    }
    bits
}
