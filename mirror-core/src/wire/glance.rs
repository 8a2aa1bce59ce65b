//! A frame at a glance, for links that hear each frame more than once.

use super::header::{
    AT_CHECK, AT_GROUP, AT_LENGTH, AT_MAGIC, AT_NODE, AT_SEQUENCE, AT_TAG, AT_VERSION, AT_ZERO, BODY, MAGIC,
};
use super::{VERSION, u32_at, u64_at};
use crate::checksum;

/// What tells one frame from another, for a link that hears each more than once. Read as it stands: of a frame that is not
/// [sound](is_sound) it may say anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance {
    /// The group that it says it belongs to.
    pub group: u64,
    /// The sender that it names.
    pub node: u8,
    /// The number of the transmission.
    pub sequence: u64,
    /// The checksum that it carries: of two sound frames with one checksum, all else is the same too, but for an accident
    /// of probability 2^-32 (or somebody's purpose).
    pub check: u64,
}

impl Glance {
    /// `None`: too short for a frame, or not of this protocol.
    #[must_use]
    #[inline]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        (bytes.len() >= BODY && u32_at(bytes, AT_MAGIC) == MAGIC).then(|| Self {
            group: u64_at(bytes, AT_GROUP),
            node: bytes[AT_NODE],
            sequence: u64_at(bytes, AT_SEQUENCE),
            check: u64_at(bytes, AT_CHECK),
        })
    }
}

/// Whether a frame is as it was sent, by its length and its checksum: what [`Frame::decode`](super::Frame::decode) finds
/// out first. What the frame says may still be refused.
#[must_use]
pub fn is_sound(bytes: &[u8]) -> bool {
    bytes.len() >= BODY
        && u32_at(bytes, AT_MAGIC) == MAGIC
        && (bytes[AT_VERSION], bytes[AT_ZERO]) == (VERSION, 0)
        && usize::from(u16::from_le_bytes([bytes[AT_LENGTH], bytes[AT_LENGTH + 1]])) == bytes.len()
        && checksum::of_frame(&bytes[AT_TAG..]) == u64_at(bytes, AT_CHECK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Run;
    use crate::wire::Frame;
    use crate::wire::tests::encode;

    #[test]
    fn a_glance_reads_what_was_sent_and_no_flipped_bit_is_sound() {
        let runs = [Run { start: 3, count: 2 }];
        let mut frame = encode(&runs, 1472).remove(0);
        let Ok(Frame::Data(header, ..)) = Frame::decode(&frame, 1024) else { panic!("{frame:?}") };
        let glance = Glance::of(&frame).unwrap();
        assert_eq!((glance.group, glance.node), (header.ids.group, header.ids.node));
        assert_eq!((glance.sequence, glance.check), (header.sequence, checksum::of_frame(&frame[16..])));
        assert!(is_sound(&frame));
        for bit in 0..frame.len() * 8 {
            frame[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_sound(&frame), "bit {bit}");
            frame[bit / 8] ^= 1 << (bit % 8);
        }
        for length in 0..frame.len() {
            assert!(!is_sound(&frame[..length]), "{length} bytes");
            assert_eq!(Glance::of(&frame[..length]).is_some(), length >= BODY);
        }
        frame[0] = b'm';
        assert_eq!(Glance::of(&frame), None);
    }
}
