//! Bugs planted on purpose, to test the tests: each must be caught by the simulated cluster.
//!
//! Contract: none of them exists in a plain build, where `is` is constantly false. Under `--cfg planted` (what
//! `cargo xtask soak --planted` builds with) `set` switches one on for the whole process. A bug is one condition at the
//! place that it spoils.

macro_rules! bugs {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What can be planted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Bug { $($(#[$doc])* $name,)* }

        impl Bug {
            /// All of them.
            pub const ALL: &'static [Bug] = &[$(Bug::$name,)*];
        }
    };
}

bugs! {
    /// S2: whoever is hot stays hot under a new reign, whatever it holds.
    BaseIgnored,
    /// S2: what was staged of the old reign's cycle is completed with frames of the new one's.
    StagedKept,
    /// S3: a cycle older than the cut held is taken again.
    OldCycleTaken,
    /// S3: a frame heard twice counts twice.
    DuplicateCounted,
    /// S4: who holds cycle k takes cycle k + 2.
    CycleSkipped,
    /// S4: the newest cycle heard of is not noted.
    NewestForgotten,
    /// S6: exposed although one frame is missing.
    FrameMissing,
    /// The frames had of the last cycle count for the next.
    GotKept,
    /// S1: frames of an older epoch are taken.
    StaleTaken,
    /// T1: a cold standby leads.
    ColdLeads,
    /// T2: a successor leads under the epoch that it knows.
    EpochReused,
    /// T3: who hears of a newer epoch goes on leading.
    FenceIgnored,
    /// T4: a standby that was itself stalled accuses the primary.
    StallIgnored,
    /// T4: a primary that was stalled acts on.
    DoubtForgotten,
    /// A standby that lacks the state does not ask for it.
    NeverAsks,
    /// Frames of other groups are taken.
    GroupIgnored,
    /// Frames of other layouts are taken.
    LayoutIgnored,
    /// The checksum is not compared.
    DamageIgnored,
    /// A frame without effect is not counted.
    LateUncounted,
    /// The record's length is stored after the seal.
    LengthAfterSeal,
    /// The lines moved are not stamped.
    StampsSkipped,
    /// A standby's live memory does not get the lines.
    LiveForgotten,
    /// Uncommitted writes stay in the live memory.
    NotRolledBack,
    /// A sealed record found in the memory is not moved.
    NotRedone,
    /// A reader takes stamps of two reigns for one count.
    ReaderAcrossReigns,
    /// The first marked line of 64 is forgotten.
    MarkForgotten,
    /// What is asked of one cycle is answered with what its record holds now.
    OtherCycleSent,
    /// What is sent, and sent again, has no bound.
    BudgetIgnored,
    /// S2: what was staged of the old reign is kept as the new one's.
    StagingKept,
    /// S2: an old primary is refilled by the leader's stamps alone, not by its own.
    OwnStampsIgnored,
    /// S4: what was filled counts as right as of the cycle it goes on from, although cycles are missing between.
    HoleForgotten,
    /// S5: exposed although a part is as of a later cycle.
    SweepTop,
    /// S5: a chunk as of a cycle before the first one followed is taken.
    SweepStart,
    /// S5: a late chunk overwrites what is newer.
    SweepOverwrites,
    /// S5: a chunk is taken for unchanged since earlier than it says.
    SinceIgnored,
    /// S5: cycles are followed from the newest chunk on, not from the oldest.
    TrackFromHigh,
    /// S2: what is held of another reign is taken as right by the number of its cycle alone.
    EpochsMixed,
    /// S8: a parity that is not needed makes a frame good all the same.
    ParityTwice,
    /// A cycle says that it has the changes of one more cycle than it has.
    RidesShort,
    /// A line that rides along is the one before it.
    RidesBeside,
    /// The cycles in the stamps wrap after 256.
    StampsWrap,
    /// Of a cycle that leaves in portions, every portion begins one frame late.
    PortionSkips,
    /// The digest of a cycle is not compared.
    DigestSkipped,
    /// A slice counts as compared, and is not.
    SliceSkipped,
    /// O1: an observer follows an older reign than it followed before.
    OlderReignFollowed,
    /// O2: what an observer gives up counts as held up to where it goes on.
    GivenUpForgotten,
    /// A standby sends observers less than has changed since they knew.
    ServesTooLittle,
    /// Nobody serves observers.
    NobodyServes,
}

#[cfg(planted)]
static PLANTED: core::sync::atomic::AtomicU8 = core::sync::atomic::AtomicU8::new(u8::MAX);

/// Plants `bug` in this process, and no other.
#[cfg(planted)]
pub fn set(bug: Option<Bug>) {
    PLANTED.store(bug.map_or(u8::MAX, |bug| bug as u8), core::sync::atomic::Ordering::Relaxed);
}

/// Whether `bug` is planted.
#[cfg(planted)]
#[inline]
pub(crate) fn is(bug: Bug) -> bool {
    PLANTED.load(core::sync::atomic::Ordering::Relaxed) == bug as u8
}

/// Whether `bug` is planted: never, in a plain build.
#[cfg(not(planted))]
#[inline(always)]
pub(crate) const fn is(_bug: Bug) -> bool {
    false
}
