//! The one checksum of the project: CRC-64/NVME (polynomial 0xAD93D23594C93659, reflected, all ones in and out),
//! which detects every burst of up to 64 bits and misses a random change with probability 2^-64.
//!
//! It is no authentication: that is what the key and tag fields of a frame are for.

/// The CRC-64/NVME of `bytes`.
#[must_use]
pub fn of(bytes: &[u8]) -> u64 {
    crc_fast::crc64_nvme(bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn is_the_catalogued_crc() {
        // The check value of CRC-64/NVME in the CRC RevEng catalogue.
        assert_eq!(super::of(b"123456789"), 0xae8b_1486_0a79_9888);
    }
}
