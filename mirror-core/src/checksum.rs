//! The checksums of the project, both of a library that finds the fastest instructions at run time.
//!
//! Neither is authentication: that is what the key and tag fields of a frame are for.

/// The CRC-64/NVME of `bytes` (polynomial 0xAD93D23594C93659, reflected, all ones in and out): names and layouts are
/// known by it. Two of them share one with probability 2^-64.
#[must_use]
pub fn of(bytes: &[u8]) -> u64 {
    crc_fast::crc64_nvme(bytes)
}

/// The CRC-32C (Castagnoli, as in iSCSI and SCTP) of a frame's covered bytes. It detects every burst of up to 32 bits, and
/// all changes of up to 3 bits in frames of any size here; it misses a random change with probability 2^-32, beneath
/// which the network's own checksums stand. Half the cost of 64 bits, twice for each frame.
#[must_use]
pub fn of_frame(bytes: &[u8]) -> u64 {
    crc_fast::crc32_iscsi(bytes).into()
}

#[cfg(test)]
mod tests {
    #[test]
    fn they_are_the_catalogued_crcs() {
        // The check values of CRC-64/NVME and CRC-32/ISCSI in the CRC RevEng catalogue.
        assert_eq!(super::of(b"123456789"), 0xae8b_1486_0a79_9888);
        assert_eq!(super::of_frame(b"123456789"), 0xe306_9283);
    }
}
