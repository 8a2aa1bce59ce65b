//! The region: live memory, its committed image, and what a crash needs.
//!
//! # Contract
//! One process owns a region and is its only writer. Whatever instruction that process dies at, [`Region::attach`]
//! gives the last committed cut, never a mixture. Other processes read the image at any time with [`Reader`], without
//! a lock and without the owner's knowledge.
//!
//! # How a commit survives `kill -9` at any instruction
//! Every commit has a generation `g`, one more than the last. Its lines are first written to the *record*, then
//!
//! ```text
//! cuts[g % 2] = the new cut; record's length  the old cut still stands in cuts[(g - 1) % 2]
//! open = g                      (release)     from here on the commit has happened: SEALED
//! fence                         (release)
//! image, stamps  <-  record     (relaxed words)
//! done = g                      (release)     the record may be used again
//! fence                         (release)
//! ```
//!
//! A successor that attaches finds one of two things. `open == done`: the image is cut `cuts[done % 2]`, whole, whatever
//! the record holds. `open == done + 1`: the record is whole, because it was stored before `open`; moving it
//! again gives the same image however far the first move came. (A standby that was filled line by line seals its whole live
//! memory in the place of a record: nothing writes there before `done`.) In both cases the live memory is then replaced by the image: a
//! half-run step leaves no trace. Anything else was not written by this code and is refused.
//! A process that dies loses no store it has executed, so program order is all that this needs; the release stores and
//! fences keep the compiler to it, and let readers on other cores see the same order.
//!
//! (The generation counts commits of this mapping; it is not the cycle, because a member that is refilled after a
//! divergence may go to a lower cycle of a later epoch, and the seal must still only ever go up.)
//!
//! # Threads
//! [`Region`] is `Send`, not shared: the loop's thread owns it. No call allocates or blocks.

mod attach;
mod header;
mod map;
mod reader;
mod record;
mod store;
mod telemetry;
#[cfg(test)]
pub(crate) mod tests;

pub use attach::{AttachError, Found, Identity};
pub use header::{CutInfo, Phase};
pub use map::{MAX_RECORDS, Map, PAGE, SizeError};
pub use reader::{ReadError, Reader};
pub use record::Recorder;
pub use telemetry::{Counter, Event, EventKind, Events};

use crate::line::{LINE, Run};
use crate::planted::{self, Bug};
use crate::wire::{Source, SyncState};
use crate::{Cut, Epoch, Tracker};
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{Relaxed, Release};
use core::sync::atomic::{AtomicU64, fence};
use header::Header;
use record::Fill;

/// The record of a cycle, and where its lines go.
struct Move<'a> {
    runs: &'a [Run],
    packed: &'a [u8],
    image: &'a [AtomicU64],
    stamps: &'a [AtomicU64],
    live: &'a mut [u8],
}

/// In the place of a record's length: what was sealed is the whole live memory.
const WHOLE: u64 = u64::MAX;

/// A region that this process owns.
#[derive(Debug)]
pub struct Region {
    base: NonNull<u8>,
    map: Map,
    /// How far each record is filled. Of a sealed one the mapping knows as well.
    fills: [Fill; MAX_RECORDS],
}

// SAFETY: the mapping is reached through this value alone in this process (the contract of `attach`), and nothing in
// it is tied to a thread.
unsafe impl Send for Region {}

impl Region {
    /// Offsets and sizes.
    #[must_use]
    pub fn map(&self) -> &Map {
        &self.map
    }

    fn header(&self) -> &Header {
        // SAFETY: `attach` checked size and alignment; the page holds atomics only, for which any bytes are valid and
        // which other processes may write or read at the same time.
        unsafe { self.base.cast::<Header>().as_ref() }
    }

    fn part(&self, at: usize, bytes: usize) -> &[u8] {
        debug_assert!(at + bytes <= self.map.total);
        // SAFETY: the range lies in the mapping (asserted by the map's construction). Only this value writes these
        // parts, through `&mut self`; other processes only read.
        unsafe { core::slice::from_raw_parts(self.base.add(at).as_ptr(), bytes) }
    }

    fn part_mut(&mut self, at: usize, bytes: usize) -> &mut [u8] {
        debug_assert!(at + bytes <= self.map.total);
        // SAFETY: as in `part`, and `&mut self` excludes every other reference of this process. Other processes read none of
        // the parts that are written through this (live, record): they read the image and the stamps, which are
        // written through `shared_words`.
        unsafe { core::slice::from_raw_parts_mut(self.base.add(at).as_ptr(), bytes) }
    }

    /// The memory that the step works on: the state, its tail filled up with zeros to whole lines.
    #[must_use]
    pub fn live(&self) -> &[u8] {
        self.part(self.map.live, self.map.bytes())
    }

    /// The caller's state in the live memory, for writing.
    pub fn live_mut(&mut self) -> &mut [u8] {
        self.part_mut(self.map.live, self.map.state_bytes)
    }

    /// The last committed copy.
    #[must_use]
    pub fn image(&self) -> &[u8] {
        self.part(self.map.image, self.map.bytes())
    }

    /// In which cycle line `line` last changed, or a later one; 0: never. Cycles of different epochs compare by the lineage only.
    #[must_use]
    pub fn stamp(&self, line: usize) -> u64 {
        assert!(line < self.map.lines, "line {line} of {}", self.map.lines);
        self.shared(self.map.stamps + line * 8, 1)[0].load(Relaxed)
    }

    fn shared(&self, at: usize, words: usize) -> &[AtomicU64] {
        debug_assert!(at.is_multiple_of(8) && at + words * 8 <= self.map.total);
        // SAFETY: inside the mapping and 8-aligned (parts begin on pages, lines are 64 bytes); atomics may be shared
        // with other processes, and this process makes no `&mut` to image or stamps.
        unsafe { core::slice::from_raw_parts(self.base.add(at).as_ptr().cast::<AtomicU64>(), words) }
    }

    /// The last committed cut and what belongs to it.
    #[must_use]
    pub fn committed(&self) -> CutInfo {
        let header = self.header();
        header.cuts[(header.done.0.load(Relaxed) % 2) as usize].load()
    }

    /// The last committed cut.
    #[must_use]
    pub fn cut(&self) -> Cut {
        self.committed().cut
    }

    /// Begins the record of `cycle` anew and lends it. What that place held before is gone.
    pub fn record(&mut self, cycle: u64) -> Recorder<'_> {
        self.fills[self.map.record_of(cycle)] = Fill::default();
        self.extend_record(cycle)
    }

    /// Lends the record of `cycle`, begun by [`record`](Self::record), for more lines.
    pub fn extend_record(&mut self, cycle: u64) -> Recorder<'_> {
        let (recorder, ..) = self.split(cycle);
        recorder
    }

    /// The record together with live memory and image, which do not overlap it.
    fn split(&mut self, cycle: u64) -> (Recorder<'_>, &[u8], &[u8]) {
        let at = self.map.record_of(cycle);
        let (runs, packed) = (self.map.runs(at), self.map.packed(at));
        let Map { live, image, lines, .. } = self.map;
        let base = self.base;
        // SAFETY: four disjoint ranges inside the mapping (`Map` keeps them apart), aligned to pages; `Run` and `u8` are
        // valid for any bytes; `&mut self` excludes every other reference of this process, and other processes never
        // write and never read live or record.
        let (runs, packed, live, image) = unsafe {
            (
                core::slice::from_raw_parts_mut(base.add(runs).as_ptr().cast::<Run>(), lines),
                core::slice::from_raw_parts_mut(base.add(packed).as_ptr(), lines * LINE),
                core::slice::from_raw_parts(base.add(live).as_ptr(), lines * LINE),
                core::slice::from_raw_parts(base.add(image).as_ptr(), lines * LINE),
            )
        };
        (Recorder { runs, packed, fill: &mut self.fills[at] }, live, image)
    }

    /// Takes what changed in the live memory into the record of `cycle`, begun anew. Gives the number of lines.
    pub fn capture<T: Tracker + ?Sized>(&mut self, tracker: &mut T, cycle: u64) -> usize {
        self.fills[self.map.record_of(cycle)] = Fill::default();
        let (mut record, live, image) = self.split(cycle);
        tracker.capture(live, image, &mut record);
        record.lines()
    }

    /// Adds lines to the record of `cycle`, as they stand in the image: `extra`, ascending, none of which the record has, at most
    /// 64 lines with those it has. The record is in ascending order before and after. Gives a bit for each of its lines: it
    /// had it before.
    pub(crate) fn widen(&mut self, cycle: u64, extra: &[u32]) -> u64 {
        let (mut record, _, image) = self.split(cycle);
        record.merge(extra, image)
    }

    /// What the record of `cycle` holds, to be sent. The caller knows that it is that cycle's.
    #[must_use]
    pub fn recorded(&self, cycle: u64) -> Source<'_> {
        let at = self.map.record_of(cycle);
        let fill = self.fills[at];
        let runs = bytemuck::cast_slice(self.part(self.map.runs(at), fill.runs * size_of::<Run>()));
        Source { runs, packed: self.part(self.map.packed(at), fill.lines * LINE) }
    }

    /// Puts one line into the live memory, which then is no cut's until all of it is sealed
    /// ([`seal_live`](Self::seal_live)) or undone ([`roll_back`](Self::roll_back)).
    pub(crate) fn stage(&mut self, line: usize, bytes: &[u8]) {
        store::private(self.part_mut(self.map.live + line * LINE, LINE), bytes);
    }

    /// As [`stage`](Self::stage), with the `at`-th line of the record of `cycle`.
    pub(crate) fn stage_recorded(&mut self, cycle: u64, at: usize, line: usize) {
        let (Recorder { packed, .. }, ..) = self.split(cycle);
        let mut bytes = [0; LINE];
        bytes.copy_from_slice(&packed[at * LINE..][..LINE]);
        self.stage(line, &bytes);
    }

    /// Seals the whole live memory as cut `info.cut`: what [`settle`](Self::settle) then moves is all of it.
    pub fn seal_live(&mut self, info: &CutInfo) {
        self.seal_as(info, [WHOLE, WHOLE]);
    }

    /// Seals the record of cycle `info.cut.cycle` as cut `info.cut`: the commit has happened. [`settle`](Self::settle) must follow before
    /// anything else is recorded.
    pub fn seal(&mut self, info: &CutInfo) {
        let fill = self.fills[self.map.record_of(info.cut.cycle)];
        let fill = if planted::is(Bug::LengthAfterSeal) { Fill::default() } else { fill };
        self.seal_as(info, [fill.runs as u64, fill.lines as u64]);
    }

    fn seal_as(&mut self, info: &CutInfo, record: [u64; 2]) {
        let header = self.header();
        let next = header.open.0.load(Relaxed).wrapping_add(1);
        debug_assert_eq!(
            header.open.0.load(Relaxed),
            header.done.0.load(Relaxed),
            "settle comes before the next seal"
        );
        for (word, value) in header.record.0.iter().zip(record) {
            store::word(word, value, Relaxed);
        }
        for (word, value) in header.cuts[(next % 2) as usize].words(info) {
            store::word(word, value, Relaxed);
        }
        store::word(&header.open.0, next, Release);
        // No store of the move may be seen, or survive a crash, before the seal.
        fence(Release);
    }

    /// Moves the sealed record into the image, stamps its lines, and ends the commit. With `live_too` the live memory
    /// takes the lines as well (a standby's does; a primary's has them already).
    ///
    /// Does nothing when no record is sealed, so doing it twice is doing it once.
    pub fn settle(&mut self, live_too: bool) {
        let header = self.header();
        let sealed = header.open.0.load(Relaxed);
        if header.done.0.load(Relaxed) == sealed {
            return;
        }
        let cycle = header.cuts[(sealed % 2) as usize].load().cut.cycle;
        if header.record.0[0].load(Relaxed) == WHOLE {
            self.settle_live(cycle);
        } else {
            self.settle_record(cycle, live_too);
        }
        let header = self.header();
        store::word(&header.done.0, sealed, Release);
        // The next record must not begin to overwrite this one before `done` says that it is moved.
        fence(Release);
    }

    fn settle_live(&mut self, cycle: u64) {
        let Move { image, stamps, live, .. } = self.moving(cycle);
        store::shared_lines(image, live);
        for stamp in stamps {
            // When each line last changed is not known here: not later than this.
            store::word(stamp, cycle, Relaxed);
        }
    }

    fn settle_record(&mut self, cycle: u64, live_too: bool) {
        let Move { runs, mut packed, image, stamps, live } = self.moving(cycle);
        for run in runs {
            let (start, count) = (run.start as usize, run.count as usize);
            let (bytes, rest) = packed.split_at(count * LINE);
            packed = rest;
            store::shared_lines(&image[start * (LINE / 8)..][..count * (LINE / 8)], bytes);
            let stamped = if planted::is(Bug::StampsSkipped) { 0 } else { count };
            let cycle = if planted::is(Bug::StampsWrap) { cycle % 256 } else { cycle };
            for stamp in &stamps[start..][..stamped] {
                store::word(stamp, cycle, Relaxed);
            }
            if live_too && !planted::is(Bug::LiveForgotten) {
                store::private(&mut live[start * LINE..][..count * LINE], bytes);
            }
        }
    }

    /// Everything that the move of a cycle's record touches.
    fn moving(&mut self, cycle: u64) -> Move<'_> {
        let at = self.map.record_of(cycle);
        let Fill { runs, lines } = self.fills[at];
        let (base, map) = (self.base, self.map);
        let (all, words) = (map.bytes(), map.lines * (LINE / 8));
        // SAFETY: five disjoint ranges inside the mapping (`Map` keeps them apart; a record's fill never exceeds it), aligned
        // to pages; any bytes are valid for all of their types. `&mut self` excludes every other reference of this process;
        // other processes read image and stamps, which are atomics here, and nothing else of these.
        unsafe {
            Move {
                runs: core::slice::from_raw_parts(base.add(map.runs(at)).as_ptr().cast::<Run>(), runs),
                packed: core::slice::from_raw_parts(base.add(map.packed(at)).as_ptr(), lines * LINE),
                image: core::slice::from_raw_parts(base.add(map.image).as_ptr().cast::<AtomicU64>(), words),
                stamps: core::slice::from_raw_parts(
                    base.add(map.stamps).as_ptr().cast::<AtomicU64>(),
                    map.lines,
                ),
                live: core::slice::from_raw_parts_mut(base.add(map.live).as_ptr(), all),
            }
        }
    }

    /// Undoes every uncommitted write: the live memory becomes the image. O(region), for the rare case of a cycle
    /// given up or a reign lost.
    pub fn roll_back(&mut self) {
        if planted::is(Bug::NotRolledBack) {
            return;
        }
        let image: *const [u8] = self.image();
        let live = self.part_mut(self.map.live, self.map.bytes());
        // SAFETY: image and live are disjoint parts of the mapping.
        store::private(live, unsafe { &*image });
    }

    /// Tells tools what the owner is doing.
    pub fn set_phase(&self, phase: Phase) {
        self.header().phase.0.store(phase as u64, Relaxed);
    }

    /// Tells tools how much of the state this member holds, or that it leads.
    pub fn set_state(&self, state: SyncState) {
        self.header().state.0.store(state as u64, Relaxed);
    }

    /// The newest cycle that this member knew of and did not hold when it stopped being hot, also in an earlier incarnation;
    /// 0: it lacks nothing.
    #[must_use]
    pub fn lacking(&self) -> u64 {
        self.header().lacking.load(Relaxed)
    }

    /// Remembers that this member does not hold cycle `newest`; 0: it lacks nothing.
    pub fn set_lacking(&self, newest: u64) {
        self.header().lacking.store(newest, Relaxed);
    }

    /// What the owner is doing, by its own word.
    #[must_use]
    pub fn is_stepping(&self) -> bool {
        self.header().phase.0.load(Relaxed) == Phase::Step as u64
    }

    /// The greatest epoch that this member ever heard of or led, kept across restarts on this mapping.
    #[must_use]
    pub fn epoch_seen(&self) -> Epoch {
        Epoch(self.header().epoch_seen.load(Relaxed))
    }

    /// Remembers that `epoch` exists. Never goes back.
    pub fn see_epoch(&self, epoch: Epoch) {
        if epoch > self.epoch_seen() {
            self.header().epoch_seen.store(epoch.0, Relaxed);
        }
    }
}
