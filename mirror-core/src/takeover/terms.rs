//! What a member is told, and what it says.

use super::MAX_MEMBERS;
use crate::standby::{MaxAge, Progress, Took};
use crate::wire::Ids;
use crate::{Cut, Epoch, Layout};

/// What a member is told when it is made. Times in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Group and node; the layout is taken from `layout`.
    pub ids: Ids,
    /// The layout of the state.
    pub layout: Layout,
    /// Members that may lead, best first; unused places 0.
    pub members: [u8; MAX_MEMBERS],
    /// T1.
    pub silence: u64,
    /// T5; at least two `silence`.
    pub patience: u64,
    /// How often a member says what it holds and wants.
    pub status_every: u64,
    /// For how long nothing may come of the newest cycle before its missing frames are asked for, and how long
    /// an answer is waited for.
    pub pause: u64,
    /// For how much a standby may be behind and still lead (S7).
    pub max_age: MaxAge,
    /// Most frames of a cycle that one commit sends; the next ones send the rest.
    pub send_budget: u32,
    /// Whether lines of earlier cycles ride along where there is room.
    pub repeats: bool,
    /// Whether cycles of several frames are followed by their parity.
    pub parity: bool,
    /// The group's period: how often a cycle is due, and a member that is swept says what it still lacks.
    pub period: u64,
    /// Largest frame of the group's links, bytes.
    pub frame_bytes: usize,
    /// An operator's word: begin from nothing, although not all members have told that they hold nothing (T6).
    pub begin_alone: bool,
    /// Most frames that are sent to observers in the time of `sweep_every`.
    pub serve_budget: u32,
    /// As a group's only member, this node serves observers while it leads, which nobody else could.
    pub serve_alone: bool,
    /// A number that no earlier incarnation of this node used (24 bits count).
    pub nonce: u32,
}

impl Settings {
    /// The usual settings of a member that is its group's only one, for cycles of `period`, in frames of `frame_bytes`.
    #[must_use]
    pub fn usual(ids: Ids, layout: Layout, period: u64, frame_bytes: usize) -> Self {
        let silence = 5 * period;
        let mut members = [0; MAX_MEMBERS];
        members[0] = ids.node;
        Self {
            ids,
            layout,
            members,
            silence,
            patience: 20 * silence,
            status_every: 100 * period,
            pause: period / 8,
            max_age: MaxAge { cycles: 2, time: silence },
            send_budget: 1024,
            repeats: true,
            parity: true,
            period,
            frame_bytes,
            begin_alone: false,
            serve_budget: 16,
            serve_alone: false,
            nonce: 0,
        }
    }
}

/// Why a node waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It has just started and listens (T5).
    Starting,
    /// It holds nothing, and waits until every other member has told that it holds nothing either (T6).
    Blank,
    /// It follows and holds no whole recent cut.
    Cold,
    /// It follows and is behind, or being filled.
    Joining {
        /// How far it has come, if it lacks lines.
        progress: Option<Progress>,
    },
    /// It is hot, and no cycle came until the deadline.
    Quiet,
    /// It leads, and its next tick comes after the deadline.
    NotYet,
    /// A member of another layout leads this group.
    ForeignLayout,
    /// The primary is silent, and this node may not lead because it is not hot.
    RefusedCold {
        /// The newest cycle that it heard of.
        newest: u64,
        /// The cut it holds.
        held: Cut,
    },
    /// The primary is silent, and no epoch is left to lead under.
    RefusedNoEpoch,
}

/// What began a reign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nobody led when this node started.
    Start,
    /// The primary fell silent.
    Silence,
}

/// A reign's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takeover {
    /// What began it.
    pub cause: Cause,
    /// The cut it begins from.
    pub cut: Cut,
    /// Its epoch.
    pub epoch: Epoch,
    /// Since when the cut is held, by this node's clock, nanoseconds ago. 0 if there is none.
    pub age: u64,
    /// For how long nothing of a primary was heard, nanoseconds.
    pub silent: u64,
    /// When this was decided, by this node's clock.
    pub at: u64,
}

/// What a frame brought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing visible.
    Nothing,
    /// A new cut is exposed.
    Cut(crate::region::CutInfo),
    /// This node's reign has ended: a newer epoch exists (T3). Uncommitted writes are rolled back.
    Fenced(Epoch),
    /// A member of another layout is in the group.
    Layout(Layout),
}

impl From<Took> for Heard {
    fn from(took: Took) -> Self {
        match took {
            Took::Nothing => Self::Nothing,
            Took::Cut(info) => Self::Cut(info),
        }
    }
}
