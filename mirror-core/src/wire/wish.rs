//! Wishes: what an observer lacks. They travel on the observers' channel only, and their node is 0, so that none is ever
//! taken for a member's word.

use super::header::BODY;
use super::wants::SweepWant;
use super::{FrameKind, Header, Reject, put_u32, put_u64, u32_at, u64_at};
use crate::{Cut, Epoch};

const AT_BASE_EPOCH: usize = BODY;
const AT_BASE_CYCLE: usize = BODY + 8;
const AT_HELD_EPOCH: usize = BODY + 16;
const AT_HELD_CYCLE: usize = BODY + 24;
const AT_NEWEST: usize = BODY + 32;
const AT_LACKS: usize = BODY + 40;
const AT_SERVER: usize = BODY + 44;
const AT_SEEN: usize = BODY + 48;
const AT_SINCE: usize = BODY + 56;
/// Least length of a wish; its ranges follow, as many as there are.
const LENGTH: usize = BODY + 64;

const _: () = assert!(LENGTH < super::MIN_FRAME);

/// What an observer lacks of the reign that its frame's header names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The cut that the reign began from.
    pub base: Cut,
    /// The cut it holds.
    pub held: Cut,
    /// The newest cycle that it heard of.
    pub newest: u64,
    /// How many lines it lacks.
    pub lacks: u32,
    /// Who served it last; 0: nobody yet.
    pub server: u8,
    /// The sequence of the last frame that it heard of that server.
    pub seen: u64,
    /// Which lines.
    pub sweep: SweepWant,
}

impl Wish {
    /// How many ranges a frame of `frame_bytes` has room for.
    #[must_use]
    pub const fn ranges(frame_bytes: usize) -> usize {
        (frame_bytes - LENGTH) / super::wants::RANGE
    }

    /// Any body of the right length is a wish: what makes no sense is served to nobody.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Reject> {
        if bytes.len() < LENGTH {
            return Err(Reject::Truncated { got: bytes.len(), said: LENGTH });
        }
        let cut = |epoch, cycle| Cut { epoch: Epoch(u64_at(bytes, epoch)), cycle: u64_at(bytes, cycle) };
        Ok(Self {
            base: cut(AT_BASE_EPOCH, AT_BASE_CYCLE),
            held: cut(AT_HELD_EPOCH, AT_HELD_CYCLE),
            newest: u64_at(bytes, AT_NEWEST),
            lacks: u32_at(bytes, AT_LACKS),
            server: bytes[AT_SERVER],
            seen: u64_at(bytes, AT_SEEN),
            sweep: SweepWant::decode(u64_at(bytes, AT_SINCE), &bytes[LENGTH..]),
        })
    }

    /// Writes the frame and gives its length. `frame` has at least [`super::MIN_FRAME`] bytes.
    pub(crate) fn encode(&self, header: &Header, frame: &mut [u8]) -> usize {
        frame[BODY..LENGTH].fill(0);
        put_u64(frame, AT_BASE_EPOCH, self.base.epoch.0);
        put_u64(frame, AT_BASE_CYCLE, self.base.cycle);
        put_u64(frame, AT_HELD_EPOCH, self.held.epoch.0);
        put_u64(frame, AT_HELD_CYCLE, self.held.cycle);
        put_u64(frame, AT_NEWEST, self.newest);
        put_u32(frame, AT_LACKS, self.lacks);
        frame[AT_SERVER] = self.server;
        put_u64(frame, AT_SEEN, self.seen);
        put_u64(frame, AT_SINCE, self.sweep.since);
        let length = LENGTH + self.sweep.encode(&mut frame[LENGTH..]);
        header.seal(FrameKind::Wish, &mut frame[..length]);
        length
    }
}
