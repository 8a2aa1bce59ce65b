//! Wire format v1, byte-exact and little-endian. PROTOCOL.md draws it; this module is its only implementation.
//!
//! Contract: decoding is total. Any bytes at all give a [`Frame`] or a [`Reject`] that names the cause; nothing
//! panics, nothing is applied by halves: every run of a data frame is checked before the first line is handed out.

mod glance;
mod header;
mod moment;
mod runs;
mod status;
mod sweep;
mod wants;
mod wish;

pub use glance::{Glance, is_sound};
pub use header::{Frame, FrameKind, Header, Ids, MAX_FRAME, MIN_FRAME, Sender, VERSION, own_node_offset};
pub(crate) use runs::{Cursor, CycleWriter};
pub use runs::{
    DataHeader, Runs, RunsIter, Slice, Source, body_bytes, frames_needed, lines_per_frame, most_frames,
    scattered_lines,
};
pub use status::{Status, SyncState};
pub(crate) use sweep::SweepWriter;
pub use sweep::{MOST_LINES, SweepHeader};
pub use wants::{MAX_RANGES, MAX_WANTS, SweepWant, Want, Wants};
pub use wish::Wish;

/// Why a frame was not taken. One counter stands for each cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reject {
    /// Shorter than the smallest header, or its length field differs from the bytes that arrived.
    #[error("{got} bytes arrived where the frame says {said}: cut short, or not a frame of this protocol")]
    Truncated {
        /// Bytes that arrived.
        got: usize,
        /// Bytes that the frame says it has, or the least it must have.
        said: usize,
    },
    /// Does not begin with `MIRR`.
    #[error("not a frame of this protocol: it begins with {0:08x}")]
    Foreign(u32),
    /// Another version of the wire format.
    #[error(
        "wire format version {0}, this program speaks version {VERSION}: run the same release on all members"
    )]
    Version(u8),
    /// The checksum differs: bits were flipped on the way.
    #[error("checksum mismatch: the frame was damaged on the way")]
    Damaged,
    /// Sealed with a key that this member does not have.
    #[error("sealed with key {0}, which this member does not have")]
    Key(u32),
    /// A kind of frame that this version does not define.
    #[error("frame kind {0} is not defined in version {VERSION}")]
    Kind(u8),
    /// Frame of another group.
    #[error("frame of another group ({0:016x})")]
    Group(u64),
    /// State of another layout.
    #[error("state of another layout (hash {0:016x})")]
    Layout(u64),
    /// A field holds a value that no correct member sends.
    #[error("impossible value {value} in field `{field}`")]
    Field {
        /// Name of the field, as in PROTOCOL.md.
        field: &'static str,
        /// What it holds.
        value: u64,
    },
}

#[inline]
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

#[inline]
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[inline]
fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

#[inline]
fn put_u64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

#[cfg(test)]
mod tests;
