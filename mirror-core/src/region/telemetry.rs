//! Counters and the event log, in the mapping: tools read them at no cost to the loop, also after its death.

use super::Region;
use super::map::PAGE;
use crate::Cut;
use crate::wire::Reject;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU64, fence};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What is counted. The order is part of the mapping: new ones are added at the end.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Counter { $($(#[$doc])* $name,)* }

        impl Counter {
            /// All of them, in the order of the mapping.
            pub const ALL: &'static [Counter] = &[$(Counter::$name,)*];

            /// Name for people and for metrics, in snake case.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Counter::$name => $text,)* }
            }
        }
    };
}

counters! {
    /// Cycles committed as primary.
    Commits = "commits",
    /// Cuts applied as standby.
    Cuts = "cuts",
    /// Lines sent, each time they were sent.
    LinesSent = "lines_sent",
    /// Lines applied.
    LinesApplied = "lines_applied",
    /// Frames sent.
    FramesSent = "frames_sent",
    /// Frames that the link would not take.
    FramesRefused = "frames_refused",
    /// Frames heard, of any kind, good or bad.
    FramesHeard = "frames_heard",
    /// Frames too short, or of another length than they say.
    RejectTruncated = "reject_truncated",
    /// Frames of another protocol.
    RejectForeign = "reject_foreign",
    /// Frames of another version.
    RejectVersion = "reject_version",
    /// Frames damaged on the way.
    RejectDamaged = "reject_damaged",
    /// Frames sealed with an unknown key.
    RejectKey = "reject_key",
    /// Frames of an unknown kind.
    RejectKind = "reject_kind",
    /// Frames of another group.
    RejectGroup = "reject_group",
    /// Frames of another layout.
    RejectLayout = "reject_layout",
    /// Frames with a value that no correct member sends.
    RejectField = "reject_field",
    /// Frames of an older epoch.
    StaleEpoch = "stale_epoch",
    /// Frames of this node's own id that it did not send in this reign.
    SameNode = "same_node",
    /// This node's own frames, heard back.
    Own = "own",
    /// Frames of a cycle that is already held, or heard twice.
    Late = "late",
    /// Frames that do not fit the cycle that they say they belong to.
    Unfit = "unfit",
    /// Times that a cycle could be healed no more and the standby began to be swept.
    Gaps = "gaps",
    /// Takeovers.
    Takeovers = "takeovers",
    /// Takeovers refused, because this standby did not hold a whole recent cut.
    Refusals = "refusals",
    /// Times that a newer epoch ended this node's reign.
    Fenced = "fenced",
    /// Cycles given up (dropped or rolled back).
    Abandoned = "abandoned",
    /// Times that this node found itself stalled and accused nobody.
    Stalls = "stalls",
    /// Ticks of the pacer that were missed.
    TicksMissed = "ticks_missed",
    /// Frames that the kernel dropped because the receive buffer was full.
    KernelDrops = "kernel_drops",
    /// Frames sent again because a standby lacked them.
    FramesRepaired = "frames_repaired",
    /// Statuses that asked for frames.
    Asked = "asked",
    /// Data frames whose lines were taken.
    DataTaken = "data_taken",
    /// Status frames of members.
    StatusTaken = "status_taken",
    /// Sweep frames that filled lines.
    SweepTaken = "sweep_taken",
    /// Sweep frames sent.
    FramesSwept = "frames_swept",
    /// Parity frames that made a lost frame good.
    ParityTaken = "parity_taken",
    /// Parity frames of which nothing was needed, or not enough was had.
    ParitySpare = "parity_spare",
    /// Parity frames sent.
    ParitySent = "parity_sent",
    /// Lines of earlier cycles that rode along.
    LinesRepeated = "lines_repeated",
    /// Commits that made no cut, because the cycle before had not left yet.
    OpenCycles = "open_cycles",
    /// Of two networks: frames that the other had brought already, and that were dropped.
    SecondCopies = "second_copies",
    /// Of two networks, the first: frames of members that it brought.
    FirstNetworkReceived = "first_network_received",
    /// Frames that it did not bring, see [`Counter::SecondNetworkMissing`].
    FirstNetworkMissing = "first_network_missing",
    /// Frames that it would not take.
    FirstNetworkRefused = "first_network_refused",
    /// Of two networks, the second: frames of members that it brought.
    SecondNetworkReceived = "second_network_received",
    /// Frames that it did not bring, by the numbers of their senders.
    SecondNetworkMissing = "second_network_missing",
    /// Frames that it would not take.
    SecondNetworkRefused = "second_network_refused",
    /// Slices of the region that were compared with the primary's.
    SlicesCompared = "slices_compared",
    /// Times that lines were found to differ from the primary's although nothing told of a loss.
    DifferencesFound = "differences_found",
    /// Times that a whole cut was exposed after that.
    DifferencesRepaired = "differences_repaired",
    /// No count: every line was compared, and equal, as of this cycle of the reign or later; 0: not yet, or this node leads.
    /// The cycle of the cut held, less this, is the age of the proof.
    ProvenCycle = "proven_cycle",
    /// Frames of the observers' channel heard on the members' one, or the other way round.
    Misplaced = "misplaced",
    /// Frames taken off the observers' channel by a member.
    WishesHeard = "wishes_heard",
    /// Wishes of observers that were noted.
    WishesTaken = "wishes_taken",
    /// Frames on the observers' channel that are no wish, or one of another group, layout or reign.
    WishesRefused = "wishes_refused",
    /// Frames sent to observers.
    FramesServed = "frames_served",
}

impl Counter {
    /// What can become of a frame, in this order: rejected, else refused, else taken. Every frame heard is counted under
    /// exactly one of these.
    pub const OUTCOMES: &'static [Counter] = &[
        Counter::RejectTruncated,
        Counter::RejectForeign,
        Counter::RejectVersion,
        Counter::RejectDamaged,
        Counter::RejectKey,
        Counter::RejectKind,
        Counter::RejectGroup,
        Counter::RejectLayout,
        Counter::RejectField,
        Counter::StaleEpoch,
        Counter::SameNode,
        Counter::Own,
        Counter::Late,
        Counter::Unfit,
        Counter::ParitySpare,
        Counter::Misplaced,
        Counter::DataTaken,
        Counter::StatusTaken,
        Counter::SweepTaken,
        Counter::ParityTaken,
    ];

    /// Of [`OUTCOMES`](Self::OUTCOMES), those of frames that are no member's, or damaged: one for each [`Reject`].
    pub const REJECTS: &'static [Counter] = Self::OUTCOMES.split_at(9).0;

    /// Of [`OUTCOMES`](Self::OUTCOMES), those of frames that have no effect.
    pub const REFUSED: &'static [Counter] = Self::OUTCOMES.split_at(Self::OUTCOMES.len() - 4).0;
}

const _: () = assert!(Counter::ALL.len() <= PAGE / 8);

impl Reject {
    /// The counter of this cause.
    #[must_use]
    pub const fn counter(&self) -> Counter {
        match self {
            Reject::Truncated { .. } => Counter::RejectTruncated,
            Reject::Foreign(_) => Counter::RejectForeign,
            Reject::Version(_) => Counter::RejectVersion,
            Reject::Damaged => Counter::RejectDamaged,
            Reject::Key(_) => Counter::RejectKey,
            Reject::Kind(_) => Counter::RejectKind,
            Reject::Group(_) => Counter::RejectGroup,
            Reject::Layout(_) => Counter::RejectLayout,
            Reject::Field { .. } => Counter::RejectField,
        }
    }
}

/// What the event log tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
#[non_exhaustive]
pub enum EventKind {
    /// The node opened its region; `a`: 0 new, 1 a cut was found, 2 a cut was found and its move redone.
    Opened = 1,
    /// A complete cut is held; `a`: cycles that took.
    Hot = 2,
    /// This member is behind, or lacks lines, and may not lead; `a`: the newest cycle heard.
    Behind = 3,
    /// This node leads; `a`: age of the cut in nanoseconds.
    Led = 4,
    /// A newer epoch ended this node's reign; `a`: that epoch.
    Fenced = 5,
    /// The primary is silent and this node may not lead; `a`: the newest cycle heard.
    Refused = 6,
    /// This node was itself stalled; `a`: nanoseconds.
    Stalled = 7,
    /// A member of another layout was heard; `a`: its hash.
    ForeignLayout = 8,
    /// The node closed its region.
    Closed = 9,
    /// Of two networks one brings nothing any more while the other does; `a`: which, 1 or 2.
    NetworkSilent = 10,
    /// It brings frames again; `a`: which, 1 or 2.
    NetworkBack = 11,
    /// Lines differ from the primary's although nothing told of a loss; `a`: the first line, and how many in the upper 32 bits.
    Difference = 12,
}

/// One entry of the event log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Nanoseconds of the host's monotonic clock.
    pub at: u64,
    /// What, as a number: [`EventKind`], or one that this version does not know.
    pub kind: u64,
    /// The cut held then.
    pub cut: Cut,
    /// As [`EventKind`] says.
    pub a: u64,
}

/// Words of one event: its number, then the fields.
const EVENT_WORDS: usize = 8;

/// The newest events of a region, oldest first.
#[derive(Debug)]
pub struct Events<'a> {
    ring: &'a [AtomicU64],
    next: u64,
    end: u64,
}

impl<'a> Events<'a> {
    /// Words of the ring: four pages.
    pub(super) const WORDS: usize = 4 * PAGE / 8;
    /// How many events are kept.
    pub const KEPT: u64 = (Self::WORDS / EVENT_WORDS) as u64;

    pub(super) fn new(ring: &'a [AtomicU64], written: u64) -> Self {
        Self { ring, next: written.saturating_sub(Self::KEPT), end: written }
    }
}

impl Iterator for Events<'_> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        while self.next < self.end {
            self.next += 1;
            let at = ((self.next - 1) % Self::KEPT) as usize * EVENT_WORDS;
            let words: [u64; EVENT_WORDS] = core::array::from_fn(|i| self.ring[at + i].load(Relaxed));
            fence(Acquire);
            // An entry that is being overwritten says another number, before or after.
            if words[0] == self.next && self.ring[at].load(Relaxed) == self.next {
                let cut = Cut { epoch: crate::Epoch(words[3]), cycle: words[4] };
                return Some(Event { at: words[1], kind: words[2], cut, a: words[5] });
            }
        }
        None
    }
}

pub(super) fn counter_word(words: &[AtomicU64], counter: Counter) -> &AtomicU64 {
    &words[counter as usize]
}

impl Region {
    /// Adds `n` to a counter.
    #[inline]
    pub fn count(&self, counter: Counter, n: u64) {
        let word = counter_word(self.shared(self.map.telemetry, PAGE / 8), counter);
        word.store(word.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// Sets a counter that something else keeps.
    pub fn set_counter(&self, counter: Counter, value: u64) {
        counter_word(self.shared(self.map.telemetry, PAGE / 8), counter).store(value, Relaxed);
    }

    /// Value of a counter.
    #[must_use]
    pub fn counter(&self, counter: Counter) -> u64 {
        counter_word(self.shared(self.map.telemetry, PAGE / 8), counter).load(Relaxed)
    }

    /// Appends to the event log, with the cut held now; the oldest entry goes.
    pub fn event(&self, at: u64, kind: EventKind, a: u64) {
        let header = self.header();
        let number = header.events_written.load(Relaxed) + 1;
        let ring = self.shared(self.map.telemetry + PAGE, Events::WORDS);
        let entry = &ring[((number - 1) % Events::KEPT) as usize * EVENT_WORDS..][..EVENT_WORDS];
        let cut = self.cut();
        entry[0].store(0, Relaxed);
        fence(Release);
        for (word, value) in entry[1..].iter().zip([at, kind as u64, cut.epoch.0, cut.cycle, a]) {
            word.store(value, Relaxed);
        }
        entry[0].store(number, Release);
        header.events_written.store(number, Release);
    }

    /// The event log, newest last.
    #[must_use]
    pub fn events(&self) -> Events<'_> {
        let ring = self.shared(self.map.telemetry + PAGE, Events::WORDS);
        Events::new(ring, self.header().events_written.load(Relaxed))
    }
}
