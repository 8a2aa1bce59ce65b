//! What one turn of the loop is: lead a cycle, look at a new cut, or wait.

use crate::error::LoopError;
use crate::node::Node;
use bytemuck::Pod;
use mirror_core::primary::Published;
use mirror_core::region::CutInfo;
use mirror_core::{Cut, Token};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

pub use mirror_core::takeover::{Cause, Why};

/// One turn of the loop, as [`Node::begin`] gives it.
///
/// (A standby that rehearses the step comes with the role rules, as a further variant.)
#[derive(Debug)]
#[non_exhaustive]
pub enum Turn<'a, T: Pod> {
    /// This node leads: read the inputs, run the step, commit.
    Lead(Lead<'a, T>),
    /// A new cut was applied.
    Follow(View<'a, T>),
    /// Nothing to do, and why.
    Wait(Why),
}

/// How a reign began, told in its first turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takeover {
    /// What began it.
    pub cause: Cause,
    /// The cut that it stands on.
    pub cut: Cut,
    /// How long ago that cut was committed or applied here, by this host's clock; also before a restart.
    pub age: Duration,
    /// For how long nothing of a primary was heard: the time that detection took, less one cycle.
    pub silent: Duration,
    /// Cycles that nobody ran.
    pub missed: u64,
    /// When the takeover was decided, nanoseconds of this host's `CLOCK_MONOTONIC`.
    pub at: u64,
    pub(crate) token: Token,
    pub(crate) may_act: bool,
}

impl Takeover {
    /// Whether the outputs of the cut may be asserted again.
    #[must_use]
    pub fn may_act(&self) -> bool {
        self.may_act
    }

    /// What those outputs carry: the cut's cycle under the new epoch, so every older output is refused from now on.
    #[must_use]
    pub fn token(&self) -> Token {
        self.token
    }
}

/// What a [`Lead`] is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cycle {
    pub(crate) dt: u64,
    pub(crate) plant: u64,
    pub(crate) missed: u64,
    pub(crate) takeover: Option<Takeover>,
}

/// A cycle in the making: the live memory, as `T`.
///
/// [`commit`](Self::commit) publishes it. Dropped instead, it is rolled back: no trace of it remains, and its control
/// time goes to the next turn. Nothing is sent then: who drops as many turns in a row as the silence has cycles hands the
/// lead away.
pub struct Lead<'a, T: Pod> {
    node: Option<&'a mut Node<T>>,
    cycle: Cycle,
}

impl<T: Pod> fmt::Debug for Lead<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lead").field("cycle", &self.cycle).finish_non_exhaustive()
    }
}

impl<'a, T: Pod> Lead<'a, T> {
    pub(crate) fn new(node: &'a mut Node<T>, cycle: Cycle) -> Self {
        Self { node: Some(node), cycle }
    }

    fn node(&self) -> &Node<T> {
        self.node.as_deref().expect("only commit takes the node away, and it consumes the lead")
    }

    fn node_mut(&mut self) -> &mut Node<T> {
        self.node.as_deref_mut().expect("only commit takes the node away, and it consumes the lead")
    }

    /// Control time since the last cycle: a multiple of the period, more than one when cycles were missed.
    #[must_use]
    pub fn dt(&self) -> Duration {
        Duration::from_nanos(self.cycle.dt)
    }

    /// Control time of this cycle since the group's first: it never goes back, across takeovers too.
    #[must_use]
    pub fn time(&self) -> Duration {
        Duration::from_nanos(self.cycle.plant)
    }

    /// Cycles missed before this one.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.cycle.missed
    }

    /// Told in the first turn of a reign that stands on a cut, and only there.
    #[must_use]
    pub fn takeover(&self) -> Option<&Takeover> {
        self.cycle.takeover.as_ref()
    }

    /// Nothing was ever committed: the state is all zero and wants its initial values.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.node().cut() == Cut::NONE
    }

    /// The cut that this cycle starts from.
    #[must_use]
    pub fn cut(&self) -> Cut {
        self.node().cut()
    }

    /// Writes `bytes` at offset `at` of the state, and marks them.
    ///
    /// # Panics
    /// If the range does not lie in the state.
    #[inline]
    pub fn write(&mut self, at: usize, bytes: &[u8]) {
        let node = self.node_mut();
        node.region.live_mut()[at..at + bytes.len()].copy_from_slice(bytes);
        node.tracker.mark(at, bytes.len());
    }

    /// Says that `bytes` bytes from offset `at` on were written. Only `track = marked` needs it; what lies outside the
    /// state is ignored.
    #[inline]
    pub fn mark(&mut self, at: usize, bytes: usize) {
        self.node_mut().tracker.mark(at, bytes);
    }

    /// Publishes the cycle: what changed is sealed as the next cut, sent, and moved into the image.
    ///
    /// A cycle of more frames than `cycle.send_frames`, or than the link takes, leaves with this commit and the next ones.
    /// Until it has left, those make no cut of their own ([`Receipt::is_open`]): what they wrote belongs to the cut that comes
    /// next. To drop a lead then undoes all since the last cut.
    ///
    /// # Errors
    /// None at present; a reign that ended while the step ran will be told here. The cycle is then rolled back.
    pub fn commit(mut self) -> Result<Receipt<'a, T>, LoopError> {
        let node = self.node.take().expect("a lead is committed once");
        let (published, may_act) = node.publish(&self.cycle);
        Ok(Receipt { node, published, may_act })
    }
}

impl<T: Pod> Deref for Lead<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        self.node().live()
    }
}

impl<T: Pod> DerefMut for Lead<'_, T> {
    /// The live memory, for writing. With `track = marked` nothing written this way is published unless it is
    /// [marked](Lead::mark).
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.node_mut().live_mut()
    }
}

impl<T: Pod> Drop for Lead<'_, T> {
    fn drop(&mut self) {
        if let Some(node) = self.node.take() {
            node.abandon(&self.cycle);
        }
    }
}

/// A committed cycle. Reads as the state that was committed (or is still [open](Self::is_open); and, with `track = marked`, as what was written unmarked).
pub struct Receipt<'a, T: Pod> {
    node: &'a Node<T>,
    published: Published,
    may_act: bool,
}

impl<T: Pod> fmt::Debug for Receipt<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt")
            .field("published", &self.published)
            .field("may_act", &self.may_act)
            .finish_non_exhaustive()
    }
}

impl<T: Pod> Receipt<'_, T> {
    /// Whether its outputs may act. No, if this node was silent for so long that another may have taken over.
    #[must_use]
    pub fn may_act(&self) -> bool {
        self.may_act
    }

    /// What its outputs carry, for the Gate.
    #[must_use]
    pub fn token(&self) -> Token {
        Token(self.published.cut)
    }

    /// The cut it made; if it made none, the last.
    #[must_use]
    pub fn cut(&self) -> Cut {
        self.published.cut
    }

    /// No cut was made: the cycle before is still leaving, and what this one wrote belongs to the next cut.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.published.open
    }

    /// Lines that changed, frames sent, frames that have not left yet.
    #[must_use]
    pub fn published(&self) -> &Published {
        &self.published
    }
}

impl<T: Pod> Deref for Receipt<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.node.live()
    }
}

/// A cut that was applied, read only. Reads as the state.
pub struct View<'a, T: Pod> {
    state: &'a T,
    info: CutInfo,
}

impl<T: Pod> fmt::Debug for View<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("info", &self.info).finish_non_exhaustive()
    }
}

impl<'a, T: Pod> View<'a, T> {
    pub(crate) fn new(state: &'a T, info: CutInfo) -> Self {
        Self { state, info }
    }

    /// The cut.
    #[must_use]
    pub fn cut(&self) -> Cut {
        self.info.cut
    }

    /// Its control time.
    #[must_use]
    pub fn time(&self) -> Duration {
        Duration::from_nanos(self.info.plant)
    }

    /// When it was applied, nanoseconds of this host's `CLOCK_MONOTONIC`.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.info.at
    }
}

impl<T: Pod> Deref for View<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.state
    }
}
