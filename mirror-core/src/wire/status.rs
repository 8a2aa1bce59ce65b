//! Status frames: what a member holds and wants.

use super::header::BODY;
use super::wants::{self, SweepWant, Wants};
use super::{FrameKind, Header, Reject, put_u32, put_u64, u32_at, u64_at};
use crate::layout::{Layout, NAME};
use crate::{Cut, Epoch};

const AT_STATE: usize = BODY;
const AT_FLAGS: usize = BODY + 1;
const AT_LACKS: usize = BODY + 4;
const AT_HELD_EPOCH: usize = BODY + 8;
const AT_HELD_CYCLE: usize = BODY + 16;
const AT_NEWEST: usize = BODY + 24;
const AT_LAYOUT_BYTES: usize = BODY + 32;
const AT_LAYOUT_NAME: usize = BODY + 40;
const AT_SEEN: usize = AT_LAYOUT_NAME + NAME;
const AT_WANTS_LIST: usize = AT_SEEN + 8;
const AT_SINCE: usize = AT_WANTS_LIST + wants::BYTES;
/// Least length of a status frame; the ranges of a sweep follow, as many as there are.
const LENGTH: usize = AT_SINCE + 8;

const _: () = assert!(LENGTH <= super::MIN_FRAME);

const MAY_LEAD: u8 = 2;

/// How much of the state a member holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum SyncState {
    /// No state that may be led from.
    #[default]
    Cold = 1,
    /// Being filled.
    Joining = 2,
    /// A complete recent cut; may lead.
    Hot = 3,
    /// Leads.
    Primary = 4,
}

impl SyncState {
    /// The state with this number, if there is one.
    #[must_use]
    pub const fn from_number(n: u8) -> Option<Self> {
        Some(match n {
            1 => Self::Cold,
            2 => Self::Joining,
            3 => Self::Hot,
            4 => Self::Primary,
            _ => return None,
        })
    }
}

impl core::fmt::Display for SyncState {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Cold => "cold",
            Self::Joining => "joining",
            Self::Hot => "hot",
            Self::Primary => "primary",
        })
    }
}

/// What a member tells the others about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// How much it holds.
    pub state: SyncState,
    /// The cut it holds.
    pub held: Cut,
    /// The newest cycle it heard of.
    pub newest: u64,
    /// Lines of the region that it does not hold as they stand in any cut of this reign.
    pub lacks: u32,
    /// It would lead from what it holds, if nobody else did.
    pub may_lead: bool,
    /// Its layout, with the name for people.
    pub layout: Layout,
    /// The highest sequence that it heard of the primary's transmissions.
    pub seen: u64,
    /// Frames that it lacks.
    pub wants: Wants,
    /// Parts of the region that it lacks.
    pub sweep: SweepWant,
}

impl Status {
    /// How many ranges a frame of `frame_bytes` has room for.
    #[must_use]
    pub const fn ranges(frame_bytes: usize) -> usize {
        (frame_bytes - LENGTH) / wants::RANGE
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Reject> {
        if bytes.len() < LENGTH {
            return Err(Reject::Truncated { got: bytes.len(), said: LENGTH });
        }
        let state = SyncState::from_number(bytes[AT_STATE])
            .ok_or(Reject::Field { field: "state", value: bytes[AT_STATE] as u64 })?;
        let mut name = [0; NAME];
        name.copy_from_slice(&bytes[AT_LAYOUT_NAME..][..NAME]);
        let hash = u64_at(bytes, super::header::AT_LAYOUT);
        Ok(Self {
            state,
            held: Cut { epoch: Epoch(u64_at(bytes, AT_HELD_EPOCH)), cycle: u64_at(bytes, AT_HELD_CYCLE) },
            newest: u64_at(bytes, AT_NEWEST),
            lacks: u32_at(bytes, AT_LACKS),
            may_lead: bytes[AT_FLAGS] & MAY_LEAD != 0,
            layout: Layout::from_parts(hash, u64_at(bytes, AT_LAYOUT_BYTES), name),
            seen: u64_at(bytes, AT_SEEN),
            wants: wants::decode(&bytes[AT_WANTS_LIST..AT_SINCE]),
            sweep: SweepWant::decode(u64_at(bytes, AT_SINCE), &bytes[LENGTH..]),
        })
    }

    /// Writes the frame and gives its length. `frame` has at least [`super::MIN_FRAME`] bytes.
    pub(crate) fn encode(&self, header: &Header, frame: &mut [u8]) -> usize {
        frame[BODY..LENGTH].fill(0);
        frame[AT_STATE] = self.state as u8;
        frame[AT_FLAGS] = u8::from(self.may_lead) * MAY_LEAD;
        put_u32(frame, AT_LACKS, self.lacks);
        put_u64(frame, AT_HELD_EPOCH, self.held.epoch.0);
        put_u64(frame, AT_HELD_CYCLE, self.held.cycle);
        put_u64(frame, AT_NEWEST, self.newest);
        put_u64(frame, AT_LAYOUT_BYTES, self.layout.bytes);
        frame[AT_LAYOUT_NAME..][..NAME].copy_from_slice(self.layout.name_bytes());
        put_u64(frame, AT_SEEN, self.seen);
        wants::encode(&self.wants, &mut frame[AT_WANTS_LIST..AT_SINCE]);
        put_u64(frame, AT_SINCE, self.sweep.since);
        let length = LENGTH + self.sweep.encode(&mut frame[LENGTH..]);
        header.seal(FrameKind::Status, &mut frame[..length]);
        length
    }
}
