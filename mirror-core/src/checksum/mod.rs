//! The one checksum of the project: CRC-64/NVME (polynomial 0xAD93D23594C93659, reflected, all ones in and out),
//! which detects every burst of up to 64 bits and misses a random change with probability 2^-64.
//!
//! It is no authentication: that is what the key and tag fields of a frame are for.

#[cfg(target_arch = "x86_64")]
mod fold;

/// The CRC-64/NVME of `bytes`.
#[must_use]
#[inline]
pub fn of(bytes: &[u8]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if let Some(checksum) = fold::of(bytes) {
        return checksum;
    }
    crc_fast::crc64_nvme(bytes)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    #[test]
    fn is_the_catalogued_crc() {
        // The check value of CRC-64/NVME in the CRC RevEng catalogue.
        assert_eq!(super::of(b"123456789"), 0xae8b_1486_0a79_9888);
    }

    #[test]
    fn is_the_same_whatever_the_length_and_the_place() {
        let mut seed = 1u64;
        let bytes: Vec<u8> = core::iter::repeat_with(|| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 56) as u8
        })
        .take(3000)
        .collect();
        let step = if cfg!(miri) { 97 } else { 1 };
        for length in (0..2200).step_by(step) {
            for at in [0, 1, 63, length % 64] {
                let part = &bytes[at..at + length];
                assert_eq!(super::of(part), crc_fast::crc64_nvme(part), "{length} bytes at {at}");
            }
        }
    }
}
