//! The floor of a capture by comparison: reading both copies and nothing else.
//!
//! Contract: every byte of both is read and goes into the result, by the same instructions as the capture that it stands
//! beside. One portable loop, compiled once for each instruction set; the sums are independent of one another, so
//! that nothing but the reading bounds it.

use std::hint::black_box;

/// Bytes of one step of the loop: four of the widest registers.
const STEP: usize = 256;

/// Reads two equally long memories.
#[derive(Clone, Copy, Debug)]
pub struct TwoStreams {
    read: unsafe fn(&[u8], &[u8]) -> u64,
    name: &'static str,
}

#[cfg(target_arch = "x86_64")]
cpufeatures::new!(has_avx512, "avx512f", "avx512bw", "avx512vl");
#[cfg(target_arch = "x86_64")]
cpufeatures::new!(has_avx2, "avx2");

impl TwoStreams {
    /// Every way that this machine has, slowest first, named as the ways of `Diff` are.
    pub fn all() -> impl Iterator<Item = Self> {
        let all = std::iter::once(Self { read: read_portable, name: "portable" });
        #[cfg(target_arch = "x86_64")]
        let all = all
            .chain(has_avx2::get().then_some(Self { read: read_avx2, name: "avx2" }))
            .chain(has_avx512::get().then_some(Self { read: read_avx512, name: "avx512" }));
        all
    }

    /// The one by the same instructions as the tracker called `tracker` (`diff/avx2`).
    #[must_use]
    pub fn like(tracker: &str) -> Option<Self> {
        Self::all().find(|floor| tracker.ends_with(floor.name))
    }

    /// Of the instruction set.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Reads both.
    pub fn read(&self, a: &[u8], b: &[u8]) {
        // SAFETY: `all` offers a function only where the machine has its instructions.
        black_box(unsafe { (self.read)(black_box(a), black_box(b)) });
    }
}

#[inline(always)]
fn read(a: &[u8], b: &[u8]) -> u64 {
    let (a, _) = a.as_chunks::<STEP>();
    let (b, _) = b.as_chunks::<STEP>();
    let mut sums = [0u64; STEP / 8];
    for (a, b) in a.iter().zip(b) {
        let (a, _) = a.as_chunks::<8>();
        let (b, _) = b.as_chunks::<8>();
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum |= u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b);
        }
    }
    sums.into_iter().fold(0, |all, sum| all | sum)
}

fn read_portable(a: &[u8], b: &[u8]) -> u64 {
    read(a, b)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn read_avx2(a: &[u8], b: &[u8]) -> u64 {
    read(a, b)
}

// Written out: left to itself the compiler reads eight steps at a time by gathers, at a fifth of the speed.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn read_avx512(a: &[u8], b: &[u8]) -> u64 {
    use std::arch::x86_64::{
        _mm512_loadu_si512, _mm512_or_si512, _mm512_reduce_or_epi64, _mm512_setzero_si512, _mm512_xor_si512,
    };
    let (a, _) = a.as_chunks::<STEP>();
    let (b, _) = b.as_chunks::<STEP>();
    let mut sums = [_mm512_setzero_si512(); STEP / 64];
    for (a, b) in a.iter().zip(b) {
        for (i, sum) in sums.iter_mut().enumerate() {
            // SAFETY: 64 bytes from `64 * i` on lie in both steps.
            let (a, b) = unsafe {
                (
                    _mm512_loadu_si512(a.as_ptr().add(64 * i).cast()),
                    _mm512_loadu_si512(b.as_ptr().add(64 * i).cast()),
                )
            };
            *sum = _mm512_or_si512(*sum, _mm512_xor_si512(a, b));
        }
    }
    let all = sums.into_iter().reduce(|all, sum| _mm512_or_si512(all, sum));
    _mm512_reduce_or_epi64(all.unwrap_or(_mm512_setzero_si512())) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_counts() {
        for floor in TwoStreams::all() {
            let (mut a, b) = (vec![7; 4096], vec![7; 4096]);
            for at in [0, 1, 2000, 4095] {
                a[at] = 9;
                // SAFETY: as in `read`.
                assert_ne!(unsafe { (floor.read)(&a, &b) }, 0, "{} misses byte {at}", floor.name);
                a[at] = 7;
                // SAFETY: as in `read`.
                assert_eq!(unsafe { (floor.read)(&a, &b) }, 0);
            }
        }
    }
}
