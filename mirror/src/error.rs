//! Errors: one small enum per operation.

use crate::config::BadValue;
use crate::segment::{Place, SegmentError};
use mirror_core::Layout;
use mirror_core::region::{AttachError, SizeError};

/// Why a node could not be opened. Nothing is left behind but, perhaps, new and empty named memory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A setting is out of its range.
    #[error("setting {0}")]
    Setting(#[from] BadValue),
    /// The state cannot be a region.
    #[error(transparent)]
    Size(#[from] SizeError),
    /// The state's type wants a coarser alignment than a region has.
    #[error("the state's type is aligned to {align} bytes, a region to {page}: lower its alignment")]
    Alignment {
        /// Of the type.
        align: usize,
        /// Of a region.
        page: usize,
    },
    /// The memory cannot be had.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The memory cannot be taken as this node's region.
    #[error("{place}: {source}")]
    Region {
        /// Which memory.
        place: Place,
        /// Why.
        source: AttachError,
    },
    /// The link cannot be opened.
    #[error(transparent)]
    Link(#[from] mirror_transport::udp::OpenError),
    /// Of two networks one cannot be opened.
    #[error("the {network} network ([{table}]): {source}")]
    Network {
        /// Which: first or second.
        network: &'static str,
        /// Where it is configured.
        table: &'static str,
        /// Why.
        source: mirror_transport::udp::OpenError,
    },
    /// Two links are not one.
    #[error(transparent)]
    Twin(#[from] mirror_transport::twin::UnequalFrames),
    /// A link carries less than a frame needs, or more than a frame can say.
    #[error("the link carries frames of {got} bytes: open it with {least} to {most}")]
    Frame {
        /// Bytes that the link carries.
        got: usize,
        /// The least.
        least: usize,
        /// The most: the length field has 16 bits.
        most: usize,
    },
    /// The kernel gave no random number.
    #[error("no random number for this incarnation: {0}")]
    Random(std::io::Error),
}

/// Why the loop cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoopError {
    /// A member whose state has another layout is in the group.
    #[error(
        "layouts differ: this node has {ours}, a member of its group has {theirs}. Run the same program on all members, or give one of them another group"
    )]
    Layout {
        /// This node's layout.
        ours: Layout,
        /// The other's.
        theirs: Layout,
    },
}
