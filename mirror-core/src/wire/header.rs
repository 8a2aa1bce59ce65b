//! The header that every frame begins with.
//!
//! Bytes 0..8 are each compared with one allowed value; bytes 16.. are covered by the checksum in 8..16. So no
//! single flipped bit anywhere in a frame goes unseen.

use super::{DataHeader, Reject, Runs, Status, SweepHeader, Wish, put_u32, put_u64, u32_at, u64_at};
use crate::planted::{self, Bug};
use crate::{Epoch, checksum};

/// The version of the wire format that this crate speaks.
pub const VERSION: u8 = 1;
/// Least bytes that a link must carry in one frame: a header, a run and a few lines.
pub const MIN_FRAME: usize = 512;
/// Most bytes in a frame: the length field has 16 bits, and a UDP datagram over IPv4 carries no more.
pub const MAX_FRAME: usize = 65_507;

pub(super) const MAGIC: u32 = u32::from_le_bytes(*b"MIRR");

// Where each field begins; PROTOCOL.md shows the same table.
pub(super) const AT_MAGIC: usize = 0;
pub(super) const AT_VERSION: usize = 4;
pub(super) const AT_ZERO: usize = 5;
pub(super) const AT_LENGTH: usize = 6;
pub(super) const AT_CHECK: usize = 8;
pub(super) const AT_TAG: usize = 16;
const AT_KIND: usize = 32;
const AT_FLAGS: usize = 33;
pub(super) const AT_NODE: usize = 34;
const AT_ZERO2: usize = 35;
const AT_KEY: usize = 36;
pub(super) const AT_GROUP: usize = 40;
pub(super) const AT_LAYOUT: usize = 48;
const AT_EPOCH: usize = 56;
pub(super) const AT_SEQUENCE: usize = 64;
const AT_SENT: usize = 72;
/// Where the fields of a frame's kind begin.
pub(super) const BODY: usize = 80;

const _: () = assert!(AT_TAG + 16 == AT_KIND && AT_KEY + 4 == AT_GROUP && AT_SENT + 8 == BODY);
const _: () = assert!(BODY.is_multiple_of(8) && MAX_FRAME <= u16::MAX as usize);

/// Offset of the sender's node id in every frame, for links that filter out what their own node sent.
#[must_use]
pub const fn own_node_offset() -> usize {
    AT_NODE
}

/// What kinds of frames there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameKind {
    /// Lines of a cycle.
    Data = 1,
    /// What a member holds and wants.
    Status = 2,
    // 3 is kept for frames of the role rules.
    /// How a part of the region stands, by the primary's word.
    Sweep = 4,
    /// The sum of some of a cycle's data frames.
    Parity = 5,
    /// How a part of the region stands by a standby's word, for observers, on their channel.
    Refill = 6,
    /// What an observer lacks, on the observers' channel.
    Wish = 7,
}

/// Whose frames these are: the same in every frame that a member sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// Hash of the group's name.
    pub group: u64,
    /// Hash of the layout of the state.
    pub layout: u64,
    /// The sender, 1 to 255; 0: an observer.
    pub node: u8,
}

/// Numbers the transmissions of one incarnation of a member.
#[derive(Clone, Copy, Debug)]
pub struct Sender {
    ids: Ids,
    sequence: u64,
}

impl Sender {
    /// Begins to count at 1.
    #[must_use]
    pub const fn new(ids: Ids) -> Self {
        Self { ids, sequence: 0 }
    }

    /// Whose frames these are.
    #[must_use]
    pub const fn ids(&self) -> Ids {
        self.ids
    }

    /// The number of the last transmission.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The header of the next transmission.
    pub(crate) fn header(&mut self, epoch: Epoch, sent: u64) -> Header {
        self.sequence += 1;
        Header { ids: self.ids, epoch, sequence: self.sequence, sent }
    }
}

/// The fields that every frame has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whose frame it is.
    pub ids: Ids,
    /// The reign that the sender serves or leads.
    pub epoch: Epoch,
    /// The number of this transmission: each frame that an incarnation of a member sends has its own, resends too.
    pub sequence: u64,
    /// When it was sent, nanoseconds of the sender's monotonic clock, stamped before sending.
    pub sent: u64,
}

/// A frame whose every field has been checked.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::large_enum_variant, reason = "it lives on the stack for one call, and there is no heap here")]
pub enum Frame<'a> {
    /// Lines of a cycle.
    Data(Header, DataHeader, Runs<'a>),
    /// What a member holds and wants.
    Status(Header, Status),
    /// How a part of the region stands, by the primary's word.
    Sweep(Header, SweepHeader, Runs<'a>),
    /// The sum of the bodies of a group of a cycle's data frames; the index is the group's.
    Parity(Header, DataHeader, &'a [u8]),
    /// The same by a standby's word, for observers.
    Refill(Header, SweepHeader, Runs<'a>),
    /// What an observer lacks.
    Wish(Header, Wish),
}

impl Frame<'_> {
    /// The fields that every frame has.
    #[must_use]
    pub fn header(&self) -> &Header {
        match self {
            Self::Data(header, ..) | Self::Status(header, _) | Self::Wish(header, _) => header,
            Self::Sweep(header, ..) | Self::Parity(header, ..) | Self::Refill(header, ..) => header,
        }
    }
}

impl Header {
    /// Writes header and checksum around a body that already stands in `frame[BODY..]`. The frame's length must fit
    /// 16 bits.
    pub(super) fn seal(&self, kind: FrameKind, frame: &mut [u8]) {
        let length = u16::try_from(frame.len()).expect("links carry at most MAX_FRAME bytes");
        put_u32(frame, AT_MAGIC, MAGIC);
        frame[AT_VERSION] = VERSION;
        frame[AT_ZERO] = 0;
        frame[AT_LENGTH..AT_CHECK].copy_from_slice(&length.to_le_bytes());
        frame[AT_TAG..AT_KIND].fill(0);
        frame[AT_KIND] = kind as u8;
        frame[AT_FLAGS] = 0; // no kind has any yet
        frame[AT_NODE] = self.ids.node;
        frame[AT_ZERO2] = 0;
        put_u32(frame, AT_KEY, 0);
        put_u64(frame, AT_GROUP, self.ids.group);
        put_u64(frame, AT_LAYOUT, self.ids.layout);
        put_u64(frame, AT_EPOCH, self.epoch.0);
        put_u64(frame, AT_SEQUENCE, self.sequence);
        put_u64(frame, AT_SENT, self.sent);
        let check = checksum::of_frame(&frame[AT_TAG..]);
        put_u64(frame, AT_CHECK, check);
    }
}

impl<'a> Frame<'a> {
    /// Decodes any bytes. `lines` is the number of lines of the receiver's region; group and layout are given back
    /// for the receiver to compare (a status frame of another layout is how a member learns that layout's name).
    ///
    /// # Errors
    /// [`Reject`] names what is wrong; the frame then has no effect at all.
    pub fn decode(bytes: &'a [u8], lines: usize) -> Result<Self, Reject> {
        if bytes.len() < BODY {
            return Err(Reject::Truncated { got: bytes.len(), said: BODY });
        }
        let magic = u32_at(bytes, AT_MAGIC);
        if magic != MAGIC {
            return Err(Reject::Foreign(magic));
        }
        if bytes[AT_VERSION] != VERSION {
            return Err(Reject::Version(bytes[AT_VERSION]));
        }
        let said = u16::from_le_bytes([bytes[AT_LENGTH], bytes[AT_LENGTH + 1]]) as usize;
        if said != bytes.len() {
            return Err(Reject::Truncated { got: bytes.len(), said });
        }
        let sound = checksum::of_frame(&bytes[AT_TAG..]) == u64_at(bytes, AT_CHECK)
            || planted::is(Bug::DamageIgnored);
        if bytes[AT_ZERO] != 0 || !sound {
            return Err(Reject::Damaged);
        }
        match u32_at(bytes, AT_KEY) {
            0 => {}
            key => return Err(Reject::Key(key)),
        }
        let header = Header {
            ids: Ids {
                group: u64_at(bytes, AT_GROUP),
                layout: u64_at(bytes, AT_LAYOUT),
                node: bytes[AT_NODE],
            },
            epoch: Epoch(u64_at(bytes, AT_EPOCH)),
            sequence: u64_at(bytes, AT_SEQUENCE),
            sent: u64_at(bytes, AT_SENT),
        };
        // Observers have no number, and nobody else has none.
        if (header.ids.node == 0) != (bytes[AT_KIND] == FrameKind::Wish as u8) {
            return Err(Reject::Field { field: "node", value: header.ids.node.into() });
        }
        let flags = bytes[AT_FLAGS];
        match bytes[AT_KIND] {
            k if k == FrameKind::Data as u8 => {
                let (data, runs) = DataHeader::decode(&header, flags, bytes, lines)?;
                Ok(Frame::Data(header, data, runs))
            }
            k if k == FrameKind::Status as u8 => Ok(Frame::Status(header, Status::decode(bytes)?)),
            k if k == FrameKind::Sweep as u8 => {
                let (sweep, runs) = SweepHeader::decode(&header, flags, bytes, lines)?;
                if header.epoch.node() != header.ids.node {
                    return Err(Reject::Field { field: "epoch", value: header.epoch.0 });
                }
                Ok(Frame::Sweep(header, sweep, runs))
            }
            k if k == FrameKind::Parity as u8 => {
                let (data, body) = DataHeader::decode_parity(&header, flags, bytes, lines)?;
                Ok(Frame::Parity(header, data, body))
            }
            k if k == FrameKind::Refill as u8 => {
                let (sweep, runs) = SweepHeader::decode(&header, flags, bytes, lines)?;
                Ok(Frame::Refill(header, sweep, runs))
            }
            k if k == FrameKind::Wish as u8 => Ok(Frame::Wish(header, Wish::decode(bytes)?)),
            kind => Err(Reject::Kind(kind)),
        }
    }
}
